"""Old rows go and are counted when they do: whatever the order of parts, acknowledgements and crashes, the account balances."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from typing_extensions import override

from edge.ledger import FILE, Begun, Ended, Ledger, Outcome, audit
from edge.pruning import AT_ONCE, Limits
from tests.edge.test_ledger import NOON, rows
from vision.errors import StorageError

FEW: Final = Limits(keep_rows=5, max_rows=20)


def opened(folder: Path, limits: Limits | None = FEW) -> Ledger:
    return Ledger(folder, boot="boot", reserve_bytes=4096, limits=limits)


def take(ledger: Ledger, parts: range, *, acknowledged: int = 0) -> None:
    """Parts one after the other, as a station has them."""
    for part in parts:
        ledger.commit([Begun(part=part, at=NOON)], acknowledged=acknowledged)
        ledger.commit([accepted(part)], acknowledged=acknowledged)


def accepted(part: int) -> Ended:
    return Ended(part=part, outcome=Outcome.ACCEPT, reason="confident")


def numbers(folder: Path) -> list[object]:
    return [part for (part,) in rows(folder, "part")]


def test_acknowledged_rows_go_when_they_are_old(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger:
        take(ledger, range(1, 11))
        assert len(numbers(tmp_path)) == 10, "none is acknowledged"
        take(ledger, range(11, 13), acknowledged=9)
    assert numbers(tmp_path) == [8, 9, 10, 11, 12], "the newest five"
    found = audit(tmp_path)
    assert (found.triggers, found.outcomes[Outcome.ACCEPT], found.pruned, found.discarded) == (12, 12, 7, 0)
    assert found.balanced


def test_beyond_the_hard_limit_the_oldest_go_in_any_case_and_are_counted(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger:
        take(ledger, range(1, 31), acknowledged=3)
        assert ledger.discarded == 7
    found = audit(tmp_path)
    assert (found.triggers, found.pruned, found.discarded, found.balanced) == (30, 10, 7, True)
    assert numbers(tmp_path) == list(range(11, 31))


def test_a_row_without_an_outcome_stays_and_so_does_what_follows_it(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger:
        ledger.commit([Begun(part=1, at=NOON), Begun(part=2, at=NOON), accepted(1)])
        take(ledger, range(3, 41), acknowledged=40)
        assert numbers(tmp_path)[0] == 2
        ledger.commit([accepted(2)], acknowledged=40)
        assert numbers(tmp_path)[0] == 36
    assert audit(tmp_path).balanced


def test_what_has_grown_long_goes_in_steps(tmp_path: Path) -> None:
    many = 3 * AT_ONCE
    with closing(opened(tmp_path, limits=None)) as ledger:
        for part in range(1, many + 1):
            ledger.commit([Begun(part=part, at=NOON), accepted(part)])
    with closing(opened(tmp_path)) as ledger:
        for step in (1, 2):
            ledger.commit([], acknowledged=many)
            assert len(numbers(tmp_path)) == many - step * AT_ONCE
        ledger.commit([], acknowledged=many)
        assert len(numbers(tmp_path)) == FEW.keep_rows
    assert audit(tmp_path).outcomes[Outcome.ACCEPT] == many


def test_numbers_and_counters_go_on_after_a_restart(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger:
        take(ledger, range(1, 40), acknowledged=38)
        ledger.commit([Begun(part=40, at=NOON, counter=77)], acknowledged=38)
    with closing(opened(tmp_path)) as ledger:
        assert (ledger.found.last_part, ledger.found.last_counter, ledger.found.cut_short) == (40, 77, 1)


def test_what_could_not_be_committed_deleted_nothing_and_is_deleted_later(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger:
        take(ledger, range(1, 12))
        with pytest.raises(StorageError, match="part 99 is not open"):
            ledger.commit([accepted(99)], acknowledged=11)
        assert len(numbers(tmp_path)) == 11
        ledger.commit([], acknowledged=11)
        assert numbers(tmp_path) == [7, 8, 9, 10, 11]
    assert audit(tmp_path).balanced


def test_a_ledger_of_an_older_loupe_is_read_counted_and_taken_over(tmp_path: Path) -> None:
    with closing(opened(tmp_path, limits=None)) as ledger:
        take(ledger, range(1, 8))
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.executescript("DROP TABLE pruned; PRAGMA user_version = 1;")
    assert audit(tmp_path).balanced

    with closing(opened(tmp_path)) as ledger:
        take(ledger, range(8, 9), acknowledged=8)

    assert numbers(tmp_path) == [4, 5, 6, 7, 8]
    assert (audit(tmp_path).triggers, audit(tmp_path).pruned) == (8, 3)


class History(RuleBasedStateMachine):
    """A station, a server that acknowledges, and a power switch."""

    def __init__(self) -> None:
        super().__init__()
        self._made = TemporaryDirectory(prefix="ledger-")
        self.folder = Path(self._made.name)
        self.ended: Counter[Outcome] = Counter()
        self.still_open: list[int] = []
        self.last = self.acknowledged = 0

    @initialize(keep=st.integers(1, 4), more=st.integers(0, 4))
    def begin(self, keep: int, more: int) -> None:
        self.limits = Limits(keep_rows=keep, max_rows=keep + more)
        self.ledger = opened(self.folder, self.limits)

    @rule(parts=st.integers(1, 4))
    def trigger(self, parts: int) -> None:
        new = list(range(self.last + 1, self.last + parts + 1))
        self.ledger.commit([Begun(part=one, at=NOON) for one in new], acknowledged=self.acknowledged)
        self.last += parts
        self.still_open += new

    @rule(data=st.data())
    def end(self, data: Any) -> None:
        if self.still_open:
            part = data.draw(st.sampled_from(self.still_open))
            outcome = data.draw(st.sampled_from(Outcome))
            self.still_open.remove(part)
            self.ledger.commit(
                [Ended(part=part, outcome=outcome, reason="x")], acknowledged=self.acknowledged
            )
            self.ended[outcome] += 1

    @rule(share=st.floats(0, 1))
    def acknowledge(self, share: float) -> None:
        up_to = min(self.still_open, default=self.last + 1) - 1
        self.acknowledged = max(self.acknowledged, round(share * up_to))

    @rule(forgets=st.booleans())
    def crash(self, forgets: bool) -> None:
        self.ledger.close()
        self.ledger = opened(self.folder, self.limits)
        self.ended[Outcome.FAULT] += len(self.still_open)
        self.still_open.clear()
        self.acknowledged = 0 if forgets else self.acknowledged

    @invariant()
    def balances(self) -> None:
        found = audit(self.folder)
        assert (found.triggers, found.open, found.missing) == (self.last, len(self.still_open), 0)
        assert Counter({one: count for one, count in found.outcomes.items() if count}) == self.ended
        left = numbers(self.folder)
        assert left == list(range(found.pruned + 1, self.last + 1)), "rows without a gap"
        assert len(left) >= min(self.last, self.limits.keep_rows)
        assert found.discarded == self.ledger.discarded

    @override
    def teardown(self) -> None:
        self._made.cleanup()


def test_any_history_balances() -> None:
    run_state_machine_as_test(
        History, settings=settings(max_examples=30, stateful_step_count=30, deadline=None)
    )


@settings(max_examples=30, deadline=None)
@given(acknowledged=st.integers(0, 60), parts=st.integers(1, 60))
def test_no_more_rows_than_the_limits_say_and_no_fewer(
    acknowledged: int, parts: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, acknowledged = tmp_path_factory.mktemp("ledger"), min(acknowledged, parts)
    with closing(opened(folder)) as ledger:
        take(ledger, range(1, parts + 1), acknowledged=acknowledged)
        ledger.commit([], acknowledged=acknowledged)
    unreported = parts - acknowledged
    assert len(numbers(folder)) == min(parts, max(FEW.keep_rows, min(unreported, FEW.max_rows)))
    assert audit(folder).discarded == max(0, unreported - FEW.max_rows)
