"""A device's health as its link remembers it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from typing_extensions import override

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
    @override
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


def test_what_could_not_be_reached_is_well_when_it_is_open_again() -> None:
    link = Link(FakeCamera(), wall=Wall())
    link.lost("unplugged")
    asyncio.run(link.ready())
    assert link.health == Health(well=True, since=after(1))


def test_what_failed_at_work_is_well_when_it_has_worked_again() -> None:
    link = Link(FakeCamera(), wall=Wall())
    link.lost("no picture", at_work=True)
    link.lost("unplugged")
    asyncio.run(link.ready())
    assert link.health == Health(well=False, since=after(0), error="unplugged")
    link.worked()
    assert link.health == Health(well=True, since=after(1))


def test_what_cannot_be_opened_is_not_well() -> None:
    link = Link(Missing())
    with pytest.raises(DeviceError):
        asyncio.run(link.ready())
    assert link.health.well is None, "whoever asked says so, with `lost`"
