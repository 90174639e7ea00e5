"""Thresholds and their certificates: against slow implementations, another library, and simulated truth."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.certify import (
    GRID,
    Calibration,
    Certification,
    certify,
    cheapest,
    failures_by_threshold,
    fit_temperature,
    passing,
)
from training.statistics import upper_bound
from vision.errors import ManifestError
from vision.inspection.certificate import Assumption
from vision.inspection.policy import Costs, Decision, Policy, Rates

Floats = npt.NDArray[np.float64]
PROBABILITIES = st.floats(min_value=0, max_value=1) | st.sampled_from(GRID[::40].tolist())  # ties as well
ESCAPES = st.sampled_from([0.03, 0.05, 0.1, 0.2, 0.3])
CONFIDENCES = st.sampled_from([0.8, 0.9, 0.95, 0.99])
COST = st.floats(min_value=0, max_value=1000)
COSTS = st.builds(
    Costs, escape=COST, false_reject=COST, review=COST, defect_rate=st.floats(min_value=0.01, max_value=0.99)
)
EAGER = Costs(escape=0, false_reject=1, review=1)  # accepts all that it may


def calibration(
    bad: Sequence[float] | Floats, good: Sequence[float] | Floats = (0.5,), groups: Sequence[str] = ()
) -> Calibration:
    """Defective parts first, then good ones; every part alone unless groups are given."""
    count = len(bad) + len(good)
    return Calibration(
        probability=np.array([*bad, *good]),
        defective=np.arange(count) < len(bad),
        groups=tuple(groups) or tuple(f"part {index}" for index in range(count)),
    )


CALIBRATIONS = st.builds(
    calibration,
    st.lists(PROBABILITIES, min_size=1, max_size=8),
    st.lists(PROBABILITIES, min_size=1, max_size=8),
)


def certified(
    bad: Sequence[float] | Floats,
    good: Sequence[float] | Floats = (0.5,),
    groups: Sequence[str] = (),
    *,
    costs: Costs = EAGER,
    max_escape: float = 0.05,
    confidence: float = 0.95,
    independent: bool = False,
) -> Certification:
    return certify(
        calibration(bad, good, groups),
        costs,
        max_escape=max_escape,
        confidence=confidence,
        assume_independent_parts=independent,
    )


def log_odds(values: Floats) -> Floats:
    """Probabilities from log-odds."""
    return np.asarray(1 / (1 + np.exp(-values)))


# --- temperature


@pytest.mark.parametrize("planted", [0.5, 1.0, 1.7, 4.0])
@pytest.mark.parametrize("labels", [2, 5])
def test_a_planted_temperature_is_found_again(planted: float, labels: int) -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (20_000, labels))
    shares = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    classes = (rng.random((len(shares), 1)) > shares.cumsum(1)).sum(1)
    assert fit_temperature((planted * honest).astype(np.float32), classes) == pytest.approx(planted, rel=0.03)


def test_an_overconfident_model_is_cooled_down_by_a_temperature_above_one() -> None:
    logits = np.tile([6.0, -6.0], (100, 1))
    classes = (np.arange(100) < 20).astype(np.int64)  # sure each time, wrong in a fifth
    temperature = fit_temperature(logits, classes)
    assert 1 / (1 + math.exp(-12 / temperature)) == pytest.approx(0.8, abs=2e-3)


def test_pictures_told_apart_without_a_mistake_do_not_make_the_model_certain_of_everything() -> None:
    logits = np.tile([3.0, -3.0], (60, 1)) * np.where(np.arange(60) < 30, 1, -1)[:, None]
    temperature = fit_temperature(logits, (np.arange(60) >= 30).astype(np.int64))
    sure = 1 / (1 + math.exp(-6 / temperature))
    assert sure == pytest.approx(31 / 32, abs=1e-3)  # Platt's target for 30 pictures a class


# --- fixed-sequence testing


def literally_tested(scores: Sequence[float], max_escape: float, confidence: float) -> int:
    """One exact binomial test after the other, from the strictest threshold, to the first that fails."""
    n = len(scores)
    terms = [math.comb(n, k) * max_escape**k * (1 - max_escape) ** (n - k) for k in range(n + 1)]
    for index, threshold in enumerate(GRID.tolist()):
        accepted = sum(score <= threshold for score in scores)
        if math.fsum(terms[: accepted + 1]) > 1 - confidence:
            return index
    return len(GRID)


@settings(deadline=None)
@given(
    scores=st.lists(PROBABILITIES | st.floats(min_value=0, max_value=0.01), min_size=1, max_size=80)
    | st.lists(st.floats(min_value=0.5, max_value=1), min_size=60, max_size=120),
    max_escape=ESCAPES,
    confidence=CONFIDENCES,
)
def test_the_thresholds_that_pass_are_those_of_a_literal_implementation(
    scores: list[float], max_escape: float, confidence: float
) -> None:
    failures, units = failures_by_threshold(calibration(scores), "parts exchangeable")
    passed = passing(failures, units, max_escape=max_escape, confidence=confidence)
    assert passed == literally_tested(scores, max_escape, confidence)


def test_testing_stops_at_the_first_failure_whatever_comes_after() -> None:
    failures = np.array([0, 0, 30, 0, 0])
    assert passing(failures, 100, max_escape=0.05, confidence=0.95) == 2


@pytest.mark.parametrize(("failures", "passed"), [([0, 0, 0], 3), ([60, 60, 60], 0), ([], 0)])
def test_all_thresholds_may_pass_or_none(failures: list[int], passed: int) -> None:
    assert passing(np.array(failures, np.int64), 60, max_escape=0.05, confidence=0.95) == passed


def test_thresholds_are_tested_from_the_strictest_and_reach_both_ends() -> None:
    assert np.all(np.diff(GRID) > 0)
    assert GRID[0] < 1e-5
    assert GRID[-1] > 1 - 1e-5


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("max_escape", "spread"), [(0.05, 1.5), (0.1, 2.5), (0.2, 4.0)])
def test_mapie_lets_the_same_thresholds_pass(seed: int, max_escape: float, spread: float) -> None:
    from mapie.risk_control import BinaryClassificationController

    rng = np.random.default_rng(seed)
    bad = 256  # a power of two, for which its recall is exact and its rounding up of misses harmless
    parts = calibration(log_odds(rng.normal(3, spread, bad)), log_odds(rng.normal(-3, spread, 100)))
    controller = BinaryClassificationController(
        predict_function=lambda scores: np.hstack([1 - scores, scores]),
        risk="recall",
        target_level=1 - max_escape,
        confidence_level=0.95,
        list_predict_params=GRID,
        fwer_method="fixed_sequence",
    )
    controller.calibrate(parts.probability[:, None], parts.defective.astype(int))
    failures, units = failures_by_threshold(parts, "parts exchangeable")
    passed = passing(failures, units, max_escape=max_escape, confidence=0.95)
    assert 0 < passed < len(GRID)
    np.testing.assert_array_equal(GRID[:passed], controller.valid_predict_params)


# --- does it hold what it promises?


def pool(groups: int = 60, size: int = 20) -> Calibration:
    """Modules whose cells resemble each other: the pool that is the truth."""
    rng = np.random.default_rng(0)
    defective = rng.random(groups * size) < 0.4
    shift = np.repeat(rng.normal(0, 1.5, groups), size)
    scores = log_odds(np.where(defective, 2.0, -2.0) + shift + rng.normal(0, 1, groups * size))
    names = tuple(f"module {index // size:02}" for index in range(groups * size))
    return Calibration(probability=scores, defective=defective, groups=names)


def drawn_parts(source: Calibration, rng: np.random.Generator) -> Calibration:
    """Parts one by one, with replacement."""
    rows = rng.integers(0, len(source.defective), 400)
    return Calibration(
        probability=source.probability[rows],
        defective=source.defective[rows],
        groups=tuple(str(turn) for turn in range(len(rows))),
    )


def drawn_groups(source: Calibration, rng: np.random.Generator) -> Calibration:
    """Whole modules, with replacement; one that is drawn twice counts twice."""
    names = np.array(source.groups)
    picks = rng.choice(np.unique(names), 60)
    rows = [np.flatnonzero(names == pick) for pick in picks]
    labels = tuple(f"{turn}" for turn, members in enumerate(rows) for _ in members)
    every = np.concatenate(rows)
    return Calibration(
        probability=source.probability[every], defective=source.defective[every], groups=labels
    )


def escaping(source: Calibration, threshold: float, assumption: Assumption) -> float:
    """The pool's own rate, which no draw knows."""
    failures, units = failures_by_threshold(source, assumption, np.array([threshold]))
    return float(failures[0] / units)


