"""Parts that are due by the belt's encoder, in simulated time: the gate moves when the part is there, however the belt runs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ledger import Outcome
from edge.ports import Pulse
from tests.edge.world import RULES, FakeActuator, FakeCamera, FakeEncoder, World
from vision.inspection.policy import Decision

COUNTS: Final = 250
LIMIT_S: Final = 10.0


def on_a_belt(
    encoder: FakeEncoder,
    *,
    seen_at: Sequence[float] = (0.1,),
    camera: FakeCamera | None = None,
    actuator: FakeActuator | None = None,
) -> World:
    pulses = [Pulse(at_s=at) for at in seen_at]
    return World(
        pulses,
        camera=camera or FakeCamera(),
        actuator=actuator or FakeActuator(),
        rules=replace(RULES, due_s=LIMIT_S, due_counts=COUNTS),
        encoder=encoder,
    ).run()


@pytest.mark.parametrize(
    ("speeds", "there"),
    [
        ([(0.0, 1000.0)], 0.35),
        ([(0.0, 2000.0)], 0.225),
        ([(0.0, 1000.0), (0.2, 500.0)], 0.5),  # slows down on the way
        ([(0.0, 1000.0), (0.2, 0.0), (3.2, 1000.0)], 3.35),  # stands for three seconds
        ([(0.0, 1000.0), (0.2, 0.0), (3.2, 30.0)], 8.2),  # hardly moves
        ([(0.0, 1000.0), (0.2, -200.0), (0.3, 1000.0)], 0.47),  # jogs back
    ],
)
def test_the_gate_moves_when_the_belt_has_brought_the_part(
    speeds: list[tuple[float, float]], there: float
) -> None:
    world = on_a_belt(FakeEncoder(speeds))
    assert world.outcomes == [(Outcome.ACCEPT, "confident")]
    ((moved, decision),) = world.actuator.driven
    assert decision is Decision.ACCEPT
    assert moved == pytest.approx(there, abs=0.006), "within a reading"


@pytest.mark.parametrize("begins_at", [65535, 65400, 65290])
def test_an_encoder_that_begins_anew_on_the_way_counts_on(begins_at: int) -> None:
    world = on_a_belt(FakeEncoder(begins_at=begins_at), seen_at=(0.1, 0.2, 0.3))
    assert [moved for moved, _ in world.actuator.driven] == pytest.approx([0.35, 0.45, 0.55], abs=0.002)
    assert world.alarms == []


def test_a_belt_that_stands_beyond_the_limit_has_its_parts_given_up() -> None:
    world = on_a_belt(FakeEncoder([(0.0, 1000.0), (0.2, 0.0)]))
    assert world.outcomes == [(Outcome.TIMEOUT, "late")]
    assert (
        world.book.ended[1].detail
        == "not at the gate 10.0 s after its trigger: the belt moved 100 of 250 counts"
    )
    assert world.actuator.driven == [(10.1, Decision.REJECT)]
    assert world.alarms == [f"part 1: {world.book.ended[1].detail}"]


def test_a_part_that_arrives_before_it_is_judged_gets_the_fail_safe_output_in_time() -> None:
    world = on_a_belt(FakeEncoder([(0.0, 1000.0)]), camera=FakeCamera({0: 0.4}))
    assert world.outcomes == [(Outcome.TIMEOUT, "begun")]
    ((moved, decision),) = world.actuator.driven
    assert decision is Decision.REJECT
    assert moved == pytest.approx(0.35, abs=0.002)


def test_an_encoder_that_is_gone_for_a_moment_costs_no_part_that_is_still_on_its_way() -> None:
    world = on_a_belt(FakeEncoder([(0.0, 500.0)], gone=[(0.2, 0.25)]))
    assert world.outcomes == [(Outcome.ACCEPT, "confident")]
    assert world.actuator.driven[0][0] == pytest.approx(0.6, abs=0.002)
    assert world.alarms == ["encoder: PLC 1: no answer"]


@pytest.mark.parametrize(
    ("gone", "seen_at"),
    [
        ((0.2, 1.0), 0.1),  # it passed the gate meanwhile
        ((0.05, 0.6), 0.1),  # it passed the sensor meanwhile
        ((0.0, 20.0), 0.1),  # there is no encoder
    ],
)
def test_a_part_whose_place_nobody_knows_is_late(gone: tuple[float, float], seen_at: float) -> None:
    world = on_a_belt(FakeEncoder(gone=[gone]), seen_at=(seen_at,))
    assert world.outcomes == [(Outcome.TIMEOUT, "late")]
    assert [decision for _, decision in world.actuator.driven] == [Decision.REJECT]


def test_an_encoder_that_was_set_anew_gives_up_the_parts_on_their_way_and_no_later_ones() -> None:
    world = on_a_belt(FakeEncoder(leaps=[(0.3, 20_000)]), seen_at=(0.1, 0.2, 0.4))
    assert world.outcomes == [
        (Outcome.TIMEOUT, "late"),
        (Outcome.TIMEOUT, "late"),
        (Outcome.ACCEPT, "confident"),
    ]
    assert "the encoder leapt by 200" in world.alarms[0]
    assert world.actuator.driven[-1][0] == pytest.approx(0.65, abs=0.002)


def test_at_the_end_the_encoder_is_let_go() -> None:
    encoder = FakeEncoder()
    on_a_belt(encoder)
    assert encoder.closed


SPEEDS: Final = st.sampled_from([0.0, 20.0, 300.0, 1000.0, 3000.0, -50.0])


@settings(max_examples=60, deadline=None)
@given(
    speeds=st.lists(st.tuples(st.floats(0.05, 1.5), SPEEDS), max_size=5),
    seen=st.lists(st.floats(0.05, 3), min_size=1, max_size=8),
)
def test_however_the_belt_runs_a_verdict_moves_the_gate_where_its_part_is(
    speeds: list[tuple[float, float]], seen: list[float]
) -> None:
    changes, at = [(0.0, 500.0)], 0.0
    for seconds, speed in speeds:
        at += seconds
        changes.append((at, speed))
    encoder, moments = FakeEncoder(changes), sorted(seen)
    world = on_a_belt(encoder, seen_at=moments)

    assert world.book.ended.keys() == world.book.begun.keys()
    by_part = {part: moments[part - 1] for part in world.book.begun}
    arrivals = {
        part: by_part[part] + ended.timings["driven"] / 1e3 for part, ended in world.book.ended.items()
    }
    for part, ended in world.book.ended.items():
        if ended.outcome is Outcome.ACCEPT:
            moved = encoder.at(arrivals[part]) - encoder.at(by_part[part])
            assert moved == pytest.approx(COUNTS, abs=3000 * 0.012), "within late_s, at the greatest speed"
