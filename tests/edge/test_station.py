"""The station in simulated time: whatever devices, model and ledger do, each part gets its output in time and one outcome."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ledger import Outcome
from edge.parts import Judged, Step
from edge.ports import Pulse, Shot
from tests.edge.world import RULES, FakeActuator, FakeBook, FakeCamera, FakeRecipe, World, judged, lost
from vision.errors import DeviceError, ImageError, StorageError
from vision.inspection.policy import Decision


def every(period_s: float, count: int) -> list[Pulse]:
    return [Pulse(at_s=number * period_s) for number in range(count)]


def by_turn(decisions: Sequence[Decision]) -> "dict[int, Judged]":
    return {turn: judged(one) for turn, one in enumerate(decisions)}


# --- good days


def test_each_part_is_judged_and_its_gate_moves_when_it_is_there() -> None:
    answers = by_turn([Decision.ACCEPT, Decision.REJECT, Decision.REVIEW])
    world = World(every(0.1, 3), judge=lambda shots: answers[shots[0].image[0]]).run()  # type: ignore[index]

    assert [outcome for outcome, _ in world.outcomes] == [Outcome.ACCEPT, Outcome.REJECT, Outcome.REVIEW]
    assert world.actuator.driven == [
        (0.25, Decision.ACCEPT),
        (0.35, Decision.REJECT),
        (0.45, Decision.REVIEW),
    ]
    assert world.book.ended[2].frame_id == 2
    assert world.book.ended[2].timings["driven"] == pytest.approx(250)
    assert world.alarms == []


def test_a_part_goes_through_every_step_in_order() -> None:
    world = World(every(0.1, 1)).run()
    assert [step for _, step in world.steps] == list(Step)


def test_at_the_end_the_outputs_are_at_rest_and_the_ledger_is_closed() -> None:
    world = World(every(0.1, 1)).run()
    assert world.actuator.rested
    assert world.book.closed
    assert world.actuator.beats


# --- the camera


def test_a_part_without_a_picture_gets_the_fail_safe_output_in_time() -> None:
    world = World(every(0.1, 3), camera=FakeCamera({1: lost()})).run()

    assert world.outcomes[1] == (Outcome.FAULT, "camera")
    assert world.actuator.driven[1] == (0.35, Decision.REJECT)
    assert world.outcomes[2][0] is Outcome.ACCEPT
    assert world.camera.opened == 2, "it was opened again for the next part"
    assert world.alarms == ["camera: camera 1: unplugged"]


def test_a_picture_that_comes_too_late_is_no_verdict() -> None:
    world = World(every(1.0, 2), camera=FakeCamera({0: 0.3})).run()

    assert world.outcomes == [(Outcome.TIMEOUT, "begun"), (Outcome.ACCEPT, "confident")]
    assert world.actuator.driven[0] == (0.25, Decision.REJECT)


@pytest.mark.parametrize(
    ("again", "why"),
    [
        (Shot(image=b"", frame_id=1), "expected a frame id above 1, found 1: the same frame again"),
        (Shot(image=b"", frame_id=0), "expected a frame id above 1, found 0: an older frame"),
        (Shot(image=b"", device_ns=400), "expected a device time above 500, found 400: an older frame"),
    ],
)
def test_a_frame_that_is_not_the_parts_own_is_a_fault_and_no_verdict(again: Shot, why: str) -> None:
    first = Shot(image=b"", frame_id=1, device_ns=500)
    world = World(every(0.1, 2), camera=FakeCamera({0: first, 1: again})).run()

    assert world.outcomes == [(Outcome.ACCEPT, "confident"), (Outcome.FAULT, "camera")]
    assert why in world.book.ended[2].detail


def test_after_a_stale_frame_the_next_good_one_is_judged() -> None:
    shots: dict[int, Shot | Exception | float] = {
        0: Shot(image=b"", frame_id=5),
        1: Shot(image=b"", frame_id=4),
    }
    world = World(every(0.1, 3), camera=FakeCamera({**shots, 2: Shot(image=b"", frame_id=6)})).run()
    assert [outcome for outcome, _ in world.outcomes] == [Outcome.ACCEPT, Outcome.FAULT, Outcome.ACCEPT]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(ImageError("frame: truncated"), "picture"), (ZeroDivisionError("1/0"), "internal")],
)
def test_whatever_the_model_does_the_part_has_an_outcome(trouble: Exception, reason: str) -> None:
    def fail(_: tuple[Shot, ...]) -> Judged:
        raise trouble

    world = World(every(0.1, 1), judge=fail).run()

    assert world.outcomes == [(Outcome.FAULT, reason)]
    assert world.actuator.driven == [(0.25, Decision.REJECT)]


# --- several cameras


def test_every_camera_sees_the_part_and_the_model_all_their_pictures() -> None:
    seen = list[tuple[Shot, ...]]()

    def keep(shots: tuple[Shot, ...]) -> Judged:
        seen.append(shots)
        return judged()

    second = FakeCamera({0: Shot(image=b"other", frame_id=70)})
    World(every(0.1, 1), others=[second], judge=keep).run()

    assert [shot.image for shot in seen[0]] == [bytes([0]), b"other"]


def test_cameras_are_asked_at_the_same_time() -> None:
    slow = [FakeCamera({0: 0.1}) for _ in range(4)]
    world = World(every(0.1, 1), others=slow).run()
    assert world.outcomes == [(Outcome.ACCEPT, "confident")]
    assert world.book.ended[1].timings["captured"] == pytest.approx(100)


def test_a_part_that_one_camera_missed_is_a_fault_and_the_others_go_on() -> None:
    second = FakeCamera({1: lost()})
    world = World(every(0.1, 3), others=[second]).run()

    assert world.outcomes == [
        (Outcome.ACCEPT, "confident"),
        (Outcome.FAULT, "camera"),
        (Outcome.ACCEPT, "confident"),
    ]
    assert world.alarms == ["camera 2: camera 1: unplugged"]
    assert (world.camera.opened, second.opened) == (1, 2)


# --- changing over


def test_each_part_is_judged_by_the_recipe_that_ran_when_it_passed_the_trigger() -> None:
    world = World(every(0.1, 4), recipe=FakeRecipe([1, 1, 2, 1])).run()
    assert [world.book.ended[part].bundle for part in range(1, 5)] == [
        f"recipe {code}" for code in (1, 1, 2, 1)
    ]


@pytest.mark.parametrize(
    ("trouble", "why"),
    [(404, "expected one of 1, 2, found 404"), (DeviceError("PLC: no answer"), "PLC: no answer")],
)
def test_a_part_of_an_unknown_product_gets_the_fail_safe_output(trouble: int | Exception, why: str) -> None:
    world = World(every(0.1, 3), recipe=FakeRecipe([1, trouble, 2])).run()

    assert world.outcomes == [
        (Outcome.ACCEPT, "confident"),
        (Outcome.FAULT, "recipe"),
        (Outcome.ACCEPT, "confident"),
    ]
    assert why in world.book.ended[2].detail
    assert [decision for _, decision in world.actuator.driven][1] == RULES.fail_safe
    assert len(world.alarms) == 1


def test_a_recipe_that_is_said_too_late_is_a_timeout() -> None:
    world = World(every(1.0, 2), recipe=FakeRecipe([0.5, 1])).run()
    assert [outcome for outcome, _ in world.outcomes] == [Outcome.TIMEOUT, Outcome.ACCEPT]


# --- what is told of a part


def test_what_became_of_a_part_is_told_with_its_pictures_and_its_verdict() -> None:
    world = World(every(0.1, 3), camera=FakeCamera({1: lost()})).run()

    assert [one.ended for one in world.finished] == [world.book.ended[part] for part in (1, 2, 3)]
    first, second, _ = world.finished
    assert [shot.image for shot in first.shots] == [bytes([0])]
    assert first.judged == judged()
    assert (second.shots, second.judged) == ((), None)


# --- the gate


def test_an_output_that_the_plc_refuses_is_a_fault_and_an_alarm() -> None:
    refusing = FakeActuator({0: DeviceError("PLC: write coil 3: refused")})
    world = World(every(0.1, 2), actuator=refusing).run()

    assert world.outcomes == [(Outcome.FAULT, "output"), (Outcome.ACCEPT, "confident")]
    assert world.book.ended[1].detail == "PLC: write coil 3: refused; it was to be accept"
    assert "output: PLC: write coil 3: refused" in world.alarms


def test_whatever_the_gates_driver_does_the_part_has_an_outcome() -> None:
    world = World(every(0.1, 2), actuator=FakeActuator({0: ZeroDivisionError("1/0")})).run()
    assert world.outcomes == [(Outcome.FAULT, "output"), (Outcome.ACCEPT, "confident")]


def test_an_output_that_is_not_taken_in_time_is_a_fault() -> None:
    world = World(every(1.0, 1), actuator=FakeActuator({0: 0.5})).run()
    assert world.outcomes == [(Outcome.FAULT, "output")]
    assert "not taken within 0.1 s" in world.book.ended[1].detail


def test_a_gate_that_moved_too_late_is_no_verdict_though_it_took_it() -> None:
    world = World(every(1.0, 2), actuator=FakeActuator({0: 0.08})).run()
    assert world.outcomes == [(Outcome.TIMEOUT, "late"), (Outcome.ACCEPT, "confident")]
    assert world.book.ended[1].detail == "80.0 ms late at the gate; the gate moved for accept"
    assert world.alarms == ["part 1: 80.0 ms late at the gate; the gate moved for accept"]


def test_a_broker_that_is_down_for_an_hour_costs_the_parts_of_that_hour_and_no_other() -> None:
    gone, period_s, due_s = (60.0, 3660.0), 5.0, RULES.due_s
    world = World(every(period_s, 800), actuator=FakeActuator(gone=[gone])).run()

    for part, ended in world.book.ended.items():
        driven_at = (part - 1) * period_s + due_s
        expected = Outcome.FAULT if gone[0] <= driven_at < gone[1] else Outcome.ACCEPT
        assert ended.outcome is expected, driven_at
    lost = [reason for outcome, reason in world.outcomes if outcome is Outcome.FAULT]
    assert lost == ["output"] * 720
    assert len(world.actuator.driven) == 800 - 720, "none of them later"
    assert len(world.actuator.beats) > 2 * (800 * period_s - 3600) - 10, "it beats again"


# --- the ledger


def test_no_verdict_moves_a_gate_before_the_row_is_kept() -> None:
    world = World(every(1.0, 1), book=FakeBook(slow_s=0.3)).run()

    assert world.outcomes == [(Outcome.TIMEOUT, "judged")]
    assert world.actuator.driven == [(0.25, Decision.REJECT)], "the fail-safe output waits for no disk"


@pytest.mark.parametrize("takes", range(4))
def test_a_ledger_that_refuses_stops_the_station_in_its_safe_state(takes: int) -> None:
    world = World(every(0.1, 50), book=FakeBook(takes=takes))

    with pytest.raises(
        StorageError, match="the ledger refused a part; the station stopped in its safe state"
    ):
        world.run()

    assert len(world.book.begun) < 50
    assert world.book.ended.keys() == world.book.begun.keys()
    assert world.actuator.rested
    assert [alarm for alarm in world.alarms if "the station stops" in alarm] == [
        "ledger: the disk is full; the station stops"
    ]
    judged_parts = [decision for _, decision in world.actuator.driven if decision is Decision.ACCEPT]
    assert len(judged_parts) <= takes


# --- triggers


def test_parts_that_were_counted_and_not_seen_get_rows() -> None:
    pulses = [Pulse(at_s=0.0, counter=10), Pulse(at_s=0.5, counter=14)]
    world = World(pulses).run()

    assert list(world.book.begun.values()) == [10, 11, 12, 13, 14]
    assert [reason for _, reason in world.outcomes] == [
        "confident",
        "unseen",
        "unseen",
        "unseen",
        "confident",
    ]
    assert len(world.actuator.driven) == 2, "what has passed the gate moves no output"
    assert world.alarms == ["the counter went from 10 to 14: 3 parts passed unseen"]


def test_parts_that_passed_while_nobody_was_there_get_rows() -> None:
    world = World([Pulse(at_s=0.0, counter=103)], book=FakeBook(last_counter=100)).run()
    assert list(world.book.begun.values()) == [101, 102, 103]


@pytest.mark.parametrize(("last", "now", "unseen"), [(65535, 0, 0), (65534, 1, 2)])
def test_a_counter_that_begins_anew_counts_on(last: int, now: int, unseen: int) -> None:
    rules = replace(RULES, counter_modulo=65536)
    world = World([Pulse(at_s=0.0, counter=now)], book=FakeBook(last_counter=last), rules=rules).run()
    assert len(world.book.begun) == unseen + 1


def test_a_counter_that_begins_with_the_program_is_not_held_against_the_last_runs() -> None:
    rules = replace(RULES, counter_lasts=False)
    pulses = [Pulse(at_s=0.0, counter=7), Pulse(at_s=0.1, counter=8)]
    world = World(pulses, book=FakeBook(last_counter=4), rules=rules).run()
    assert list(world.book.begun.values()) == [7, 8]
    assert world.alarms == []


def test_a_counter_that_was_set_back_is_an_alarm_and_no_gap() -> None:
    rules = replace(RULES, counter_modulo=65536)
    world = World([Pulse(at_s=0.0, counter=1)], book=FakeBook(last_counter=5000), rules=rules).run()
    assert len(world.book.begun) == 1
    assert world.alarms == ["the counter went from 5000 to 1; it is taken for one that was set anew"]


def test_a_part_that_was_seen_too_late_for_a_picture_still_gets_the_fail_safe_output() -> None:
    pulses = [Pulse(at_s=0.0, counter=1, missed=True), Pulse(at_s=0.0, counter=2)]
    world = World(pulses).run()
    assert [reason for _, reason in world.outcomes] == ["missed", "confident"]
    assert [decision for _, decision in world.actuator.driven] == [Decision.REJECT, Decision.ACCEPT]


def test_a_lost_trigger_is_opened_again_and_what_it_counted_meanwhile_has_rows() -> None:
    pulses: list[Pulse | Exception] = [
        Pulse(at_s=0.0, counter=1),
        lost("no answer"),
        Pulse(at_s=2.0, counter=4),
    ]
    world = World(pulses).run()
    assert list(world.book.begun.values()) == [1, 2, 3, 4]
    assert world.alarms[0] == "trigger: camera 1: no answer"


def test_the_heart_stands_still_while_no_trigger_is_followed() -> None:
    pulses: list[Pulse | Exception] = [Pulse(at_s=10.0), *[lost("no answer")] * 5, Pulse(at_s=30.0)]
    world = World(pulses).run()

    beats = world.actuator.beats
    lost_for = sum((0.1, 0.2, 0.4, 0.8, 1.6))
    assert beats[0] == 0.0
    assert [one for one in beats if 10.0 < one < 10.0 + lost_for] == []
    assert beats == pytest.approx(
        [one / 2 for one in range(20)] + [13.1 + one / 2 for one in range(35)], abs=0.02
    )


def test_a_ledger_that_was_damaged_is_an_alarm_and_the_line_goes_on() -> None:
    world = World(every(0.1, 2), book=FakeBook(set_aside=Path("ledger.db.damaged-1"))).run()
    assert [outcome for outcome, _ in world.outcomes] == [Outcome.ACCEPT] * 2
    assert world.alarms == [
        "the ledger was damaged; it was set aside as ledger.db.damaged-1, and a new one begun"
    ]


def test_more_parts_than_there_is_room_for_are_faults_with_an_output_each() -> None:
    rules = replace(RULES, max_parts=2)
    world = World(every(0.01, 5), rules=rules).run()
    assert [reason for _, reason in world.outcomes] == [
        "confident",
        "confident",
        "overrun",
        "overrun",
        "overrun",
    ]
    assert len(world.actuator.driven) == 5


# --- all of it at once

TROUBLE = st.one_of(st.none(), st.just(DeviceError("lost")), st.floats(0.001, 0.6))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_triggers_are_accounted_for_whatever_happens(data: st.DataObject) -> None:
    moments = sorted(data.draw(st.lists(st.floats(0, 2), min_size=1, max_size=12)))
    counters = [*range(1, len(moments) + 1)]
    steps = data.draw(st.lists(st.integers(0, 3), min_size=len(moments), max_size=len(moments)))
    seen = [counter + sum(steps[: index + 1]) for index, counter in enumerate(counters)]
    pulses: list[Pulse | Exception] = [
        Pulse(at_s=at, counter=counter) for at, counter in zip(moments, seen, strict=True)
    ]
    if data.draw(st.booleans()):
        pulses.insert(data.draw(st.integers(0, len(pulses))), lost())
    troubles = {turn: data.draw(TROUBLE) for turn in range(len(moments))}
    world = World(
        pulses,
        camera=FakeCamera({turn: one for turn, one in troubles.items() if one is not None}),
        actuator=FakeActuator({turn: one for turn in range(3) if (one := data.draw(TROUBLE)) is not None}),
        book=FakeBook(slow_s=data.draw(st.sampled_from([0.0, 0.004, 0.3]))),
    ).run()

    assert world.book.ended.keys() == world.book.begun.keys()
    assert sorted(world.book.begun.values()) == list(range(seen[0], seen[-1] + 1))  # type: ignore[type-var]
    verdicts = {Outcome.ACCEPT, Outcome.REJECT, Outcome.REVIEW}
    moved = sum(decision is Decision.ACCEPT for _, decision in world.actuator.driven)
    too_late = sum("the gate moved for accept" in one.detail for one in world.book.ended.values())
    assert moved == too_late + sum(outcome in verdicts for outcome, _ in world.outcomes)
