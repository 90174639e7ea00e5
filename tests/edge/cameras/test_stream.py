"""A streaming camera on a real video: the part's frame and no older one, through a child that is killed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import pytest

from edge.cameras.stream import StreamCamera, told_name
from edge.ports import Pulse, Shot
from edge.triggers.camera import FrameTrigger
from vision.errors import DeviceError
from vision.image import Frame

av = pytest.importorskip("av", reason="needs the extra rtsp: pip install 'loupe[rtsp]'")

RATE: Final = 25
SIDE: Final = 64


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, each frame a little brighter than the last: what is seen tells which frame it is."""
    path = tmp_path_factory.mktemp("video") / "line.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "bgr0"
        for number in range(2 * RATE):
            pixels = np.full((SIDE, SIDE, 3), 4 * number, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@asynccontextmanager
async def opened(source: object, **options: Any) -> AsyncIterator[StreamCamera]:
    camera = StreamCamera(str(source), **options)
    try:
        await camera.open()
        yield camera
    finally:
        await camera.close()


def number_of(shot: Shot) -> int:
    """Which frame of the video it shows."""
    assert isinstance(shot.image, Frame)
    levels = np.unique(shot.image.image_hwc)
    assert len(levels) == 1, "one frame, not parts of two"
    return int(levels[0]) // 4


def reader() -> psutil.Process:
    (child,) = [one for one in psutil.Process().children() if "edge.cameras.reader" in one.cmdline()]
    return child


async def capture_on(camera: StreamCamera) -> None:
    while True:
        await camera.capture(Pulse(at_s=now()))


async def capture_one(camera: StreamCamera) -> None:
    while True:
        try:
            await camera.open()
            await camera.capture(Pulse(at_s=now()))
        except DeviceError:
            await asyncio.sleep(0.05)
        else:
            return


def in_time(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 30))


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_part_gets_the_first_frame_after_its_pulse(video: Path) -> None:
    async def work() -> None:
        async with opened(video, again=True) as camera:
            first = await camera.capture(Pulse(at_s=now()))
            at = now() + 0.4
            later = await camera.capture(Pulse(at_s=at))
            assert at < now() < at + 0.2
            assert number_of(later) - number_of(first) == pytest.approx(0.4 * RATE, abs=3)
            assert later.frame_id > first.frame_id  # type: ignore[operator]
            assert later.device_ns > first.device_ns  # type: ignore[operator]

    in_time(work)


def test_a_frame_that_lay_there_before_the_pulse_is_not_taken(video: Path) -> None:
    async def work() -> None:
        async with opened(video, again=True) as camera:
            await asyncio.sleep(0.2)
            shots = [await camera.capture(Pulse(at_s=now())) for _ in range(5)]
            assert [shot.frame_id for shot in shots] == sorted({shot.frame_id for shot in shots})  # type: ignore[type-var]

    in_time(work)


def test_a_child_that_is_killed_is_started_again_and_counts_on(video: Path) -> None:
    async def work() -> None:
        async with opened(video, again=True) as camera:
            before = await camera.capture(Pulse(at_s=now()))
            os.kill(reader().pid, signal.SIGKILL)
            with pytest.raises(DeviceError, match=r"line\.mkv: the camera's process ended"):
                await capture_on(camera)
            await camera.open()
            after = await camera.capture(Pulse(at_s=now()))
            assert after.frame_id > before.frame_id  # type: ignore[operator]
            assert after.device_ns > before.device_ns  # type: ignore[operator]
            assert camera.counts() == {"reconnects": 1}

    in_time(work)


def test_a_child_that_hangs_is_noticed_and_replaced(video: Path) -> None:
    async def work() -> None:
        async with opened(video, again=True, stall_s=0.3) as camera:
            hung = reader()
            hung.suspend()
            with pytest.raises(DeviceError, match=r"no frame for 0\.3 s"):
                await capture_on(camera)
            await capture_one(camera)
            assert not hung.is_running()

    in_time(work)


def test_a_video_that_is_over_is_over(video: Path) -> None:
    async def work() -> None:
        async with opened(video) as camera:
            with pytest.raises(DeviceError, match="all frames were shown"):
                await camera.capture(Pulse(at_s=now() + 5))

    in_time(work)


@pytest.mark.parametrize(
    ("source", "said"),
    [("/nowhere.mkv", "No such file"), ("rtsp://user:secret@127.0.0.1:9/line", "rtsp://127.0.0.1:9/line: ")],
)
def test_what_cannot_be_opened_is_said_without_its_password(source: str, said: str) -> None:
    async def work() -> None:
        with pytest.raises(DeviceError, match=said) as caught:
            async with opened(source, open_s=3.0):
                pass
        assert "secret" not in str(caught.value)

    in_time(work)


def test_each_frame_of_a_video_is_a_part_until_it_is_over(video: Path) -> None:
    async def work() -> None:
        async with opened(video, each_frame=True) as camera:
            pulses = FrameTrigger(camera).pulses()
            numbers = [number_of(await camera.capture(pulse)) async for pulse in pulses]
            assert numbers == list(range(numbers[0], 2 * RATE))
            assert len(numbers) > RATE

    in_time(work)


def test_a_frame_that_is_asked_for_too_late_is_none(video: Path) -> None:
    async def work() -> None:
        async with opened(video, each_frame=True, again=True) as camera:
            async for pulse in FrameTrigger(camera).pulses():
                await asyncio.sleep(0.6)  # fifteen frames
                with pytest.raises(DeviceError, match=r"frame \d+: asked for too late"):
                    await camera.capture(pulse)
                break

    in_time(work)


def test_nothing_is_left_when_it_is_closed(video: Path) -> None:
    async def work() -> None:
        async with opened(video, again=True):
            child = reader()
            assert "line.mkv" not in " ".join(child.cmdline()), "what is read stands in no list of processes"
        assert not child.is_running()

    in_time(work)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("rtsp://10.0.0.2/line", "rtsp://10.0.0.2/line"),
        ("rtsp://user:secret@10.0.0.2:554/line", "rtsp://10.0.0.2:554/line"),
        ("rtsp://user:sec@ret@10.0.0.2/line", "rtsp://10.0.0.2/line"),  # a password with an @ in it
        ("rtsp://10.0.0.2/user=admin&password=secret&channel=1", "rtsp://10.0.0.2/user=admin&password=…&channel=1"),
        ("http://10.0.0.2/stream?token=secret", "http://10.0.0.2/stream?token=…"),
        ("/dev/video0", "/dev/video0"),
        ("line.mkv", "line.mkv"),
    ],
)  # fmt: skip
def test_a_source_is_told_without_its_secret(source: str, told: str) -> None:
    assert told_name(source) == told


def test_a_video_device_that_is_not_there_is_named() -> None:
    async def work() -> None:
        with pytest.raises(DeviceError, match=r"/dev/video97: .*No such file"):
            async with opened("/dev/video97"):
                pass

    in_time(work)


def test_a_video_device_delivers() -> None:
    devices = sorted(Path("/dev").glob("video*"))
    if not devices:
        pytest.skip(
            "needs a camera at /dev/videoN, or the kernel's v4l2loopback (Debian's v4l2loopback-dkms) fed with a picture"
        )

    async def work() -> None:
        async with opened(devices[0]) as camera:
            first, second = [await camera.capture(Pulse(at_s=now())) for _ in range(2)]
            assert (second.device_ns or 0) > (first.device_ns or 0)

    in_time(work)
