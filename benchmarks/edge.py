"""What a station at the line costs, keeps up with, and how evenly its gate moves.

    python benchmarks/edge.py [--only PART,...] [--soak-minutes 2]

A simulated PLC with a conveyor and a gate runs in this process; each line is a `loupe edge run` of its own. The models are untrained and
answer nonsense at full speed; pictures are JPEGs of one megapixel in a folder. Times come from the rows of the ledger and, for the gate, from the PLC.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first
    sys.path[0] = str(Path(__file__).parents[1])

import json
import os
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import psutil

from benchmarks.common import Figure, emit, parser
from benchmarks.inspection import photograph
from benchmarks.untrained import at_one_size, untrained_bundle
from edge.ledger import FILE, Outcome, audit
from edge.rig.plc import COUNTER, HEARTBEAT, Plc, plc
from training.recipe import read_recipe
from vision.qualify import qualify
from vision.settings import Settings

PARTS = ("overhead", "two_stations", "resnet50", "slow_line", "soak", "installed")
ROOT = Path(__file__).parents[1]
DUE_S = 0.25
POLL_S = 0.002
SLOW_PARTS = 150  # of fewer the 99th percentile would be the slowest


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What came of one line.

    Attributes:
        rows: of each station, its parts' timings in milliseconds.
        missed: timeouts and faults.
        off_ms: how long after it was due each part's gate began to move.
    """

    rows: tuple[tuple[dict[str, float], ...], ...]
    missed: int
    parts: int
    off_ms: tuple[float, ...]
    ready_s: float
    resident_over_time_mib: tuple[float, ...]

    @property
    def resident_mib(self) -> float:
        return self.resident_over_time_mib[-1]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--only", default=",".join(PARTS), help=f"which of {', '.join(PARTS)}")
    options.add_argument("--soak-minutes", type=float, default=2.0)
    given = options.parse_args()
    wanted = set(given.only.split(","))
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        pictures(work)
        if wanted & {"overhead", "two_stations", "soak"}:
            bundle(work, "small", "resnet18", 128)
        if wanted & {"resnet50", "slow_line"}:
            bundle(work, "large", "resnet50", 224)
        for measure in (overhead, two_stations, resnet50, slow_line):
            if measure.__name__ in wanted:
                figures += measure(work)
        if "soak" in wanted:
            figures += soak(work, given.soak_minutes)
        if "installed" in wanted:
            figures += installed(work)
    emit(figures)


def pictures(work: Path) -> None:
    (work / "parts").mkdir()
    jpeg = photograph(1000, 1000, quality_percent=90)
    for number in range(8):
        (work / "parts" / f"{number}.jpg").write_bytes(jpeg)


def bundle(work: Path, name: str, backbone: str, side: int) -> None:
    """An untrained bundle, qualified for this machine."""
    recipe = at_one_size(read_recipe(backbone), side)
    qualify(untrained_bundle(work / name, recipe), settings=Settings(cache_dir=work / "cache"))


def overhead(work: Path) -> list[Figure]:
    """Of a prepared frame until the gate has moved, without the model's own time."""
    shift = work_shift(work, ["small"], parts=200, period_s=0.1)
    costs = [
        row["kept"] - row["captured"] - row["prepare"] - row["model"] + row["driven"] - 1e3 * DUE_S
        for row in shift.rows[0]
    ]
    middle, high = np.percentile(costs, [50, 99])
    waits = np.median([row["kept"] - row["judged"] for row in shift.rows[0]])
    prepares = np.median([row["prepare"] for row in shift.rows[0]])
    note = f"{shift.parts} parts, 0.1 s apart; of it waiting for the row {waits:.2f} ms; preparing takes another {prepares:.2f} ms"
    offs = np.array(shift.off_ms)
    return [
        Figure(
            name="edge_overhead_p50_ms", value=round(float(middle), 3), unit="ms", target="<= 1.5", note=note
        ),
        Figure(name="edge_overhead_p99_ms", value=round(float(high), 3), unit="ms", target="<= 5", note=note),
        Figure(
            name="edge_gate_jitter_p99_ms",
            value=round(float(np.percentile(np.abs(offs - np.median(offs)), 99)), 3),
            unit="ms",
            target="<= 3",
            runs=len(offs),
            note=f"around the median of {np.median(offs):.2f} ms after the due time, as the PLC saw it; counter read every {1e3 * POLL_S:.0f} ms",
        ),
        Figure(
            name="edge_ready_s",
            value=round(shift.ready_s, 3),
            unit="s",
            target="<= 3",
            note="first heartbeat; ResNet-18",
        ),
    ]


