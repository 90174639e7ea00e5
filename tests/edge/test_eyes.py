"""What a station's cameras say of their health."""

import asyncio

import pytest

from edge.eyes import Eyes
from edge.ports import Pulse, Shot
from tests.edge.world import FakeCamera, lost, simulated
from vision.errors import DeviceError

AGAIN = Shot(image=b"", frame_id=1)


async def look(eyes: Eyes, times: int, *, patience_s: float = 1.0) -> None:
    for _ in range(times):
        try:
            async with asyncio.timeout(patience_s):
                await eyes.capture(Pulse(at_s=0.0))
        except (DeviceError, TimeoutError):
            pass


def eyes(*cameras: FakeCamera) -> Eyes:
    return Eyes(cameras, alarm=lambda _: None)


def test_a_camera_is_well_from_its_first_picture_on() -> None:
    one = eyes(FakeCamera())
    assert one.health()["camera"].well is None
    simulated(look(one, 1))
    assert one.health()["camera"].well


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (lost(), "camera 1: unplugged"),
        (AGAIN, "frame: expected a frame id above 1, found 1: the same frame again"),
        (2.0, "no picture came before its part had to be decided"),
    ],
)
def test_a_camera_without_a_new_picture_has_failed_until_there_is_one(
    trouble: Exception | Shot | float, said: str
) -> None:
    one = eyes(FakeCamera({1: trouble}))
    simulated(look(one, 2))
    assert (one.health()["camera"].well, one.health()["camera"].error) == (False, said)
    simulated(look(one, 1))
    assert one.health()["camera"].well


def test_each_camera_has_its_own_health() -> None:
    both = eyes(FakeCamera(), FakeCamera({0: lost()}))
    simulated(look(both, 1))
    assert [one.well for one in both.health().values()] == [True, False]
    assert list(both.health()) == ["camera 1", "camera 2"]
