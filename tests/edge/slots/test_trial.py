"""When a new model is sent away, when it is confirmed, and which parts say something about it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ledger import Ended, Outcome
from edge.parts import Finished, Judged
from edge.ports import Shot
from edge.slots.trial import Pair, Record, Tally, Terms, passed, regression
from vision.inspection.policy import Decision, Reason, Verdict

TERMS = Terms(parts=100, minutes=60, more_faults=0.02, latency_ratio=1.5)


def record(*taken: float | None) -> Record:
    return Record(taken, len(taken))


def pair(new: Record, *, old: Record | None = None, usual_ms: float = 10.0) -> Pair:
    return Pair(old=old or record(*[10.0] * 50), new=new, usual_ms=usual_ms)


@pytest.mark.parametrize(
    ("new", "goes"),
    [
        (record(), False),
        (record(*[10.0] * 100), False),
        (record(*[14.9] * 100), False),
        (record(*[16.0] * 19), False),  # too few to believe
        (record(*[16.0] * 20), True),
        (record(*[10.0] * 51, *[500.0] * 49), False),  # the median is as it was
        (record(None, None), False),
        (record(None, None, None), True),  # more than 2 of 100, whatever comes
        (record(*[10.0] * 90, None, None), False),
    ],
)
def test_a_new_model_goes_when_it_is_slower_or_fails_more(new: Record, goes: bool) -> None:
    assert (regression([pair(new)], TERMS) is not None) is goes


def test_what_failed_before_as_well_is_not_held_against_the_new_one() -> None:
    shaky = record(*[10.0] * 90, *[None] * 10)
    assert regression([pair(record(*[None] * 10, *[10.0] * 20), old=shaky)], TERMS) is None
    assert regression([pair(record(*[None] * 13), old=shaky)], TERMS) is not None


def test_in_a_long_trial_a_model_that_fails_most_parts_goes_early() -> None:
    long = Terms(parts=10_000, minutes=60, more_faults=0.02, latency_ratio=1.5)
    assert regression([pair(record(10.0, *[None] * 4))], long) is None
    assert "faults: 5 of 6" in str(regression([pair(record(10.0, *[None] * 5))], long))


def test_each_seat_is_compared_with_its_own_past() -> None:
    quick, slow = pair(record(*[2.0] * 30), usual_ms=2.0), pair(record(*[40.0] * 30), usual_ms=40.0)
    assert regression([quick, slow], TERMS) is None
    assert "latency" in str(regression([quick, pair(record(*[80.0] * 40), usual_ms=40.0)], TERMS))


def test_below_a_millisecond_nothing_is_compared() -> None:
    assert regression([pair(record(*[0.9] * 100), usual_ms=0.1)], TERMS) is None


@pytest.mark.parametrize(
    ("seen", "minutes", "ends"),
    [(99, 59, False), (100, 0, True), (20, 60, True), (19, 1000, False), (0, 1000, False)],
)
def test_a_trial_ends_with_its_parts_or_its_minutes_but_not_unseen(
    seen: int, minutes: float, ends: bool
) -> None:
    assert passed([pair(record(*[10.0] * seen))], TERMS, minutes) is ends


@given(
    new=st.lists(st.none() | st.floats(0.01, 1e4), max_size=150),
    old=st.lists(st.none() | st.floats(0.01, 1e4), max_size=150),
)
def test_a_model_that_does_as_the_old_one_did_is_never_sent_away_for_faults(
    new: list[float | None], old: list[float | None]
) -> None:
    said = regression([pair(record(*new), old=record(*(new or old)), usual_ms=1e9)], TERMS)
    assert said is None or "latency" not in said
    if new and len(new) >= TERMS.parts:
        assert said is None


def finished(outcome: Outcome, reason: str, *, shots: bool = True, model_ms: float | None = 3.0) -> Finished:
    verdict = Verdict(decision=Decision.ACCEPT, reason=Reason.CONFIDENT, detail="")
    return Finished(
        ended=Ended(part=1, outcome=outcome, reason=reason),
        shots=(Shot(image=b""),) if shots else (),
        judged=None if model_ms is None else Judged(verdict=verdict, bundle="", timings={"model": model_ms}),
    )


@pytest.mark.parametrize(
    ("part", "taken"),
    [
        (finished(Outcome.ACCEPT, "confident"), (3.0,)),
        (finished(Outcome.REVIEW, "novel"), (3.0,)),
        (finished(Outcome.TIMEOUT, "captured", model_ms=None), (None,)),
        (finished(Outcome.TIMEOUT, "late"), (None,)),
        (finished(Outcome.FAULT, "internal", model_ms=None), (None,)),
        (finished(Outcome.FAULT, "camera", shots=False, model_ms=None), ()),
        (finished(Outcome.FAULT, "unseen", shots=False, model_ms=None), ()),
        (finished(Outcome.FAULT, "output"), ()),
        (finished(Outcome.FAULT, "ledger"), ()),
    ],
)
def test_only_parts_that_had_their_pictures_count(part: Finished, taken: tuple[float | None, ...]) -> None:
    tally = Tally()
    assert tally.add(part) is bool(taken)
    assert tally.record().taken == taken


def test_a_tally_forgets_the_oldest_but_not_how_many_there_were() -> None:
    tally = Tally(window=3)
    for number in range(5):
        tally.add(finished(Outcome.ACCEPT, "confident", model_ms=float(number)))
    assert tally.record() == Record((2.0, 3.0, 4.0), 5)
