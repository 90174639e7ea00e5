"""What benchmarks share: the machine, figures against their targets, and timing in turns."""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from vision.machine import this_machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure. `target` is written as in the issue that asks for it, such as `>= 3.0`."""

    name: str
    value: float
    unit: str
    target: str | None = None
    runs: int = 1
    spread: tuple[float, float] | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; nothing where there is none."""
        if self.target is None:
            return None
        sign, bound = self.target.split()
        return self.value >= float(bound) if sign == ">=" else self.value <= float(bound)


def emit(figures: Sequence[Figure]) -> None:
    """Print one JSON object: the machine as it was, and the figures."""
    machine = this_machine()
    flags = sorted(
        flag for flag in machine.flags if any(part in flag for part in ("avx", "amx", "vnni", "bf16"))
    )
    value = {
        "machine": {"cpu": machine.cpu, "flags": flags, "cores": machine.cores, "load": os.getloadavg()[0]},
        "figures": [asdict(figure) | {"met": figure.met} for figure in figures],
    }
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def in_turns(
    name: str,
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    target: str | None,
    rounds: int = 40,
    note: str = "",
) -> Figure:
    """The ratio time(first) / time(second), measured A B A B …, as the median of the pairwise ratios.

    The spread is the middle half of the pairs.
    """
    for warm in (first, second):
        warm()
        warm()
    ratios = [_seconds(first) / _seconds(second) for _ in range(rounds)]
    low, _, high = statistics.quantiles(ratios, n=4)
    return Figure(
        name=name,
        value=round(statistics.median(ratios), 4),
        unit="ratio",
        target=target,
        runs=rounds,
        spread=(round(low, 4), round(high, 4)),
        note=note,
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def parser(description: str) -> argparse.ArgumentParser:
    """A benchmark's options; `--json` is what it prints anyway and is accepted for the sake of the caller."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", action="store_true", help="print JSON (always done)")
    return made
