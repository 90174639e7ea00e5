"""GigE Vision through Aravis, with Aravis' own simulated camera on the loopback: frames, triggers, lost packets, plugs pulled."""

import asyncio
import os
import shutil
import signal
import statistics
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import numpy as np
import psutil
import pytest

from edge.cameras.aravis import AravisCamera, Exposes
from edge.ports import Pulse, Shot
from edge.rig.gige import GigeCamera, gige
from edge.triggers.camera import FrameTrigger
from tests.edge.cameras.needs import missing_gige
from vision.errors import DeviceError
from vision.image import Frame

if missing_gige():
    pytest.skip(missing_gige(), allow_module_level=True)

SMALL: Final = {"region_xywh": (0, 0, 64, 48), "frame_rate_hz": 50.0, "pixel_format": "Mono8"}
PATIENT: Final = {"timeout_s": 1.0, "late_s": 1.0}  # beside other tests
OTHER: Final = "127.0.0.77"


@pytest.fixture
def device() -> Iterator[GigeCamera]:
    with gige() as one:
        yield one


@asynccontextmanager
async def opened(
    address: str = "127.0.0.1", exposes: Exposes = "software", *, more: dict[str, Any] = SMALL, **options: Any
) -> AsyncIterator[AravisCamera]:
    camera = AravisCamera(address, exposes=exposes, settings=more, **{**PATIENT, **options})
    try:
        await camera.open()
        yield camera
    finally:
        await camera.close()


def in_time(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 60))


def now() -> float:
    return asyncio.get_running_loop().time()


def whole(shot: Shot) -> bool:
    """Whether it is one picture: the ramp is the same along each of its diagonals."""
    assert isinstance(shot.image, Frame)
    pixels = shot.image.image_hwc
    return bool(np.array_equal(pixels[1:, :-1], pixels[:-1, 1:]))


def grabber() -> psutil.Process:
    (child,) = [one for one in psutil.Process().children() if "edge.cameras.grabber" in one.cmdline()]
    return child


async def shots_until_one_comes(camera: AravisCamera) -> tuple[Shot, list[str]]:
    """The first shot that there is, as a station would ask for it, and what was said before."""
    said: list[str] = []
    while True:
        try:
            await camera.open()
            return await camera.capture(Pulse(at_s=now())), said
        except DeviceError as error:
            said.append(str(error))
            await asyncio.sleep(0.1)


def test_each_trigger_gives_exactly_the_frame_that_it_exposed(device: GigeCamera) -> None:
    async def work() -> None:
        async with opened() as camera:
            waits, shots = [], []
            for _ in range(
                140
            ):  # the camera counts with 16 bits from 65400 on: the count begins anew on the way
                at = now()
                shots.append(await camera.capture(Pulse(at_s=at)))
                waits.append(now() - at)
            ids = [shot.frame_id for shot in shots]
            assert ids == list(range(1, 141))
            times = [shot.device_ns for shot in shots]
            assert times == sorted(set(times))  # type: ignore[type-var]
            assert all(whole(shot) for shot in shots)
            assert isinstance(shots[0].image, Frame)
            assert shots[0].image.size_wh == (64, 48)
            assert statistics.median(waits) < 0.1  # the simulated camera looks for triggers every 20 ms or so
            await asyncio.sleep(0.6)  # figures come twice a second
            assert camera.counters.completed == 140
            assert (camera.counters.unasked, camera.counters.failures) == (0, 0)

    in_time(work)


def test_a_camera_that_is_unplugged_and_plugged_in_again_is_found_again(device: GigeCamera) -> None:
    async def work() -> None:
        async with opened() as camera:
            before = await camera.capture(Pulse(at_s=now()))
            device.stop()
            said = ""
            while "Can't connect" not in said:  # until the child has given up, and tries again
                with pytest.raises(DeviceError, match=r"camera 127\.0\.0\.1: ") as gone:
                    await camera.capture(Pulse(at_s=now()))
                said = str(gone.value)
                await asyncio.sleep(0.1)
            device.start()
            after, _ = await shots_until_one_comes(camera)
            assert after.frame_id == before.frame_id + 1  # type: ignore[operator]
            assert after.device_ns > before.device_ns  # type: ignore[operator]
            assert whole(after)
            assert camera.counters.reconnects >= 1

    in_time(work)


