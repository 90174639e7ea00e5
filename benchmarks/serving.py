"""How the server compares with the program without one, with an ideal queue, and with other servers.

    python benchmarks/serving.py [--bundle BUNDLE] [--peers litserve,bentoml,mosec,ray] [--only PART,...] [--soak-minutes M]

Without --bundle a ResNet-50 from the warm start is exported, which answers nonsense at full speed. The load generator is one process,
pinned to the last core; on few cores it takes a part of what the server could use, which the notes say.
Peers are installed into environments of their own below --peers-dir.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

import argparse
import tempfile
from collections.abc import Callable

from benchmarks.arrivals import open_loop, overload, soak
from benchmarks.common import Figure, emit, parser
from benchmarks.generator import ROOT
from benchmarks.peers.figures import compare
from benchmarks.peers.runner import PEERS
from benchmarks.served import Server, Setup, prepare, serving
from benchmarks.serving_figures import Capacity, added_latency, slow_line, start, throughput
from vision.commands.output import stderr_console
from vision.errors import SettingsError

PARTS = ("start", "throughput", "latency", "open_loop", "overload", "slow_line", "soak", "peers")
NEED_CAPACITY = {"throughput", "open_loop", "overload", "soak"}


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--bundle", type=Path, help="the bundle to serve, a folder or a .loupe file")
    options.add_argument(
        "--peers", type=_names, default=(), help=f"which of {','.join(PEERS)} to compare with"
    )
    options.add_argument("--peers-dir", type=Path, default=ROOT / ".cache" / "peers")
    options.add_argument("--only", type=_names, default=PARTS, help=f"which of {','.join(PARTS)}")
    options.add_argument("--soak-minutes", type=float, default=0.5)
    options.add_argument("--seconds", type=float, default=10.0, help="a measured window")
    options.add_argument("--rounds", type=int, default=5, help="how often things are measured in turns")
    options.add_argument("--slow-requests", type=int, default=30, help="parts of the slow line")
    given = options.parse_args()
    _check("--only", given.only, PARTS)
    _check("--peers", given.peers, tuple(PEERS))
    with tempfile.TemporaryDirectory() as folder:
        setup = prepare(given.bundle, Path(folder), seconds=given.seconds, rounds=given.rounds)
        figures = measure(setup, given)
    emit(figures)


def measure(setup: Setup, given: argparse.Namespace) -> list[Figure]:
    """Part after part, each with as little else running as can be."""
    wanted, figures = set(given.only), list[Figure]()
    if "start" in wanted:
        stderr_console().print("start")
        figures.append(start(setup))
    if wanted - {"start", "peers"}:
        with serving(setup) as server:
            figures += _of_server(setup, server, given, wanted)
    if "peers" in wanted:
        figures += compare(setup, given.peers, given.peers_dir)
    return figures


def _of_server(setup: Setup, server: Server, given: argparse.Namespace, wanted: set[str]) -> list[Figure]:
    figures: list[Figure] = []
    if wanted & NEED_CAPACITY:
        stderr_console().print("throughput")
        found, capacity = throughput(setup, server)
        figures += found
        loaded: dict[str, Callable[[Capacity], list[Figure]]] = {
            "open_loop": lambda capacity: [open_loop(setup, server, capacity)],
            "overload": lambda capacity: overload(setup, server, capacity),
            "soak": lambda capacity: [soak(setup, server, capacity, minutes=given.soak_minutes)],
        }
        for part, work in loaded.items():
            if part in wanted:
                stderr_console().print(part)
                figures += work(capacity)
    if "latency" in wanted:
        stderr_console().print("latency")
        figures += added_latency(setup, server)
    if "slow_line" in wanted:
        stderr_console().print("slow_line")
        figures.append(slow_line(setup, server, gap_s=2.0, requests=given.slow_requests))
    return figures


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _check(option: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise SettingsError(f"{option}: expected some of {', '.join(known)}, found '{name}'")


if __name__ == "__main__":
    main()