def two_stations(work: Path) -> list[Figure]:
    """600 parts a minute on each of two stations with a small backbone."""
    shift = work_shift(work, ["small", "small"], parts=300, period_s=0.1)
    return [
        missed(
            "edge_missed_two_stations",
            shift,
            "ResNet-18 at 128 px, 600 parts a minute on each of two stations",
        )
    ]


def resnet50(work: Path) -> list[Figure]:
    """200 parts a minute with int8 ResNet-50 at 224 px."""
    shift = work_shift(work, ["large"], parts=100, period_s=0.3)
    return [
        missed("edge_missed_resnet50", shift, "ResNet-50 at 224 px, 200 parts a minute"),
        Figure(
            name="edge_resident_mib",
            value=round(shift.resident_mib, 1),
            unit="MiB",
            target="<= 300",
            note="one station, ResNet-50",
        ),
    ]


def slow_line(work: Path) -> list[Figure]:
    """Two seconds between parts: nothing may fall asleep."""
    shift = work_shift(work, ["large"], parts=SLOW_PARTS, period_s=2.0)
    taken = [row["kept"] for row in shift.rows[0]]
    middle, high = np.percentile(taken, [50, 99])
    return [
        Figure(
            name="edge_slow_line_p99_over_p50",
            value=round(float(high / middle), 3),
            unit="ratio",
            target="<= 1.5",
            runs=len(taken),
            note=f"from the trigger to the decision: {high:.1f} over {middle:.1f} ms; ResNet-50 at 224 px",
        )
    ]


def soak(work: Path, minutes: float) -> list[Figure]:
    """600 parts a minute for a while: nothing may grow."""
    shift = work_shift(work, ["small"], parts=max(100, round(600 * minutes)), period_s=0.1)
    half = len(shift.resident_over_time_mib) // 2
    grown = max(shift.resident_over_time_mib[half:]) - max(shift.resident_over_time_mib[:half])
    return [
        Figure(
            name="edge_soak_growth_mib",
            value=round(grown, 2),
            unit="MiB",
            target="<= 2",
            runs=shift.parts,
            note=f"highest resident memory of the second half of {minutes:g} min over that of the first; {shift.missed} parts without a verdict",
        )
    ]


def installed(work: Path) -> list[Figure]:
    """What `pip install loupe[edge]` puts on a disk, with all it needs."""
    environment = work / "installed"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = f"--python={environment / 'bin' / 'python'}"
    install = [sys.executable, "-m", "pip", python, "install", "--quiet", "--no-compile"]
    subprocess.run([*install, "--constraint", ROOT / "constraints.txt", f"{ROOT}[edge]"], check=True)
    size = sum(path.lstat().st_size for path in environment.rglob("*") if path.is_file()) / 1e6
    return [
        Figure(
            name="edge_installed_mb",
            value=round(size, 1),
            unit="MB",
            target="<= 450",
            note="the environment's files, without bytecode",
        )
    ]


def missed(name: str, shift: Shift, what: str) -> Figure:
    """How many parts had no verdict at the gate in time."""
    taken = [row["kept"] for rows in shift.rows for row in rows]
    return Figure(
        name=name,
        value=shift.missed,
        unit="parts",
        target="<= 0",
        runs=shift.parts,
        note=f"{what}, due after {DUE_S} s; decided after {np.median(taken):.1f} ms at the median, {np.percentile(taken, 99):.1f} ms at p99",
    )


