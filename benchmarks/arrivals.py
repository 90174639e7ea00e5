"""The server's figures under requests that come when they come: Poisson arrivals below and beyond what it can answer."""

from statistics import median

import numpy as np

from benchmarks.common import Figure
from benchmarks.generator import OK, REFUSED, Load, Plan, generate
from benchmarks.queueing import Costs, simulate
from benchmarks.served import Server, Setup
from benchmarks.serving_figures import Capacity, ratio
from vision.machine import this_machine


def open_loop(setup: Setup, server: Server, capacity: Capacity) -> Figure:
    """Poisson arrivals at 70 %: p99 over that of an ideal queue with the same arrivals."""
    measured: list[float] = []
    ideal: list[float] = []
    ratios: list[float] = []
    loads: list[Load] = []
    for turn in range(setup.rounds):
        load = poisson(setup, server, 0.7 * capacity.per_s, seconds=3 * setup.seconds, seed=turn)
        loads.append(load)
        costs = Costs(
            cores=this_machine().cores,
            client_s=load.cpu_s / max(1, len(load.measured())),
            decode_s=capacity.decode_s,
            decoders=this_machine().cores,
            alone_s=capacity.whole_s - capacity.decode_s,
            alone_threads=setup.choice.threads,
            per_item_s=server.per_item_s,
            per_batch_s=server.per_batch_s,
            workers=setup.workers,
            max_batch=capacity.max_batch,
        )
        due = load.arrivals_s
        simulated = [1e3 * s for s, at in zip(simulate(due, costs), due, strict=True) if at >= 0]
        latencies = load.latencies_ms().tolist()
        ratios.append(float(np.quantile(latencies, 0.99) / np.quantile(simulated, 0.99)))
        measured += latencies
        ideal += simulated
    ours, theirs = np.quantile(measured, 0.99), np.quantile(ideal, 0.99)
    return Figure(
        name="open_loop_p99_vs_queue",
        value=round(float(ours / theirs), 4),
        unit="ratio",
        target="<= 1.2",
        runs=len(measured),
        spread=(round(min(ratios), 4), round(max(ratios), 4)),
        note=(
            f"{ours:.1f} over {theirs:.1f} ms at {0.7 * capacity.per_s:.1f} requests a second; p50 {np.median(measured):.1f} over "
            f"{np.median(ideal):.1f} ms; the queue: decode {1e3 * capacity.decode_s:.1f} ms, batch of n "
            f"{1e3 * server.per_item_s:.1f} n + {1e3 * server.per_batch_s:.1f} ms up to {capacity.max_batch} as the server measured it, "
            f"{setup.workers} workers, the generator's CPU, all on the same cores; {loads[-1].note()}; {setup.note()}"
        ),
    )


def overload(setup: Setup, server: Server, capacity: Capacity) -> list[Figure]:
    """Poisson arrivals at 200 % that each allow ten times what one takes alone."""
    deadline_s = 10 * capacity.whole_s
    rate = 2 * capacity.per_s
    goodput: list[float] = []
    refusals: list[float] = []
    growth: list[float] = []
    loads: list[Load] = []
    for turn in range(setup.rounds):
        load = poisson(setup, server, rate, seconds=setup.seconds, seed=turn, deadline_s=deadline_s)
        loads.append(load)
        in_time = sum(one.done_s - one.due_s <= deadline_s for one in load.measured(OK))
        goodput.append(in_time / setup.seconds / capacity.per_s)
        refusals += [1e3 * (one.done_s - one.sent_s) for one in load.measured(REFUSED)]
        growth.append(max(load.resident_mib) - load.resident_mib[0])
    note = (
        f"{rate:.1f} requests a second, deadline {1e3 * deadline_s:.0f} ms; of the last round {loads[-1].codes()}; "
        f"{loads[-1].note()}; {setup.note()}"
    )
    refused_p99 = float(np.quantile(refusals, 0.99)) if refusals else 0.0
    return [
        ratio("overload_goodput", goodput, target=">= 0.90", note=note),
        Figure(
            name="overload_refusal_p99_ms",
            value=round(refused_p99, 2),
            unit="ms",
            target="<= 20" if refusals else None,
            runs=len(refusals),
            note="from sending a request to RESOURCE_EXHAUSTED" if refusals else "nothing was refused",
        ),
        Figure(
            name="overload_memory_growth_mib",
            value=round(max(growth), 1),
            unit="MiB",
            runs=len(growth),
            note="the most during a round over its beginning",
        ),
    ]


def soak(setup: Setup, server: Server, capacity: Capacity, *, minutes: float) -> Figure:
    """Memory's growth at 80 %, from the first to the last tenth of the time."""
    load = poisson(setup, server, 0.8 * capacity.per_s, seconds=60 * minutes, seed=0)
    samples = load.resident_mib
    tenth = max(1, len(samples) // 10)
    return Figure(
        name="soak_growth_mib",
        value=round(median(samples[-tenth:]) - median(samples[:tenth]), 2),
        unit="MiB",
        runs=len(load.measured()),
        note=f"{minutes:g} minutes at {0.8 * capacity.per_s:.1f} requests a second, {load.codes()}; {load.note()}",
    )


def poisson(
    setup: Setup, server: Server, rate: float, *, seconds: float, seed: int, deadline_s: float | None = None
) -> Load:
    plan = Plan(
        target=server.address,
        image=str(setup.image),
        seconds=seconds,
        rate=rate,
        seed=seed,
        deadline_s=deadline_s,
        watch=server.pid,
    )
    return generate(plan)
