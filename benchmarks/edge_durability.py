"""What is left of a line's parts after kill -9 and after power cuts. Long; goes on where it was stopped with the same --work.

    python benchmarks/edge_durability.py [--kills 1000] [--model-kills 50] [--cuts 4000] [--work DIR]

A line is killed beside a conveyor that does not stop, at every step of a part in turn, first with a stand-in instead of a model, then with
ResNet-50, while it reports to a `loupe serve`. Power cuts are simulated on a recorded trace of the ledger's writes (edge.rig.power_cut).
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first
    sys.path[0] = str(Path(__file__).parents[1])

import json
import logging
import shutil
import sqlite3
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from random import Random

from rich.progress import Progress

from benchmarks.common import Figure, emit, parser
from edge.ledger import FILE, Outcome
from edge.parts import Step
from edge.rig.kills import ON_THE_WAY, Account, conveyor, kill_at, last_life
from edge.rig.ledger_trial import faults, traced
from edge.rig.plc import COUNTER, HEARTBEAT, Plc, plc
from vision.files import write_json

DUE_S = 0.15
_DRAINING = 5  # further lives, at most
TRACED_PARTS = 400  # enough for the journal to be carried over into the ledger's file


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Kills of one kind: with a stand-in, or with a model. `period_s`: between parts, within what the model can do."""

    name: str
    kills: int
    stand_in: bool
    period_s: float


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--kills", type=int, default=1000, help="with a stand-in")
    options.add_argument("--model-kills", type=int, default=50, help="with ResNet-50")
    options.add_argument("--cuts", type=int, default=4000, help="simulated power cuts")
    options.add_argument("--work", type=Path, help="a folder to go on in")
    given = options.parse_args()
    logging.getLogger("pymodbus").setLevel(
        logging.CRITICAL
    )  # the PLC would tell of each connection that a kill cuts
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        prepare(work)
        with Progress(disable=not sys.stderr.isatty()) as progress:
            figures = [
                *killed(
                    work, Series(name="stand_in", kills=given.kills, stand_in=True, period_s=0.02), progress
                ),
                *killed(
                    work,
                    Series(name="resnet50", kills=given.model_kills, stand_in=False, period_s=0.1),
                    progress,
                ),
                *cut(given.cuts, progress),
            ]
    emit(figures)


def prepare(work: Path) -> None:
    """Pictures and a bundle, unless an earlier run left them."""
    from benchmarks.edge import bundle, pictures  # noqa: PLC0415  (torch: every life of the line imports this script)

    if not (work / "parts").exists():
        pictures(work)
    if not (work / "large").exists():
        bundle(work, "large", "resnet50", 224)


def killed(work: Path, series: Series, progress: Progress) -> list[Figure]:
    """Kill a line so often, and account for every part that its PLC counted."""
    if not series.kills:
        return []
    folder = work / series.name
    shutil.rmtree(
        folder, ignore_errors=True
    )  # the PLC of an unfinished series is gone, and its count with it
    folder.mkdir()
    steps: Counter[Step] = Counter()
    finished = folder.with_suffix(".json")
    if finished.exists():
        return [Figure(**one) for one in json.loads(finished.read_text())]
    with plc() as gate, server(folder) as address:
        config = line(folder, work, gate, address)
        station = folder / "data" / "line"
        last_life(config, station, gate, stand_in=series.stand_in)
        task = progress.add_task(f"kill -9, {series.name}", total=series.kills)
        with conveyor(gate, series.period_s):
            for number in range(series.kills):
                step = tuple(Step)[number % len(Step)]
                steps += kill_at(config, step, chance=Random(number), stand_in=series.stand_in)  # noqa: S311  (no secret)
                progress.advance(task)
        account = last_life(config, station, gate, stand_in=series.stand_in)
        for _ in range(_DRAINING):  # what is not reported when a line ends waits for the next start
            if at_server(folder).keys() >= in_ledger(station).keys():
                break
            account = last_life(config, station, gate, stand_in=series.stand_in)
        differing = set(at_server(folder).items()) ^ set(in_ledger(station).items())
        counted_twice = counted_at_server(folder) - len(in_ledger(station))
    figures = [
        *figures_of(series, account, steps),
        Figure(
            name=f"edge_kills_{series.name}_lost_or_doubled_at_server",
            value=len(differing) + abs(counted_twice),
            unit="parts",
            target="<= 0",
            runs=series.kills,
            note=f"{len(in_ledger(station))} rows of the ledger against the server's",
        ),
    ]
    write_json(finished, [asdict(one) for one in figures])
    return figures


