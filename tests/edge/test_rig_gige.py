"""The simulated camera as other tests rely on it."""

import threading
import time

import pytest

from edge.rig.gige import GigeCamera, gige
from tests.edge.cameras.needs import missing_gige
from vision.errors import DeviceError

if missing_gige():
    pytest.skip(missing_gige(), allow_module_level=True)


def test_a_camera_waits_for_its_address_and_is_never_taken_for_another() -> None:
    with gige(serial="FIRST") as first:
        threading.Timer(1.0, first.stop).start()
        began, second = time.monotonic(), GigeCamera(serial="SECOND")
        second.start()
        second.stop()
        assert time.monotonic() - began > 0.9


def test_an_address_that_no_interface_has_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.rig.gige._PATIENCE_S", 1.0)
    with pytest.raises(DeviceError, match=r"does not answer on 127\.0\.0\.78:3956"):
        GigeCamera("127.0.0.78").start()
