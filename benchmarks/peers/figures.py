"""Loupe over each peer: throughput, and p99 where both get the same arrivals; each turn with the server under test running alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.common import Figure
from benchmarks.generator import Load, Plan, generate
from benchmarks.peers.runner import Installed, PeerError, Shape, install, running, shapes
from benchmarks.peers.work import MAX_BATCH
from benchmarks.served import Setup, serving
from benchmarks.serving_figures import CLIENTS, ratio
from vision.commands.output import stderr_console

_SHARE = 0.7  # of the peer's capacity, at which both are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one server did in one turn: many clients, one client, and arrivals at a steady rate."""

    many: Load
    one: Load
    steady: Load

    def p99_ms(self) -> float:
        return float(np.quantile(self.steady.latencies_ms(), 0.99))

    def alone_p50_ms(self) -> float:
        return float(np.quantile(self.one.latencies_ms(), 0.5))


def compare(setup: Setup, names: Sequence[str], folder: Path) -> list[Figure]:
    """All figures of all peers; a peer that cannot be compared is a figure that says why."""
    figures = []
    for name in names:
        stderr_console().print(f"peer {name}")
        try:
            figures += _compare(setup, install(name, folder))
        except PeerError as error:
            figures.append(Figure(name=f"peer_{name}_ran", value=0, unit="of 1", note=str(error)))
    return figures


def _compare(setup: Setup, installed: Installed) -> list[Figure]:
    shape = _best_shape(setup, installed)
    theirs: list[Turn] = []
    ours: list[Turn] = []
    for seed in range(setup.rounds):
        with running(installed, setup, shape) as peer:
            theirs.append(_turn(setup, peer.url, peer.pid, seed))
        rate = theirs[-1].steady.plan.rate
        with serving(setup) as server:
            ours.append(_turn(setup, server.address, server.pid, seed, rate=rate))

    def over(name: str, of: Callable[[Turn], float], *, target: str | None, unit: str) -> Figure:
        our, their = [of(turn) for turn in ours], [of(turn) for turn in theirs]
        note = (
            f"{median(our):.1f} over {median(their):.1f} {unit}; ours: {ours[-1].steady.codes()}, {ours[-1].many.note()}; "
            f"theirs: {theirs[-1].steady.codes()}, {theirs[-1].many.note()}"
        )
        pairs = [one / other for one, other in zip(our, their, strict=True)]
        return ratio(f"loupe_over_{installed.name}_{name}", pairs, target=target, note=note)

    return [
        Figure(name=f"peer_{installed.name}_ran", value=1, unit="of 1", note=_arrangement(setup, installed, shape)),
        over("throughput", lambda turn: turn.many.answered_per_s, target=">= 1.0", unit="pictures a second"),
        over("p99_equal_load", Turn.p99_ms, target="<= 1.0", unit=f"ms at {_SHARE:.0%} of the peer's capacity"),
        over("p50_one_client", Turn.alone_p50_ms, target=None, unit="ms"),
    ]  # fmt: skip


def _arrangement(setup: Setup, installed: Installed, shape: Shape) -> str:
    return (
        f"{installed.peer.package} {installed.version}, {shape.words()} (the best of {len(shapes(setup))} arrangements), batches of up to "
        f"{MAX_BATCH}, the JPEG as an HTTP body, {CLIENTS} clients; Loupe keeps its results meanwhile, the peer keeps nothing; "
        f"{setup.note()}"
    )


def _best_shape(setup: Setup, installed: Installed) -> Shape:
    """Which of its arrangements serves this peer best here."""
    rates: dict[Shape, float] = {}
    for shape in shapes(setup):
        with running(installed, setup, shape) as peer:
            rates[shape] = _closed(setup, peer.url, peer.pid, CLIENTS).answered_per_s
    return max(rates, key=lambda shape: rates[shape])


def _turn(setup: Setup, target: str, pid: int, seed: int, *, rate: float | None = None) -> Turn:
    many = _closed(setup, target, pid, CLIENTS)
    one = _closed(setup, target, pid, 1)
    if rate is None:
        rate = _SHARE * many.answered_per_s
    if not rate or not one.measured():
        raise PeerError(f"answered nothing well: {many.codes()}, {one.codes()}")
    plan = Plan(
        target=target, image=str(setup.image), seconds=2 * setup.seconds, rate=rate, seed=seed, watch=pid
    )
    return Turn(many=many, one=one, steady=generate(plan))


def _closed(setup: Setup, target: str, pid: int, clients: int) -> Load:
    return generate(
        Plan(target=target, image=str(setup.image), seconds=setup.seconds, clients=clients, watch=pid)
    )