def violations(
    source: Calibration, drawn: list[Calibration], assumption: Assumption, max_escape: float
) -> float:
    """How often the loosest threshold that passed lets more through than certified."""
    violated = 0
    for one in drawn:
        failures, units = failures_by_threshold(one, assumption)
        passed = passing(failures, units, max_escape=max_escape, confidence=0.95)
        violated += passed > 0 and escaping(source, GRID[passed - 1], assumption) > max_escape
    return violated / len(drawn)


DRAWS = 500
TOLERATED = 0.05 + 3 * math.sqrt(0.05 * 0.95 / DRAWS)


def test_of_parts_drawn_alone_more_escape_than_certified_in_at_most_one_draw_of_twenty() -> None:
    rng, source = np.random.default_rng(1), pool()
    drawn = [drawn_parts(source, rng) for _ in range(DRAWS)]
    assert 0.005 < violations(source, drawn, "parts exchangeable", 0.1) <= TOLERATED


def test_of_groups_drawn_whole_more_fail_than_certified_in_at_most_one_draw_of_twenty() -> None:
    rng, source = np.random.default_rng(2), pool()
    drawn = [drawn_groups(source, rng) for _ in range(DRAWS)]
    assert 0.005 < violations(source, drawn, "groups exchangeable", 0.3) <= TOLERATED


