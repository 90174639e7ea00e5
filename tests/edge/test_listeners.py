"""Listeners around a station: all are told, none can keep a part from its outcome."""

import asyncio
from dataclasses import dataclass, field

import pytest

from edge.ledger import Ended, Outcome
from edge.listeners import attended, telling
from edge.parts import Finished

PART = Finished(ended=Ended(part=7, outcome=Outcome.ACCEPT, reason="confident"))


@dataclass
class Notes:
    """Says what happens to it; an `error` is raised when it hears."""

    said: list[str]
    name: str
    error: Exception | None = None
    heard: list[Finished] = field(default_factory=list)

    async def start(self) -> None:
        self.said.append(f"{self.name} starts")

    def hear(self, finished: Finished) -> None:
        if self.error is not None:
            raise self.error
        self.heard.append(finished)

    async def stop(self) -> None:
        self.said.append(f"{self.name} stops")


def test_they_start_before_and_stop_after_whatever_happens_between() -> None:
    said: list[str] = []

    async def work() -> None:
        async with attended([Notes(said, "one"), Notes(said, "two")]):
            said.append("work")
            raise ValueError("the line broke")

    with pytest.raises(ValueError, match="the line broke"):
        asyncio.run(work())
    assert said == ["one starts", "two starts", "work", "two stops", "one stops"]


def test_one_that_fails_is_an_alarm_and_the_others_hear() -> None:
    alarms: list[str] = []
    bad, good = Notes([], "bad", error=KeyError("x")), Notes([], "good")

    telling([bad, good], alarm=alarms.append)(PART)

    assert good.heard == [PART]
    assert alarms == ["Notes: KeyError: 'x'"]
