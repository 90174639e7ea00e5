"""What load is wanted, and what came of it: the side of the load generator that other benchmarks call.

`generate` runs `benchmarks/load.py` in a process of its own and gives a `Load`. Times are seconds from the beginning of the measured
window; what was sent before it warmed things up and has negative times.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parents[1]
OK = "OK"
REFUSED = "RESOURCE_EXHAUSTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A load.

    Attributes:
        target: `host:port` of a gRPC server, or the URL that a picture is posted to.
        image: the JPEG that every request carries, each time with another comment in it.
        seconds: the measured window.
        warm_s: the same load before it, not measured.
        clients: each sends its next request once it has the answer to the last; unused with a rate.
        gap_s: how long each of these waits in between.
        rate: requests a second as a Poisson process, whatever has been answered.
        deadline_s: what each request allows; without one the server's own.
        connections: that requests are spread over, with a rate.
        request_ids: send a fresh one with each request, which makes the server promise idempotency.
        title: of a product that the picture is to be placed as; empty: it is a part that is to be judged.
        watch: a process, the CPU and memory of which are recorded with those of its children.
    """

    target: str
    image: str
    seconds: float
    warm_s: float = 2.0
    clients: int = 1
    gap_s: float = 0.0
    rate: float = 0.0
    deadline_s: float | None = None
    connections: int = 16
    seed: int = 0
    request_ids: bool = False
    title: str = ""
    watch: int | None = None

    @property
    def http(self) -> bool:
        return self.target.startswith("http://")


@dataclass(frozen=True, slots=True)
class Call:
    """One request: when it was due, sent and answered, the answer's code, and how many shared the model's run (0: not known)."""

    due_s: float
    sent_s: float
    done_s: float
    code: str
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of a plan.

    Attributes:
        core: that the generator was pinned to.
        cpu_s: of the generator in the window.
        watched_cpu_s: of the watched processes in the window.
        resident_mib: of the watched processes, sampled evenly through the window.
    """

    plan: Plan
    calls: tuple[Call, ...]
    core: int
    cpu_s: float
    watched_cpu_s: float
    resident_mib: tuple[float, ...]

    @property
    def answered_per_s(self) -> float:
        """Good answers that came within the window, a second."""
        good = sum(one.code == OK and 0 <= one.done_s < self.plan.seconds for one in self.calls)
        return good / self.plan.seconds

    @property
    def arrivals_s(self) -> list[float]:
        """When requests were due, those of the warm-up included."""
        return [one.due_s for one in self.calls]

    def measured(self, code: str = OK) -> list[Call]:
        """The calls of the window that ended with a code."""
        return [one for one in self.calls if one.due_s >= 0 and one.code == code]

    def latencies_ms(self, code: str = OK) -> npt.NDArray[np.float64]:
        """From when each was due to its answer: a generator or server that falls behind is not excused."""
        return np.array([1e3 * (one.done_s - one.due_s) for one in self.measured(code)])

    def codes(self) -> dict[str, int]:
        """How many of the window's calls ended with each code."""
        counts: dict[str, int] = {}
        for one in self.calls:
            if one.due_s >= 0:
                counts[one.code] = counts.get(one.code, 0) + 1
        return counts

    def note(self) -> str:
        """What the generator took from the machine that it shares with the server."""
        lag = np.quantile([1e3 * (one.sent_s - one.due_s) for one in self.calls], 0.99)
        late = f", sent late by {lag:.1f} ms at p99" if self.plan.rate else ""
        return f"generator on core {self.core}: {self.cpu_s:.2f} s of CPU in {self.plan.seconds:.0f} s{late}"


def generate(plan: Plan) -> Load:
    """Run a load to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(asdict(plan)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found = json.loads(done.stdout)
    return Load(
        plan=plan,
        calls=tuple(Call(*one) for one in found["calls"]),
        core=found["core"],
        cpu_s=found["cpu_s"],
        watched_cpu_s=found["watched_cpu_s"],
        resident_mib=tuple(found["resident_mib"]),
    )
