"""What `line.toml` may say of cameras, and the drivers that it gives."""

import sys
from pathlib import Path

import pytest

from edge.cameras.aravis import AravisCamera
from edge.cameras.folder import FolderCamera
from edge.cameras.stream import StreamCamera
from edge.drivers import devices_of
from edge.line import Line, read_line
from edge.triggers.camera import FrameTrigger
from vision.errors import MissingExtraError, SettingsError

TIMER = '{ kind = "timer", period_s = 0.2 }'
FRAMES = '{ kind = "camera" }'


def line(folder: Path, *, trigger: str, camera: str) -> Line:
    path = folder / "line.toml"
    path.write_text(
        f"""
        [[station]]
        name = "infeed"
        bundle = "plates.loupe"
        due_s = 0.25
        trigger = {trigger}
        camera = {camera}
        actuator = {{ kind = "journal", path = "gate.jsonl" }}
        """
    )
    return read_line(path)


@pytest.mark.parametrize(
    ("trigger", "camera", "said"),
    [
        (FRAMES, '{ kind = "folder", folder = "parts" }', "for 'camera', expected a first camera that delivers by itself .* found folder"),
        (FRAMES, '{ kind = "aravis", device = "10.0.0.9" }', "for 'camera', expected a first camera that delivers by itself .* found aravis"),
        (TIMER, '{ kind = "aravis", device = "10.0.0.9", trigger = "hardware" }', "camera.trigger: expected 'hardware' with the first .* with 'timer'"),
        (FRAMES, '[{ kind = "stream", source = "a.mkv" }, { kind = "aravis", device = "10.0.0.9", trigger = "hardware" }]',
         "camera.trigger: expected 'hardware' with the first"),
        (TIMER, '{ kind = "aravis", device = "10.0.0.9", packet_size = 20 }', "packet_size: input should be greater than or equal to 576"),
        (TIMER, '{ kind = "aravis", device = "10.0.0.9", region_xywh = [0, 0, 0, 9] }', "region_xywh.2: input should be greater than or equal to 1"),
        (TIMER, '{ kind = "aravis", device = "10.0.0.9", shutter = 3 }', "aravis.shutter: .*found a key that is none"),
        (TIMER, '{ kind = "aravis" }', "aravis.device: "),
    ],
)  # fmt: skip
def test_a_camera_and_a_trigger_that_do_not_fit_are_refused(
    tmp_path: Path, trigger: str, camera: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        line(tmp_path, trigger=trigger, camera=camera)


@pytest.mark.parametrize("exposes", ["hardware", "free"])
def test_a_camera_that_triggers_is_both_trigger_and_camera(tmp_path: Path, exposes: str) -> None:
    pytest.importorskip("gi", reason="needs the extra aravis: make rig")
    told = line(
        tmp_path,
        trigger=FRAMES,
        camera=f'{{ kind = "aravis", device = "10.0.0.9", trigger = "{exposes}", exposure_us = 500, region_xywh = [0, 0, 640, 480] }}',
    )
    devices = devices_of(told.station[0], tmp_path)
    assert isinstance(devices.trigger, FrameTrigger)
    assert isinstance(devices.cameras[0], AravisCamera)


def test_with_several_cameras_the_first_triggers_and_the_others_look_at_its_parts(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs the extra rtsp: pip install 'loupe[rtsp]'")
    told = line(
        tmp_path,
        trigger=FRAMES,
        camera='[{ kind = "stream", source = "a.mkv" }, { kind = "folder", folder = "parts" }]',
    )
    devices = devices_of(told.station[0], tmp_path)
    assert isinstance(devices.trigger, FrameTrigger)
    assert [type(one) for one in devices.cameras] == [StreamCamera, FolderCamera]


def test_a_stream_can_trigger(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs the extra rtsp: pip install 'loupe[rtsp]'")
    told = line(tmp_path, trigger=FRAMES, camera='{ kind = "stream", source = "rtsp://10.0.0.9/line" }')
    devices = devices_of(told.station[0], tmp_path)
    assert isinstance(devices.trigger, FrameTrigger)
    assert isinstance(devices.cameras[0], StreamCamera)


def test_without_the_extra_the_command_that_installs_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "gi", raising=False)
    told = line(tmp_path, trigger=TIMER, camera='{ kind = "aravis", device = "10.0.0.9" }')
    with pytest.raises(MissingExtraError, match=r"needs 'PyGObject'.*pip install 'loupe\[aravis\]'"):
        devices_of(told.station[0], tmp_path)