def test_parts_that_come_in_groups_break_the_bound_over_parts() -> None:
    """Why the group bound binds: the assumption is not a formality."""
    rng, source = np.random.default_rng(3), pool()
    drawn = [drawn_groups(source, rng) for _ in range(DRAWS)]
    assert violations(source, drawn, "parts exchangeable", 0.1) > 2 * TOLERATED


# --- parts and groups


def test_a_part_is_missed_where_it_is_accepted() -> None:
    parts = calibration([0.1, 0.2, 0.2, 0.9], [0.0, 0.3])
    failures, units = failures_by_threshold(parts, "parts exchangeable", np.array([0.05, 0.1, 0.2, 0.5, 1.0]))
    assert (failures.tolist(), units) == ([0, 1, 3, 3, 4], 4)  # accepted up to and with the threshold


def test_a_group_fails_as_soon_as_one_of_its_defective_parts_is_accepted() -> None:
    names = ["a", "a", "b", "b", "a", "b", "c"]  # c holds no defective part
    parts = calibration([0.1, 0.9, 0.6, 0.7], [0.0, 0.0, 0.0], names)
    failures, units = failures_by_threshold(parts, "groups exchangeable", np.array([0.05, 0.1, 0.65, 0.95]))
    assert (failures.tolist(), units) == ([0, 1, 2, 2], 2)


@settings(deadline=None)
@given(
    data=st.lists(st.tuples(PROBABILITIES, st.booleans(), st.sampled_from("abcd")), min_size=2, max_size=30)
)
def test_group_failures_are_those_counted_one_by_one(data: list[tuple[float, bool, str]]) -> None:
    rows = [*data, (0.9, True, "e"), (0.1, False, "e")]
    parts = Calibration(
        probability=np.array([row[0] for row in rows]),
        defective=np.array([row[1] for row in rows]),
        groups=tuple(row[2] for row in rows),
    )
    failures, units = failures_by_threshold(parts, "groups exchangeable", GRID[::60])
    assert units == len({group for _, defective, group in rows if defective})
    for threshold, failed in zip(GRID[::60], failures, strict=True):
        assert failed == len({group for score, defective, group in rows if defective and score <= threshold})


