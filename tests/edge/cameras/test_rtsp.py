"""A camera on the network: RTSP from GStreamer, whose pictures say when they were taken. Killed, hung, restarted, behind a password."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import pytest

from edge.cameras.stream import StreamCamera
from edge.ports import Pulse, Shot
from edge.rig.marks import Mark, read
from edge.rig.rtsp import PACKAGES, PASSWORD, RATE, libraries
from edge.triggers.camera import FrameTrigger
from vision.errors import DeviceError
from vision.image import Frame

pytest.importorskip("av", reason="needs the extra rtsp: pip install 'loupe[rtsp]'")
try:
    libraries()
except (ImportError, ValueError) as missing:
    pytest.skip(
        f"{missing}; needs the extra aravis and Debian's {PACKAGES}: make rig", allow_module_level=True
    )

PERIOD_S: Final = 1 / RATE
PATIENT_S: Final = 30.0  # a busy machine starts the child, and the source its encoder, in seconds


class Source:
    """The network camera, in a process of its own."""

    def __init__(self) -> None:
        self.port = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge.rig.rtsp", "--port", str(self.port)], stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        self.port = urlsplit(self.url).port or 0

    def kill(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def source() -> Iterator[Source]:
    one = Source()
    yield one
    one.kill()


def in_time(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 60))


def now() -> float:
    return asyncio.get_running_loop().time()


def mark(shot: Shot) -> Mark:
    assert isinstance(shot.image, Frame)
    return read(shot.image.image_hwc, near_s=now())


@asynccontextmanager
async def opened(camera: StreamCamera) -> AsyncIterator[StreamCamera]:
    try:
        await camera.open()
        yield camera
    finally:
        await camera.close()


async def capture_on(camera: StreamCamera) -> None:
    while True:
        await camera.capture(Pulse(at_s=now()))


async def opened_again(camera: StreamCamera) -> None:
    while True:
        try:
            return await camera.open()
        except DeviceError:
            await asyncio.sleep(0.1)


def test_frames_flow_one_after_the_other(source: Source) -> None:
    async def work() -> None:
        async with opened(StreamCamera(source.url, open_s=PATIENT_S)) as camera:
            shots = [await camera.capture(Pulse(at_s=now())) for _ in range(25)]
            numbers = [mark(shot).number for shot in shots]
            assert numbers == sorted(set(numbers))
            ids = [shot.frame_id or 0 for shot in shots]
            assert [after - ids[0] for after in ids] == [after - numbers[0] for after in numbers]

    in_time(work)


def test_with_the_latency_as_measured_the_frame_was_taken_after_the_pulse_and_is_the_first_such(
    source: Source,
) -> None:
    async def work() -> None:
        chance = np.random.default_rng(7)
        async with opened(StreamCamera(source.url, open_s=PATIENT_S)) as camera:
            delays: list[float] = []
            async with aclosing(camera.frames()) as frames:
                async for seen in frames:
                    shot = await camera.capture(Pulse(at_s=seen.at_s))
                    if shot.frame_id == seen.frame_id:
                        delays.append(seen.at_s - mark(shot).taken_s)
                    if len(delays) == 75:
                        break
            settled = sorted(delays[25:])  # what lay in buffers at the start is through
            spread_s = settled[-1] - settled[0]
            camera.latency_s = settled[-1] + 0.01
            assert 0.01 < camera.latency_s < 0.5
            early = 0
            for _ in range(25):
                await asyncio.sleep(chance.uniform(0, PERIOD_S))
                at = now()
                taken = mark(await camera.capture(Pulse(at_s=at))).taken_s
                early += taken < at - 0.002  # the picture's clock counts milliseconds
                assert taken < at + PERIOD_S + spread_s + 0.05
            assert early <= 5  # frames that this machine was busier with than when it was measured

    in_time(work)


def test_a_source_that_is_killed_and_restarted_is_found_again(source: Source) -> None:
    async def work() -> None:
        async with opened(StreamCamera(source.url, open_s=PATIENT_S, stall_s=1.0)) as camera:
            before = await camera.capture(Pulse(at_s=now()))
            source.kill()
            with pytest.raises(DeviceError):
                await capture_on(camera)
            with pytest.raises(DeviceError, match=r"rtsp://127\.0\.0\.1:\d+/line: ") as gone:
                await camera.open()
            assert PASSWORD not in str(gone.value)
            source.start()
            await opened_again(camera)
            after = await camera.capture(Pulse(at_s=now()))
            assert (after.frame_id or 0) > (before.frame_id or 0)
            assert (after.device_ns or 0) > (before.device_ns or 0)
            assert camera.counts()["reconnects"] >= 1

    in_time(work)


def test_a_source_that_hangs_is_noticed_within_the_time_given_and_used_again_when_it_goes_on(
    source: Source,
) -> None:
    async def work() -> None:
        async with opened(StreamCamera(source.url, open_s=PATIENT_S, stall_s=0.5)) as camera:
            await camera.capture(Pulse(at_s=now()))
            source.process.send_signal(signal.SIGSTOP)
            began = now()
            with pytest.raises(DeviceError, match=r"no frame for 0\.5 s|timed out"):
                await capture_on(camera)
            assert now() - began < 1.5
            source.process.send_signal(signal.SIGCONT)
            await opened_again(camera)
            at = now()
            assert mark(await camera.capture(Pulse(at_s=at))).taken_s > at - 1

    in_time(work)


def test_each_frame_of_a_stream_can_be_a_part(source: Source) -> None:
    async def work() -> None:
        async with opened(
            StreamCamera(source.url, open_s=PATIENT_S, each_frame=True, latency_s=0.04)
        ) as camera:
            numbers, counters = [], []
            async with aclosing(FrameTrigger(camera).pulses()) as pulses:
                async for pulse in pulses:
                    shot = await camera.capture(pulse)
                    assert shot.frame_id == pulse.counter
                    numbers.append(mark(shot).number)
                    counters.append(pulse.counter or 0)
                    if len(numbers) == 30:
                        break
            assert numbers == list(range(numbers[0], numbers[0] + 30))
            assert counters == list(range(counters[0], counters[0] + 30))

    in_time(work)


def test_a_wrong_password_is_said_and_not_told(source: Source) -> None:
    async def work() -> None:
        with pytest.raises(DeviceError, match="401 Unauthorized") as refused:
            async with opened(StreamCamera(source.url.replace(PASSWORD, "open@elsewhere"))):
                pass
        assert "elsewhere" not in str(refused.value)

    in_time(work)
