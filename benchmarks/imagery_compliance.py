"""Marketplaces' rules against images with one fault each: found by its rule alone, put right, and left alone after that.

    python benchmarks/imagery_compliance.py --json

Products of random shape and colours, half of them with their masks handed in; the faults are those of the tests. Rules on text are
held against faults of text, and against as many good images, alone: reading takes longer than everything else together.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from benchmarks.common import Figure, emit, parser
from tests.vision.imagery.compliance.mutations import Mutation, good, mutations, without_reading
from tests.vision.imagery.compliance.shots import Shot
from vision.imagery.compliance import check, fix, rule_set

LARGE_PX = 20_000_000  # such faults are made once
AT_LEAST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one image.

    Attributes:
        others: rules that were broken and not implied.
        fixed: whether `fix` put it right; absent where it cannot.
    """

    mutation: Mutation
    caught: bool
    others: tuple[str, ...]
    fixed: bool | None
    at_rest: bool
    check_s: float


def figures(*, least: int = AT_LEAST, seed: int = 0) -> list[Figure]:
    """Measure over at least so many faults."""
    outcomes = list(_outcomes(least, seed))
    clean = _good(seed)
    fixable = [one for one in outcomes if one.fixed is not None]
    times = [one.check_s for one in outcomes if not one.mutation.reads]
    missed = [one for one in outcomes if not one.caught]
    accused = [one for one in outcomes if one.others]
    unfixed = [one for one in fixable if not one.fixed]
    alarms = {name: broken for name, broken in clean.items() if broken}
    return [
        _share("compliance_caught", [one.caught for one in outcomes], ">= 1.0", f"missed: {_named(missed)}"),
        _share(
            "compliance_other_rules",
            [bool(one.others) for one in outcomes],
            "<= 0.0",
            f"accused: {_named(accused)}",
        ),
        _share(
            "compliance_false_alarms",
            [bool(one) for one in clean.values()],
            "<= 0.0",
            f"on good images: {alarms}",
        ),
        _share(
            "compliance_fixed",
            [bool(one.fixed) for one in fixable],
            ">= 1.0",
            f"not put right: {_named(unfixed)}",
        ),
        _share(
            "compliance_at_rest",
            [one.at_rest for one in outcomes],
            ">= 1.0",
            "fix(fix(x)) == fix(x), to the byte",
        ),
        Figure(
            name="compliance_check_seconds",
            value=round(statistics.median(times), 3),
            unit="s",
            runs=len(times),
            note="one image against one rule set, text not read",
        ),
    ]


def _outcomes(least: int, seed: int) -> Iterator[Outcome]:
    every = list(mutations())
    rounds = -(-least // len(every)) + 1  # some are made once
    for number in range(rounds):
        for mutation in every:
            rng = np.random.default_rng([seed, number])
            shot = mutation.make(rng, number % 2 == 0, None)
            if number == 0 or shot.alpha_hw.size < LARGE_PX:
                yield _outcome(mutation, shot)


def _outcome(mutation: Mutation, shot: Shot) -> Outcome:
    rules = rule_set(mutation.rule_set) if mutation.reads else without_reading(mutation.rule_set)
    data, context = shot.encoded(), shot.context()
    started = time.perf_counter()
    broken = check(data, rules, context=context).broken()
    check_s = time.perf_counter() - started
    quick = without_reading(mutation.rule_set)
    fixed = fix(data, quick, context=context)
    again = fix(fixed.data, quick, context=fixed.context)
    right = fixed.report.ok and mutation.rule not in fixed.report.broken()
    return Outcome(
        mutation=mutation,
        caught=mutation.rule in broken,
        others=tuple(set(broken) - rules.implied_by([mutation.rule])),
        fixed=right if mutation.fixable else None,
        at_rest=again.data == fixed.data,
        check_s=check_s,
    )


def _good(seed: int) -> dict[str, tuple[str, ...]]:
    """What is held against good images: twelve a rule set, and with their text read six of those that forbid it."""
    found = {}
    for name in sorted({mutation.rule_set for mutation in mutations()}):
        forbids = len(rule_set(name).rules) > len(without_reading(name).rules)
        asked = [(without_reading(name), 12), *([(rule_set(name), 2)] if forbids else [])]
        for rules, count in asked:
            for number in range(count):
                shot = good(name, np.random.default_rng([seed, 1, number]), told=number % 2 == 0)
                broken = check(shot.encoded(), rules, context=shot.context()).broken()
                found[f"{name} {len(rules.rules)} rules, {number}"] = broken
    return found


def _share(name: str, held: list[bool], target: str, note: str) -> Figure:
    return Figure(
        name=name,
        value=round(sum(held) / len(held), 4),
        unit="share",
        target=target,
        runs=len(held),
        note=note,
    )


def _named(outcomes: list[Outcome]) -> str:
    return "; ".join(f"{one.mutation} ({', '.join(one.others) or '-'})" for one in outcomes) or "none"


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--least", type=int, default=AT_LEAST, help="faults")
    given = options.parse_args()
    emit(figures(least=given.least))


if __name__ == "__main__":
    main()