def test_parts_that_stand_alone_give_one_bound() -> None:
    found = certified(np.full(59, 0.9), np.full(100, 0.1))
    assert [(bound.assumption, bound.units, bound.failures) for bound in found.bounds] == [
        ("parts exchangeable", 59, 0)
    ]
    assert (found.binding, found.certified) == ("parts exchangeable", True)


def modules(count: int, size: int = 20) -> list[str]:
    return [f"module {index // size}" for index in range(count * size)]


def test_with_groups_both_bounds_are_given_and_that_over_groups_binds() -> None:
    names = [*modules(12), *modules(12)]
    found = certified(np.full(240, 0.9), np.full(240, 0.1), names)
    assert [(bound.assumption, bound.units) for bound in found.bounds] == [
        ("parts exchangeable", 240),
        ("groups exchangeable", 12),
    ]
    assert found.binding == "groups exchangeable"


def test_twelve_groups_without_a_miss_cannot_certify_five_percent() -> None:
    names = [*modules(12), *modules(12)]
    found = certified(np.full(240, 0.9), np.full(240, 0.1), names)
    assert not found.certified
    assert found.policy.accept_at is None
    assert found.explanation(0.05, 0.95) == (
        "not certified: 5% at 95% confidence takes at least 59 groups with a defective part without a miss, "
        "found 12 (groups exchangeable); the policy accepts nothing"
    )


def test_fifty_nine_groups_without_a_miss_certify_five_percent() -> None:
    names = [*modules(59, 4), *modules(59, 4)]
    found = certified(np.full(236, 0.9), np.full(236, 0.1), names)
    assert found.certified
    assert found.explanation(0.05, 0.95) == (
        "certified: in at most 5% of groups with a defective part is any of them accepted, 95% confidence, "
        "groups exchangeable"
    )


def test_parts_taken_for_independent_let_the_bound_over_parts_bind() -> None:
    names = [*modules(12), *modules(12)]
    found = certified(np.full(240, 0.9), np.full(240, 0.1), names, independent=True)
    assert (found.binding, found.certified) == ("parts exchangeable", True)
    assert [bound.holds for bound in found.bounds] == [True, False]
    assert len(found.bounds) == 2  # the other is still shown


@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_no_more_is_ever_certified_than_the_units_support(data: st.DataObject) -> None:
    size, count = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 80))
    names = [*modules(count, size), *modules(count, size)]
    escape = data.draw(ESCAPES)
    found = certified(np.full(count * size, 0.9), np.full(count * size, 0.1), names, max_escape=escape)
    assert found.certified == (upper_bound(0, count, 0.95) <= escape)
    binding = next(bound for bound in found.bounds if bound.assumption == found.binding)
    assert (binding.units, binding.holds) == (count, found.certified)


@settings(deadline=None, max_examples=50)
@given(parts=CALIBRATIONS, max_escape=st.sampled_from([0.2, 0.35, 0.5]), costs=COSTS)
def test_the_bounds_are_those_at_the_thresholds_chosen(
    parts: Calibration, max_escape: float, costs: Costs
) -> None:
    found = certify(parts, costs, max_escape=max_escape, confidence=0.6)
    (bound,) = found.bounds
    threshold = GRID[0] if found.policy.accept_at is None else found.policy.accept_at
    assert bound.failures == np.sum(parts.defective & (parts.probability <= threshold))
    assert bound.upper == round(upper_bound(bound.failures, bound.units, 0.6), 6)
    assert bound.holds == found.certified == (found.policy.accept_at is not None)
    if found.certified:
        assert bound.upper <= max_escape
        assert found.policy.accept_at in GRID[: found.passed]


def test_a_bound_that_meets_the_asked_rate_to_the_last_digit_holds() -> None:
    """Found by the test, 0.4000000000000001 as the bound: a certificate must not rest on one that does not hold."""
    assert upper_bound(2, 7, 0.580096) > 0.4
    found = certified([0.1, 0.1, *[0.9] * 5], [0.1], max_escape=0.4, confidence=0.580096)
    assert (found.certified, found.bounds[0].failures, found.bounds[0].holds) == (True, 2, True)


