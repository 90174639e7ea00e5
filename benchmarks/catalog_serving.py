"""Products placed over gRPC, against decoding and model alone on the same machine.

    python -m benchmarks.catalog_serving [--bundle BUNDLE] [--seconds S] [--rounds N]

The ceiling is `benchmarks.ceiling`'s: one process, a decode pool and the best batches; it reads no title and decides nothing. The server
reads a title with each picture, places the product and counts it. Both in turns. Without --bundle the tests' shop is served, whose model
takes next to no time: that ratio shows what a request costs beside its model, and has no target. Prints JSON.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

import tempfile
from statistics import median

from benchmarks.common import Figure, emit, parser
from benchmarks.generator import Load, Plan, generate
from benchmarks.served import Rate, Server, Setup, ceiling, prepare, serving
from benchmarks.serving_figures import CLIENTS, ratio
from tests.catalog_bundles import make_catalog_bundle

TITLE = "Men's Classic Cotton Crew Neck Short Sleeve T-Shirt with Embroidered Logo, Navy Blue"


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--bundle", type=Path, help="the catalog bundle to serve, a folder or a .loupe file")
    options.add_argument("--seconds", type=float, default=10.0, help="a measured window")
    options.add_argument("--rounds", type=int, default=5, help="how often things are measured in turns")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = given.bundle or make_catalog_bundle(Path(folder) / "shop.loupe").path
        setup = prepare(bundle, Path(folder), seconds=given.seconds, rounds=given.rounds)
        with serving(setup) as server:
            emit(throughput(setup, server, target=">= 0.85" if given.bundle else None))


def throughput(setup: Setup, server: Server, *, target: str | None) -> list[Figure]:
    """Closed loop against the ceiling, one product a request, each time another file."""
    best = ceiling(setup)
    rates: list[Rate] = []
    loads: list[Load] = []
    for _ in range(setup.rounds):
        rates.append(ceiling(setup, [best.way]))
        loads.append(_closed(setup, server))
    pairs = list(zip(loads, rates, strict=True))
    note = (
        f"{median(load.answered_per_s for load in loads):.1f} over {median(rate.images_per_s for rate in rates):.1f} "
        f"products a second; ceiling: one process, {best.way} (sessions side by side x threads x batch), decode pool; "
        f"{CLIENTS} clients, a picture and a title each; {loads[-1].note()}; {setup.note()}"
    )
    per_cpu = [
        rate.cpu_s_per_image * load.answered_per_s * setup.seconds / load.watched_cpu_s
        for load, rate in pairs
    ]
    over = [load.answered_per_s / rate.images_per_s for load, rate in pairs]
    return [
        ratio("catalog_grpc_throughput_vs_ceiling", over, target=target, note=note),
        ratio(
            "catalog_grpc_products_per_cpu_second_vs_ceiling",
            per_cpu,
            target=None,
            note="CPU of the server process alone, since the generator shares its cores",
        ),
    ]


def _closed(setup: Setup, server: Server) -> Load:
    return generate(
        Plan(
            target=server.address,
            image=str(setup.image),
            seconds=setup.seconds,
            clients=CLIENTS,
            title=TITLE,
            watch=server.pid,
        )
    )


if __name__ == "__main__":
    main()