def work_shift(work: Path, bundles: Sequence[str], *, parts: int, period_s: float) -> Shift:
    """One `loupe edge run` with a station and a PLC for each bundle, until every part has its outcome."""
    data = Path(tempfile.mkdtemp(prefix="shift-", dir=work))
    with plc() as first, plc() as second:
        gates = [first, second][: len(bundles)]
        write_line(work, data, bundles, gates)
        with (
            running(data / "line.toml", work, gates) as (process, ready_s),
            resident_memory(process.pid) as resident,
        ):
            convey(gates, parts, period_s)
            time.sleep(4 * DUE_S)
        ledgers = [data / "data" / f"station{number}" for number in range(len(bundles))]
        found = [audit(one) for one in ledgers]
        verdicts = (Outcome.ACCEPT, Outcome.REJECT, Outcome.REVIEW)
        judged = sum(one.outcomes[verdict] for one in found for verdict in verdicts)
        offs = [
            1e3 * (moved - passed - DUE_S)
            for gate in gates
            for passed, (moved, _) in zip(gate.parts, gate.gate(), strict=False)
        ]
        return Shift(
            rows=tuple(timings(one) for one in ledgers),
            missed=len(gates) * parts - judged,
            parts=len(gates) * parts,
            off_ms=tuple(offs),
            ready_s=ready_s,
            resident_over_time_mib=tuple(resident),
        )


@contextmanager
def resident_memory(pid: int) -> Iterator[list[float]]:
    """MiB, every second."""
    process, seen, ending = psutil.Process(pid), list[float](), threading.Event()

    def watch() -> None:
        while not ending.wait(1.0):
            seen.append(process.memory_info().rss / 2**20)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ending.set()
        watcher.join()


def convey(gates: Sequence[Plc], parts: int, period_s: float) -> None:
    """All conveyors at once, half a period apart."""
    others = [threading.Thread(target=gate.convey, args=(parts, period_s)) for gate in gates[1:]]
    for other in others:
        other.start()
        time.sleep(period_s / 2)
    gates[0].convey(parts, period_s)
    for other in others:
        other.join()


def timings(ledger: Path) -> tuple[dict[str, float], ...]:
    """Of the parts that got a verdict."""
    connection = sqlite3.connect(ledger / FILE)
    try:
        rows = connection.execute(
            "SELECT timings FROM part WHERE outcome NOT IN ('timeout', 'fault')"
        ).fetchall()
    finally:
        connection.close()
    return tuple(json.loads(row) for (row,) in rows)


def write_line(work: Path, data: Path, bundles: Sequence[str], gates: Sequence[Plc]) -> None:
    tables = [f'data = "{data / "data"}"']
    for number, (name, gate) in enumerate(zip(bundles, gates, strict=True)):
        address = f"127.0.0.1:{gate.port}"
        tables.append(
            f"""
            [[station]]
            name = "station{number}"
            bundle = "{work / name}"
            due_s = {DUE_S}
            trigger = {{ kind = "modbus", address = "{address}", register = {COUNTER}, poll_s = {POLL_S} }}
            camera = {{ kind = "folder", folder = "{work / "parts"}", again = true }}
            actuator = {{ kind = "modbus", address = "{address}", coils = {{ accept = 0, reject = 1, review = 2 }}, pulse_s = 0.02, heartbeat = {HEARTBEAT} }}
            """
        )
    (data / "line.toml").write_text("\n".join(tables))


@contextmanager
def running(
    line: Path, work: Path, gates: Sequence[Plc]
) -> Iterator[tuple["subprocess.Popen[bytes]", float]]:
    """The process, once all hearts beat, and how long that took."""
    loupe = str(Path(sys.executable).with_name("loupe"))
    started = time.perf_counter()
    process = subprocess.Popen(
        [loupe, "edge", "run", "--config", str(line), "--json"],
        env=os.environ | {"LOUPE_CACHE_DIR": str(work / "cache")},
        stdout=subprocess.DEVNULL,
    )
    try:
        while not all(gate.beats and gate.reads > 2 for gate in gates):
            if process.poll() is not None:
                raise SystemExit(f"loupe edge run ended with {process.returncode}")
            time.sleep(0.005)
        yield process, time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


if __name__ == "__main__":
    main()