def test_without_enough_defective_parts_the_policy_accepts_nothing_and_says_what_it_takes() -> None:
    found = certified(np.full(58, 0.9), np.full(100, 0.1))
    assert (found.certified, found.policy.accept_at, found.bounds[0].holds) == (False, None, False)
    assert found.explanation(0.05, 0.95) == (
        "not certified: 5% at 95% confidence takes at least 59 defective parts without a miss, found 58 "
        "(parts exchangeable); the policy accepts nothing"
    )


def test_a_model_that_is_sure_of_what_it_misses_cannot_be_certified_however_many_parts_there_are() -> None:
    found = certified([*np.full(20, 1e-9), *np.full(180, 0.9)], np.full(100, 1e-9))
    assert (found.certified, found.bounds[0].failures) == (False, 20)
    assert found.explanation(0.05, 0.95) == (
        "not certified: 5% at 95% confidence cannot be shown: of 200 defective parts the strictest threshold misses 20, "
        "which bounds the rate by 14.20% only (parts exchangeable); the policy accepts nothing"
    )


def test_where_reviewing_costs_nothing_nothing_is_accepted_and_the_reason_is_the_costs() -> None:
    found = certified(np.full(100, 0.9), np.full(100, 0.1), costs=Costs(review=0))
    assert (found.certified, found.policy.accept_at) == (False, None)
    assert "could be certified, but at these costs accepting nothing costs least" in found.explanation(
        0.05, 0.95
    )


def test_what_was_asked_is_repeated_without_rounding_it_up() -> None:
    found = certified(np.full(100, 0.9), np.full(100, 0.1), max_escape=0.00125, confidence=0.999)
    assert found.explanation(0.00125, 0.999).startswith("not certified: 0.125% at 99.9% confidence takes")


@pytest.mark.parametrize(("bad", "good"), [([], [0.1, 0.2]), ([0.8, 0.9], [])])
def test_parts_of_one_kind_alone_are_refused(bad: list[float], good: list[float]) -> None:
    with pytest.raises(ManifestError, match="expected good and defective parts, found"):
        calibration(bad, good)


# --- the cheapest policy


def expected_cost(parts: Calibration, policy: Policy, costs: Costs) -> float:
    """Part by part, as the policy judges at the line."""
    decisions = [policy.judge(score) for score in parts.probability.tolist()]
    bad = [one for one, defective in zip(decisions, parts.defective, strict=True) if defective]
    good = [one for one, defective in zip(decisions, parts.defective, strict=True) if not defective]
    rates = Rates(
        escape=bad.count(Decision.ACCEPT) / len(bad),
        review_of_defective=bad.count(Decision.REVIEW) / len(bad),
        false_reject=good.count(Decision.REJECT) / len(good),
        review_of_good=good.count(Decision.REVIEW) / len(good),
    )
    return costs.expected(rates)


def policies(parts: Calibration, allowed: int) -> list[Policy]:
    """All that differ in what they do to these parts, with the strictest thresholds that do it."""
    scores = parts.probability.tolist()
    accepts, rejects = {}, {}
    for threshold in GRID[:allowed].tolist()[::-1]:
        accepts[sum(score <= threshold for score in scores)] = threshold
    for threshold in GRID.tolist():
        rejects[sum(score >= threshold for score in scores)] = threshold
    return [
        Policy(accept_at=accept, reject_at=reject)
        for accept in [None, *accepts.values()]
        for reject in [None, *rejects.values()]
        if accept is None or reject is None or accept < reject
    ]


@settings(deadline=None, max_examples=60)
@given(parts=CALIBRATIONS, costs=COSTS, allowed=st.integers(min_value=0, max_value=len(GRID)))
def test_no_policy_of_the_grid_is_cheaper_than_the_one_chosen(
    parts: Calibration, costs: Costs, allowed: int
) -> None:
    policy, rates = cheapest(parts, costs, allowed=allowed)
    least = min(expected_cost(parts, one, costs) for one in policies(parts, allowed))
    assert expected_cost(parts, policy, costs) == pytest.approx(least, abs=1e-9)
    assert costs.expected(rates) == pytest.approx(least, abs=1e-9)
    assert policy.accept_at is None or policy.accept_at in GRID[:allowed]


