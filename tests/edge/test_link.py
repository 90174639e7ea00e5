"""A device's health as its link remembers it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from edge.link import Health, Link
from tests.edge.world import FakeCamera
from vision.errors import DeviceError

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


class Wall:
    """A clock that goes on by a second each time somebody looks at it."""

    def __init__(self) -> None:
        self.seconds = -1

    def __call__(self) -> datetime:
        self.seconds += 1
        return NOON + timedelta(seconds=self.seconds)


class Missing(FakeCamera):
    async def open(self) -> None:
        raise DeviceError("camera: nobody there")


def after(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_nothing_is_known_of_a_device_that_nobody_met() -> None:
    assert Link(FakeCamera()).health == Health()


def test_it_is_well_from_its_opening_on() -> None:
    link = Link(FakeCamera(), wall=Wall())
    asyncio.run(link.ready())
    link.worked()
    assert link.health == Health(well=True, since=after(0))


def test_an_error_keeps_its_first_moment_and_its_last_words() -> None:
    link = Link(FakeCamera(), wall=Wall())
    link.lost("unplugged")
    link.lost("still unplugged")
    assert link.health == Health(well=False, since=after(0), error="still unplugged")


def test_what_is_open_again_is_well_unless_it_must_prove_it() -> None:
    trusting, strict = (Link(FakeCamera(), proven=proven, wall=Wall()) for proven in (False, True))
    for link in (trusting, strict):
        link.lost("unplugged")
        asyncio.run(link.ready())
    assert trusting.health == Health(well=True, since=after(1))
    assert strict.health == Health(well=False, since=after(0), error="unplugged")
    strict.worked()
    assert strict.health.well


def test_what_cannot_be_opened_is_not_well() -> None:
    link = Link(Missing())
    with pytest.raises(DeviceError):
        asyncio.run(link.ready())
    assert link.health.well is None, "whoever asked says so, with `lost`"