def figures_of(series: Series, account: Account, steps: Counter[Step]) -> list[Figure]:
    met = ", ".join(f"{step} {steps[step]}" for step in ON_THE_WAY)
    note = f"{account.counted} parts, {series.kills} kills; interrupted after: {met}"
    return [
        Figure(name=f"edge_kills_{series.name}_lost", value=account.lost, unit="parts", target="<= 0", runs=series.kills, note=note),
        Figure(
            name=f"edge_kills_{series.name}_contradictions",
            value=len(account.contradictions),
            unit="outcomes",
            target="<= 0",
            runs=series.kills,
            note="; ".join(account.contradictions) or "every verdict kept had its pulse, and no pulse is without a row",
        ),
        Figure(
            name=f"edge_kills_{series.name}_least_hit_step",
            value=min(steps[step] for step in ON_THE_WAY),
            unit="parts",
            target=">= 20" if series.stand_in else None,
            runs=series.kills,
        ),
    ]  # fmt: skip


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A `loupe serve` without models that keeps what is reported; its address."""
    (folder / "models").mkdir()
    command = ["serve", "--models", "models", "--listen", "127.0.0.1:0", "--http", "", "--json"]
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("loupe")), *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None  # noqa: S101  (it is a pipe)
        yield json.loads(process.stdout.readline())["listen"]
    finally:
        process.terminate()
        process.wait(30)


Parts = dict[tuple[str, int], tuple[str, str]]


def in_ledger(station: Path) -> Parts:
    """Outcome and reason by boot and part."""
    return parts(station / FILE, "SELECT boot, part, outcome, reason FROM part WHERE outcome IS NOT NULL")


def at_server(folder: Path) -> Parts:
    return parts(results(folder), "SELECT boot, part, outcome, reason FROM station_results")


def parts(file: Path, query: str) -> Parts:
    with closing(sqlite3.connect(file)) as connection:
        return {(boot, part): (outcome, reason) for boot, part, outcome, reason in connection.execute(query)}


def counted_at_server(folder: Path) -> int:
    """Parts by the server's own counters, which go up with each part that is kept."""
    kept = " + ".join(f"kept_{outcome}" for outcome in Outcome)
    with closing(sqlite3.connect(results(folder))) as connection:
        (count,) = connection.execute(f"SELECT coalesce(sum({kept}), 0) FROM stations").fetchone()  # noqa: S608  (our own columns)
    return int(count)


def results(folder: Path) -> Path:
    return folder / "loupe-data" / "results.db"


def line(folder: Path, work: Path, gate: Plc, server: str) -> Path:
    address = f"127.0.0.1:{gate.port}"
    config = folder / "line.toml"
    config.write_text(
        f"""
        data = "{folder / "data"}"
        uplink = {{ server = "{server}" }}
        [[station]]
        name = "line"
        bundle = "{work / "large"}"
        due_s = {DUE_S}
        late_s = 0.05
        trigger = {{ kind = "modbus", address = "{address}", register = {COUNTER}, poll_s = 0.002 }}
        camera = {{ kind = "folder", folder = "{work / "parts"}", again = true }}
        actuator = {{ kind = "modbus", address = "{address}", coils = {{ accept = 0, reject = 1, review = 2 }}, pulse_s = 0.01, heartbeat = {HEARTBEAT} }}
        """
    )
    return config


def cut(cuts: int, progress: Progress) -> list[Figure]:
    """Cut the power at moments of a recorded run, half of the times with unsynced writes torn."""
    if not cuts:
        return []
    with tempfile.TemporaryDirectory() as temporary:
        events = traced(Path(temporary) / "traced", TRACED_PARTS)
        wrong = []
        task = progress.add_task("power cuts", total=cuts)
        for number in range(cuts):
            left = Path(temporary) / str(number)
            left.mkdir()
            moment = round(number * len(events) / max(cuts - 1, 1))
            wrong += faults(events[:moment], left, Random(number) if number % 2 else None)  # noqa: S311  (no secret)
            shutil.rmtree(left)
            progress.advance(task)
    return [
        Figure(
            name="edge_power_cuts_broken_promises",
            value=len(wrong),
            unit="promises",
            target="<= 0",
            runs=cuts,
            note="; ".join(wrong[:3])
            or f"{TRACED_PARTS} parts, {len(events)} recorded events; unsynced writes lost, or torn by sectors",
        )
    ]


if __name__ == "__main__":
    main()