@settings(deadline=None, max_examples=60)
@given(parts=CALIBRATIONS, costs=COSTS)
def test_acceptance_lies_below_rejection(parts: Calibration, costs: Costs) -> None:
    policy, _ = cheapest(parts, costs, allowed=len(GRID))
    assert policy.accept_at is None or policy.reject_at is None or policy.accept_at < policy.reject_at


@settings(deadline=None, max_examples=25)
@given(parts=CALIBRATIONS, costs=COSTS, factor=st.floats(min_value=1, max_value=50))
def test_what_costs_more_happens_less(parts: Calibration, costs: Costs, factor: float) -> None:
    def rates(name: str, times: float) -> Rates:
        dearer = costs.model_copy(update={name: times * getattr(costs, name)})
        return cheapest(parts, dearer, allowed=len(GRID))[1]

    def reviewed(one: Rates) -> float:
        return costs.defect_rate * one.review_of_defective + (1 - costs.defect_rate) * one.review_of_good

    if costs.escape > 1e-3:
        assert rates("escape", factor).escape <= rates("escape", 1).escape
    if costs.false_reject > 1e-3:
        assert rates("false_reject", factor).false_reject <= rates("false_reject", 1).false_reject
    if costs.review > 1e-3:
        assert reviewed(rates("review", factor)) <= reviewed(rates("review", 1)) + 1e-9


OVERLAPPING = calibration(
    log_odds(np.random.default_rng(0).normal(2, 1.5, 300)),
    log_odds(np.random.default_rng(1).normal(-2, 1.5, 300)),
)


def thresholds(**changed: float) -> tuple[float, float]:
    costs = Costs(escape=20, false_reject=5, review=1, defect_rate=0.2).model_copy(update=changed)
    policy, _ = cheapest(OVERLAPPING, costs, allowed=len(GRID))
    assert policy.accept_at is not None
    assert policy.reject_at is not None
    return policy.accept_at, policy.reject_at


def test_costs_move_the_thresholds_to_where_they_belong() -> None:
    accept_at, reject_at = thresholds()
    assert thresholds(escape=100)[0] < accept_at
    assert thresholds(escape=5)[0] > accept_at
    assert thresholds(false_reject=50)[1] > reject_at
    assert thresholds(defect_rate=0.02)[0] > accept_at  # of few defective parts, few can escape
    narrow, wide = thresholds(review=3), thresholds(review=0.3)
    assert wide[0] < accept_at < narrow[0] < narrow[1] < reject_at < wide[1]


def test_of_equally_cheap_policies_the_most_careful_is_taken() -> None:
    parts = calibration([0.9], [0.1])
    policy, rates = cheapest(parts, Costs(), allowed=len(GRID))
    assert policy.accept_at == GRID[GRID >= 0.1][0]
    assert policy.reject_at == GRID[GRID <= 0.9][-1]
    assert rates == Rates(escape=0, review_of_defective=0, false_reject=0, review_of_good=0)


def test_nothing_is_accepted_where_no_threshold_passed() -> None:
    policy, rates = cheapest(OVERLAPPING, EAGER, allowed=0)
    assert policy.accept_at is None
    assert rates.escape == 0
    assert rates.review_of_good + rates.false_reject == 1


def test_the_order_of_the_parts_does_not_matter() -> None:
    names = tuple(modules(30))
    parts = replace(OVERLAPPING, groups=names)
    shuffled = np.random.default_rng(4).permutation(len(names))
    again = Calibration(
        probability=parts.probability[shuffled],
        defective=parts.defective[shuffled],
        groups=tuple(names[index] for index in shuffled),
    )
    one, other = (certify(each, Costs(), max_escape=0.1, confidence=0.9) for each in (parts, again))
    assert one == other
