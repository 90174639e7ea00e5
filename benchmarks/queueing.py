"""What an ideal server would make of the same arrivals: one model behind a decode pool, on so many cores, at no cost of its own.

Its policy is the server's: a batch starts as soon as a worker is idle, a lone batch has all cores, several have one each.

Takes times of arrival and measured costs, gives how long each request takes. Work that would use more cores than there are slows
down together, as threads of one priority do. It knows nothing of gRPC, and no randomness but that of the arrivals.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from typing_extensions import override

_ALMOST = 1e-9  # seconds of work: what is left of a job by rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds on an otherwise idle machine.

    Attributes:
        cores: that everything shares.
        client_s: of the load generator for one request, where it shares these cores; on one thread.
        decode_s: of one picture, on one thread.
        decoders: threads that decode.
        alone_s: of the model's run on one picture, on `alone_threads` threads: for a batch beside which nothing runs or waits.
        per_item_s, per_batch_s: of its run on a batch of n on one thread, `per_item_s * n + per_batch_s`.
        workers: that run batches side by side.
        max_batch: the largest batch.
    """

    cores: int
    decode_s: float
    decoders: int
    alone_s: float
    alone_threads: int
    per_item_s: float
    per_batch_s: float
    workers: int
    max_batch: int
    client_s: float = 0.0


@dataclass(slots=True)
class _Job:
    items: list[int]
    left_s: float
    threads: int


@dataclass(slots=True)
class _Stage:
    """Those who wait before some equal workers, each with one thread."""

    workers: int
    each_s: float
    waiting: deque[int] = field(default_factory=deque)
    running: list[_Job] = field(default_factory=list)

    def start(self) -> None:
        while self.waiting and len(self.running) < self.workers:
            self.running.append(_Job([self.waiting.popleft()], self.each_s, 1))

    def finished(self) -> list[int]:
        done = [item for job in self.running if job.left_s <= _ALMOST for item in job.items]
        self.running = [job for job in self.running if job.left_s > _ALMOST]
        return done


@dataclass(slots=True, kw_only=True)
class _Model(_Stage):
    costs: Costs

    @override
    def start(self) -> None:
        costs = self.costs
        while self.waiting and len(self.running) < self.workers:
            items = [self.waiting.popleft() for _ in range(min(costs.max_batch, len(self.waiting)))]
            if self.running or self.waiting:
                job = _Job(items, costs.per_batch_s + costs.per_item_s * len(items), 1)
            else:
                job = _Job(items, costs.alone_s * len(items), costs.alone_threads)
            self.running.append(job)


def simulate(arrivals_s: Sequence[float], costs: Costs) -> list[float]:
    """Seconds from each arrival to its answer, in the order of arrivals.

    Args:
        arrivals_s: ascending.
    """
    stages = [
        _Stage(1, costs.client_s),
        _Stage(costs.decoders, costs.decode_s),
        _Model(costs.workers, 0.0, costs=costs),
    ]
    answered, now, coming = [0.0] * len(arrivals_s), 0.0, 0
    if arrivals_s:
        now = arrivals_s[0]
    while coming < len(arrivals_s) or any(stage.waiting or stage.running for stage in stages):
        running = [job for stage in stages for job in stage.running]
        # a thread's share of a core
        speed = min(1.0, costs.cores / max(1, sum(job.threads for job in running)))
        step = min((job.left_s / speed for job in running), default=float("inf"))
        if coming < len(arrivals_s):
            step = min(step, arrivals_s[coming] - now)
        now += step
        for job in running:
            job.left_s -= step * speed
        while coming < len(arrivals_s) and arrivals_s[coming] <= now + _ALMOST:
            stages[0].waiting.append(coming)
            coming += 1
        _move_on(stages, answered, now)
    return [done - came for done, came in zip(answered, arrivals_s, strict=True)]


def _move_on(stages: Sequence[_Stage], answered: list[float], now: float) -> None:
    """What a stage has finished goes to the next, and every idle worker takes up what it can."""
    for index, stage in enumerate(stages):
        for item in stage.finished():
            if index + 1 < len(stages):
                stages[index + 1].waiting.append(item)
            else:
                answered[item] = now
        stage.start()
