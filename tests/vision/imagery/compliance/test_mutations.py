"""Every fault is found by its rule and by no other than those that it implies; what can be fixed is, once and for all."""

from functools import cache

import numpy as np
import pytest

from tests.vision.imagery.compliance.mutations import Mutation, good, mutations, without_reading
from vision.imagery.compliance import check, fix

SIZE = 840  # smaller than recommended, for the sake of time; only `side.recommended` and its like say so
MUTATIONS = [mutation for mutation in mutations() if not mutation.reads]


@cache
def broken_without_a_fault(name: str, *, told: bool) -> frozenset[str]:
    shot = good(name, np.random.default_rng(0), told=told, size=SIZE)
    return frozenset(check(shot.encoded(), without_reading(name), context=shot.context()).broken())


@pytest.mark.parametrize("told", [True, False], ids=["told", "estimated"])
@pytest.mark.parametrize("name", sorted({mutation.rule_set for mutation in MUTATIONS}))
def test_a_good_image_breaks_no_rule_but_of_recommended_size(name: str, told: bool) -> None:
    assert broken_without_a_fault(name, told=told) <= {"side.zoom", "side.recommended"}


@pytest.mark.parametrize("told", [True, False], ids=["told", "estimated"])
@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_fault_is_found_by_its_rule_alone(mutation: Mutation, told: bool) -> None:
    rules = without_reading(mutation.rule_set)
    shot = mutation.make(np.random.default_rng(1), told, SIZE)
    broken = set(check(shot.encoded(), rules, context=shot.context()).broken())
    assert mutation.rule in broken
    others = broken - rules.implied_by([mutation.rule])
    assert others <= broken_without_a_fault(mutation.rule_set, told=told)


@pytest.mark.parametrize("mutation", [one for one in MUTATIONS if one.fixable], ids=str)
def test_what_can_be_fixed_is_fixed_and_stays_so(mutation: Mutation) -> None:
    rules = without_reading(mutation.rule_set)
    shot = mutation.make(np.random.default_rng(2), False, SIZE)
    fixed = fix(shot.encoded(), rules, context=shot.context())
    assert fixed.report.ok, fixed.unfixable
    assert mutation.rule not in fixed.report.broken()
    assert fixed.changes
    again = fix(fixed.data, rules, context=fixed.context)
    assert again.data == fixed.data
    assert not again.changes


@pytest.mark.parametrize("mutation", [one for one in MUTATIONS if not one.fixable], ids=str)
def test_what_cannot_be_fixed_is_told_with_its_reason(mutation: Mutation) -> None:
    rules = without_reading(mutation.rule_set)
    shot = mutation.make(np.random.default_rng(3), True, SIZE)
    fixed = fix(shot.encoded(), rules, context=shot.context())
    assert mutation.rule in fixed.report.broken()
    assert len(fixed.unfixable[mutation.rule]) > 20
    assert fix(fixed.data, rules, context=fixed.context).data == fixed.data
