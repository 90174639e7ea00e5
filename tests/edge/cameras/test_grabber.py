"""Whose picture is whose: software triggers answered by a real, simulated camera, that also exposes when nobody asked."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from edge.cameras.genicam import GenicamCamera, Wanted, library
from edge.cameras.grabber import Grabber
from edge.cameras.ring import RingWriter
from edge.rig.gige import gige
from tests.edge.cameras.needs import missing_gige
from vision.errors import DeviceError

if missing_gige():
    pytest.skip(missing_gige(), allow_module_level=True)

WANTED: Final = Wanted(
    device="127.0.0.1", trigger="software", region_xywh=(0, 0, 64, 48), pixel_format="Mono8", retention_s=0.1
)


@pytest.fixture
def camera() -> Iterator[GenicamCamera]:
    with gige():
        one = GenicamCamera(WANTED)
        yield one
        one.close()


@pytest.fixture
def grabber(camera: GenicamCamera) -> Iterator[Grabber]:
    memory = os.memfd_create("frames")
    yield Grabber(camera, RingWriter(memory, 4, camera.size_wh), timeout_s=0.5, late_s=5.0)
    os.close(memory)


def fired(grabber: Grabber, capsys: pytest.CaptureFixture[str], trigger: int) -> dict[str, Any]:
    """What is told of a trigger."""
    grabber.fire(trigger, time.monotonic())
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["trigger"] == trigger
    return told


def test_a_frame_without_a_trigger_spoils_the_next_part_and_no_other(
    camera: GenicamCamera, grabber: Grabber, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fired(grabber, capsys, 1)["why"] == ""
    camera.trigger()  # as a disturbance on the line would
    time.sleep(0.3)
    spoilt = fired(grabber, capsys, 2)
    assert spoilt["slot"] is None
    assert "without a trigger" in spoilt["why"]
    after = fired(grabber, capsys, 3)
    assert (after["slot"], after["id"]) == (1, 1)


def test_a_trigger_that_the_camera_does_not_hear_has_no_frame(
    camera: GenicamCamera, grabber: Grabber, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fired(grabber, capsys, 1)["why"] == ""
    camera._camera.set_string("TriggerSource", "Line0")  # behind our back: it waits for its own input now
    assert fired(grabber, capsys, 2)["why"] == "no frame within 0.5 s of its trigger"
    camera._camera.set_string("TriggerSource", "Software")
    assert fired(grabber, capsys, 3)["slot"] == 1


def test_a_frame_that_was_lost_unnoticed_makes_the_next_doubtful(
    camera: GenicamCamera, grabber: Grabber, capsys: pytest.CaptureFixture[str]
) -> None:
    fired(grabber, capsys, 1)
    camera.trigger()
    assert camera.pop(1.0) is not None  # nobody is told of it
    doubtful = fired(grabber, capsys, 2)
    assert doubtful["slot"] is None
    assert "expected the next frame, found one 2 later" in doubtful["why"]
    assert fired(grabber, capsys, 3)["slot"] == 1


def test_two_who_want_one_camera_are_told_apart(camera: GenicamCamera) -> None:
    with pytest.raises(DeviceError, match="another program holds the camera"):
        GenicamCamera(WANTED)
    camera.close()
    GenicamCamera(WANTED).close()


def test_a_missing_library_is_named_by_its_debian_package() -> None:
    with pytest.raises(DeviceError, match=r"expected Debian's package gir1\.2-aravis-9\.9"):
        library("9.9")