def test_a_grabber_that_is_killed_is_started_again_once_the_camera_lets_it(device: GigeCamera) -> None:
    async def work() -> None:
        async with opened() as camera:
            before = await camera.capture(Pulse(at_s=now()))
            os.kill(grabber().pid, signal.SIGKILL)
            after, said = await shots_until_one_comes(camera)
            assert any("another program holds the camera" in one for one in said)
            assert after.frame_id > before.frame_id  # type: ignore[operator]

    in_time(work)


def test_a_camera_that_is_let_go_can_be_opened_at_once_and_no_process_is_left(device: GigeCamera) -> None:
    async def work() -> None:
        for _ in range(2):
            async with opened() as camera:
                child = grabber()
                await camera.capture(Pulse(at_s=now()))
            assert not child.is_running()

    in_time(work)


def test_with_five_percent_of_packets_lost_each_part_gets_a_whole_picture_or_none() -> None:
    async def work() -> None:
        async with opened(timeout_s=0.4) as camera:
            came, said = [], []
            for _ in range(60):
                try:
                    came.append(await camera.capture(Pulse(at_s=now())))
                except DeviceError as error:
                    said.append(str(error))
            assert len(came) + len(said) == 60
            assert len(came) > 10
            assert len(said) > 2
            assert all(whole(shot) for shot in came)
            assert all(
                "not whole" in one or "no frame within" in one or "expected the next" in one for one in said
            )
            await asyncio.sleep(0.6)
            assert camera.counters.failures > 0
            assert camera.counters.missing > 0

    with gige(lost=50):
        in_time(work)


def test_a_trigger_without_a_frame_is_a_fault_and_the_next_part_gets_its_own() -> None:
    async def work() -> None:
        async with opened(timeout_s=0.3) as camera:
            for _ in range(3):
                with pytest.raises(DeviceError, match=r"no frame within 0\.3 s of its trigger"):
                    await camera.capture(Pulse(at_s=now()))

    with gige(lost=1000):
        in_time(work)


def test_a_part_that_was_seen_too_long_ago_is_not_photographed(device: GigeCamera) -> None:
    async def work() -> None:
        async with opened(late_s=0.05) as camera:
            with pytest.raises(DeviceError, match="after the part was seen; not exposed"):
                await camera.capture(Pulse(at_s=now() - 0.2))

    in_time(work)


@pytest.fixture
def other_address() -> Iterator[str]:
    """A second address on the loopback interface, for a second camera; each needs an interface's own."""
    ip = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    added = (
        subprocess.run([ip, "addr", "add", f"{OTHER}/8", "dev", "lo"], capture_output=True) if ip else None
    )
    if ip is None or added is None or added.returncode != 0:
        pytest.skip(
            f"needs Debian's package iproute2, and root to give the loopback interface the address {OTHER}"
        )
    yield OTHER
    subprocess.run([ip, "addr", "del", f"{OTHER}/8", "dev", "lo"], check=True)


def test_two_cameras_do_not_wait_for_each_other(device: GigeCamera, other_address: str) -> None:
    async def work() -> None:
        async with opened() as one, opened(other_address) as two:

            async def wait_for_a_dead_one() -> float:
                began = now()
                with pytest.raises(DeviceError):
                    await two.capture(Pulse(at_s=began))
                return now() - began

            await asyncio.gather(one.capture(Pulse(at_s=now())), two.capture(Pulse(at_s=now())))
            other.stop()
            waiting, took = asyncio.create_task(wait_for_a_dead_one()), []
            while not waiting.done():
                at = now()
                assert whole(await one.capture(Pulse(at_s=at)))
                took.append(now() - at)
            assert await waiting > 0.5
            assert len(took) > 3
            assert max(took) < 0.5

    with gige(other_address, serial="LOUPE2") as other:
        in_time(work)


