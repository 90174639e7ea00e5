"""The server's figures, each from a `Setup` and a running `Server`: ratios of two things measured in turns in one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.common import Figure
from benchmarks.generator import Load, Plan, generate
from benchmarks.served import Rate, Server, Setup, alone, ceiling, serving

CLIENTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What the server answers at most and in what batches, and what a picture takes without it."""

    per_s: float
    max_batch: int
    decode_s: float
    whole_s: float


def ratio(name: str, ratios: Sequence[float], *, target: str | None, note: str) -> Figure:
    """The median of ratios that were measured in turns, with their range."""
    return Figure(
        name=name,
        value=round(median(ratios), 4),
        unit="ratio",
        target=target,
        runs=len(ratios),
        spread=(round(min(ratios), 4), round(max(ratios), 4)),
        note=note,
    )


def throughput(setup: Setup, server: Server) -> tuple[list[Figure], Capacity]:
    """Closed loop against the ceiling, in pictures a second and in pictures a CPU second; and memory afterwards."""
    best = ceiling(setup)
    rates: list[Rate] = []
    loads: list[Load] = []
    for _ in range(setup.rounds):
        rates.append(ceiling(setup, [best.way]))
        loads.append(closed(setup, server, CLIENTS))
    pairs = list(zip(loads, rates, strict=True))
    rates_note = (
        f"{median(load.answered_per_s for load in loads):.1f} over {median(rate.images_per_s for rate in rates):.1f} "
        f"pictures a second; ceiling: one process, {best.way} (sessions side by side x threads x batch), decode pool; {CLIENTS} clients, "
        f"one picture, each time another file; {loads[-1].note()}; {setup.note()}"
    )
    per_cpu = [
        rate.cpu_s_per_image * load.answered_per_s * setup.seconds / load.watched_cpu_s
        for load, rate in pairs
    ]
    figures = [
        ratio(
            "grpc_throughput_vs_ceiling",
            [load.answered_per_s / rate.images_per_s for load, rate in pairs],
            target=">= 0.90",
            note=rates_note,
        ),
        ratio(
            "grpc_images_per_cpu_second_vs_ceiling",
            per_cpu,
            target=None,
            note="CPU of the server process alone, since the generator shares its cores",
        ),
        Figure(
            name="resident_mib",
            value=round(loads[-1].resident_mib[-1], 1),
            unit="MiB",
            target="<= 450",
            note=f"after the load above; {server.resident_mib:.0f} MiB before it; {setup.note()}",
        ),
    ]
    by_itself = alone(setup)
    return figures, Capacity(
        per_s=median(load.answered_per_s for load in loads),
        max_batch=max(call.batch for load in loads for call in load.calls),
        decode_s=median(by_itself.decode_ms) / 1e3,
        whole_s=median(by_itself.whole_ms) / 1e3,
    )


def added_latency(setup: Setup, server: Server) -> list[Figure]:
    """One client's requests, one after the other, less decode and model in a process without a server."""
    without: list[float] = []
    plain: list[float] = []
    with_ids: list[float] = []
    loads: list[Load] = []
    for _ in range(setup.rounds):
        without += alone(setup).whole_ms
        loads.append(closed(setup, server, 1))
        plain += loads[-1].latencies_ms().tolist()
        with_ids += closed(setup, server, 1, request_ids=True).latencies_ms().tolist()
    note = f"{loads[-1].note()}; {setup.note()}"
    figures = []
    for name, share, times, target in (
        ("added_latency_p50_ms", 0.5, plain, "<= 2"),
        ("added_latency_p99_ms", 0.99, plain, "<= 5"),
        ("added_latency_with_request_id_p50_ms", 0.5, with_ids, None),
    ):
        ours, theirs = np.quantile(times, share), np.quantile(without, share)
        figures.append(
            Figure(
                name=name,
                value=round(float(ours - theirs), 3),
                unit="ms",
                target=target,
                runs=len(times),
                note=f"{ours:.2f} ms less {theirs:.2f} ms; {note}",
            )
        )
    return figures


def slow_line(setup: Setup, server: Server, *, gap_s: float, requests: int) -> Figure:
    """A part now and then: what the pause costs."""
    # the first request is the one of the warm-up
    plan = Plan(
        target=server.address,
        image=str(setup.image),
        seconds=requests * (gap_s + 0.05),
        warm_s=min(1.0, gap_s / 2),
        gap_s=gap_s,
        watch=server.pid,
    )
    load = generate(plan)
    times = load.latencies_ms()
    middle, worst = np.quantile(times, 0.5), np.quantile(times, 0.99)
    return Figure(
        name="slow_line_p99_over_p50",
        value=round(float(worst / middle), 3),
        unit="ratio",
        target="<= 1.5",
        runs=len(times),
        note=f"{worst:.1f} over {middle:.1f} ms, {gap_s:g} s between parts; {load.note()}; {setup.note()}",
    )


def start(setup: Setup) -> Figure:
    """From the process's start to health SERVING, with a bundle that is qualified already."""
    times = []
    for _ in range(setup.rounds):
        with serving(setup) as server:
            times.append(server.ready_s)
    return Figure(
        name="ready_s",
        value=round(median(times), 3),
        unit="s",
        target="<= 3",
        runs=len(times),
        spread=(round(min(times), 3), round(max(times), 3)),
        note=f"files read before; {setup.note()}",
    )


def closed(setup: Setup, server: Server, clients: int, *, request_ids: bool = False) -> Load:
    plan = Plan(
        target=server.address,
        image=str(setup.image),
        seconds=setup.seconds,
        clients=clients,
        request_ids=request_ids,
        watch=server.pid,
    )
    return generate(plan)
