"""Which bundle runs, whatever is installed, confirmed, rolled back and restarted in whatever order."""

from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pydantic import ValidationError

from edge.slots.state import Held, OnTrialError, Slot, SlotState
from vision.errors import NotFoundError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACTORY = "f" * 64


def held(slot: Slot, number: int) -> Held:
    return Held(slot=slot, version=f"1.{number}", digest=f"{number:064x}", since=NOW)


class Box(RuleBasedStateMachine):
    """Against the plainest model there is: a stack of what ran, and what lies in the two slots."""

    def __init__(self) -> None:
        super().__init__()
        self.state = SlotState(factory=FACTORY)
        self.runs: int | None = None  # none: the configured bundle
        self.before: int | None = None
        self.trial = False
        self.lies: dict[str, int] = {}
        self.count = 0

    @rule()
    def install(self) -> None:
        new = held(self.state.free, self.count + 1)
        if self.trial:
            with pytest.raises(OnTrialError):
                self.state.installed(new, factory=FACTORY)
            return
        self.count += 1
        self.lies[new.slot] = self.count
        self.state = self.state.forgotten(new.slot).installed(new, factory=FACTORY)
        self.before, self.runs, self.trial = self.runs, self.count, True

    @rule()
    def an_install_is_cut_short(self) -> None:
        if self.trial:
            return
        slot = self.state.free
        self.state = self.state.forgotten(slot)
        self.lies[slot] = -1
        if self.before is not None and self.runs is not None:
            self.before = None

    @precondition(lambda self: self.trial)
    @rule()
    def confirm(self) -> None:
        self.state, self.trial = self.state.confirmed(), False

    @rule()
    def roll_back(self) -> None:
        if self.runs is None:
            with pytest.raises(NotFoundError):
                self.state.rolled_back("by hand", NOW)
            return
        self.state = self.state.rolled_back("by hand", NOW)
        assert self.state.last_rollback is not None
        assert self.state.last_rollback.version == f"1.{self.runs}"
        self.runs, self.before, self.trial = self.before, None, False

    @rule(times=st.integers(1, 4))
    def restart(self, times: int) -> None:
        first = self.state.starts
        for _ in range(times):
            self.state = self.state.started()
        assert self.state.starts == (None if first is None else first + times)

    @rule()
    def end_in_good_order(self) -> None:
        self.state = self.state.ended()
        assert self.state.starts in {None, 0}

    @invariant()
    def what_runs_is_what_should(self) -> None:
        active = self.state.active
        assert (active and active.version) == (self.runs and f"1.{self.runs}")
        assert self.state.on_trial == self.trial

    @invariant()
    def what_is_referred_to_lies_where_it_says(self) -> None:
        for one in (self.state.active, self.state.previous):
            if one is not None:
                assert one.version == f"1.{self.lies[one.slot]}"

    @invariant()
    def the_free_slot_is_never_the_one_that_runs(self) -> None:
        assert self.state.active is None or self.state.free != self.state.active.slot

    @invariant()
    def it_is_read_as_it_was_written(self) -> None:
        assert SlotState.model_validate_json(self.state.model_dump_json()) == self.state


Box.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestBox = Box.TestCase


def test_a_bundle_that_is_configured_anew_takes_the_place_of_a_slot() -> None:
    state = SlotState().installed(held("a", 1), factory=FACTORY).confirmed()
    assert state.beside(FACTORY, NOW) is state
    anew = state.beside("e" * 64, NOW)
    assert anew.active is None
    assert anew.last_rollback is not None
    assert "line.toml names another bundle" in anew.last_rollback.reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"schema_version": 2}',
        '{"colour": "red"}',
        '{"starts": 1}',  # of nothing
        '{"starts": -1}',
        f'{{"active": {held("a", 1).model_dump_json()}, "previous": {held("a", 2).model_dump_json()}}}',
        f'{{"active": {held("a", 1).model_dump_json().replace("00Z", "00")}}}',  # no time zone
    ],
)
def test_what_does_not_hang_together_is_no_state(text: str) -> None:
    with pytest.raises(ValidationError):
        SlotState.model_validate_json(text)