def test_each_frame_of_a_camera_that_exposes_by_itself_is_a_part_with_its_own_picture(
    device: GigeCamera,
) -> None:
    async def work() -> None:
        async with opened(exposes="free", each_frame=True, latency_s=0.01) as camera:
            trigger, came = FrameTrigger(camera), []
            await trigger.open()
            async for pulse in trigger.pulses():
                assert 0.0 < now() - pulse.at_s < 0.2
                shot = await camera.capture(pulse)
                assert shot.frame_id == pulse.counter
                assert whole(shot)
                came.append(pulse.counter)
                if len(came) == 30:
                    break
            assert came == list(range(came[0], came[0] + 30))  # type: ignore[arg-type, operator]

    in_time(work)


def test_frames_that_are_not_whole_are_parts_without_a_picture_and_lost_ones_leave_a_gap() -> None:
    async def work() -> None:
        async with opened(exposes="free", each_frame=True) as camera:
            counters, said, whole_ones = [], [], 0
            async for pulse in FrameTrigger(camera).pulses():
                counters.append(pulse.counter or 0)
                try:
                    whole_ones += whole(await camera.capture(pulse))
                except DeviceError as error:
                    said.append(str(error))
                if len(counters) == 40:
                    break
            assert counters == sorted(set(counters))
            assert whole_ones > 5
            assert all("not whole" in one for one in said)
            assert said

    with gige(lost=50):
        in_time(work)


def test_a_camera_that_triggers_and_is_unplugged_says_so_and_goes_on_when_it_is_back(
    device: GigeCamera,
) -> None:
    async def work() -> None:
        async with opened(exposes="free", each_frame=True) as camera:
            trigger, counters = FrameTrigger(camera), []

            async def follow(parts: int) -> None:
                async for pulse in trigger.pulses():
                    counters.append(pulse.counter or 0)
                    if len(counters) == parts:
                        return

            await follow(5)
            device.stop()
            with pytest.raises(DeviceError, match=r"camera 127\.0\.0\.1: control"):
                await follow(10_000)
            last = counters[-1]
            device.start()
            while True:
                try:
                    await trigger.open()
                    break
                except DeviceError:
                    await asyncio.sleep(0.1)
            await follow(len(counters) + 5)
            assert counters[-5] > last
            assert counters == sorted(set(counters))

    in_time(work)


def test_a_camera_whose_sensor_is_silent_is_not_taken_for_lost(device: GigeCamera) -> None:
    async def work() -> None:
        async with opened(exposes="hardware", each_frame=True) as camera:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(FrameTrigger(camera).pulses()), 3)
            await camera.open()
            assert camera.counters.reconnects == 0

    in_time(work)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pixel_format": "Mono16"}, r"pixel_format: expected one of Mono8, RGB8, .*found Mono16"),
        ({"exposure_us": 1e9}, r"exposure_us: expected 10 to 1e\+07, found 1e\+09"),
        ({"gain": 99.0}, r"gain: expected 0 to 10, found 99"),
        ({"pixel_format": "Purple8"}, r"pixel_format: .*Purple8"),
    ],
)
def test_what_the_camera_cannot_be_set_to_names_the_field(
    device: GigeCamera, settings: dict[str, Any], said: str
) -> None:
    async def work() -> None:
        with pytest.raises(DeviceError, match=rf"camera 127\.0\.0\.1: {said}"):
            async with opened(more=settings):
                pass

    in_time(work)


def test_a_camera_that_is_not_there_is_named() -> None:
    async def work() -> None:
        with pytest.raises(DeviceError, match=r"camera 127\.0\.0\.99: device: Can't connect"):
            async with opened("127.0.0.99"):
                pass

    in_time(work)


@pytest.mark.parametrize("pixel_format", ["RGB8", "BayerRG8", "BayerGR8", "BayerGB8", "BayerBG8"])
def test_colours_arrive(device: GigeCamera, pixel_format: str) -> None:
    async def work() -> None:
        async with opened(more={**SMALL, "pixel_format": pixel_format}) as camera:
            shot = await camera.capture(Pulse(at_s=now()))
            assert isinstance(shot.image, Frame)
            assert shot.image.image_hwc.shape == (48, 64, 3)
            red, green, blue = (shot.image.image_hwc[..., channel].astype(int) for channel in range(3))
            assert np.abs(red - green).max() > 20 or np.abs(green - blue).max() > 20

    in_time(work)
