"""What is left of ordered images when their workers are killed with -9 again and again; and what a worker takes that does nothing.

    python benchmarks/imagery_jobs.py [--kills 100] [--real-kills 10] --json
    python benchmarks/imagery_jobs.py --long --json     # 100 kills of real workers as well

First with a stand-in for the scenes, so that many kills meet every step of keeping what was made; then with real workers beside a real server, each
killed at a random moment after it has taken up an order. Then everything is finished, approved by a second person and exported by two callers at
once. Some minutes; with `--long` ten times as many for the real workers, of which a figure tells how long each kill takes.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first
    sys.path[0] = str(Path(__file__).parents[1])

import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random

from benchmarks.common import Figure, emit, parser
from benchmarks.processes import Tree, stop
from tests.e2e.ateliers import People, furnished, order, start_worker
from tests.e2e.serving import serving
from tests.server.imagery.kills import killed
from vision.client import Client
from vision.client.imagery_values import JobState
from vision.errors import LoupeError
from vision.imagery.review import State

ORDERS = 8
COUNT = 4
SIDE = 512
KILLS = 100
SHORT = 10  # kills of real workers where not all are wanted
SEED = 20261128


@dataclass
class Real:
    """What became of the real workers' orders.

    Attributes:
        kills_s: seconds that the kills took, each with the start of its worker.
        in_the_middle: kills of a worker that was at an order.
        exported: files; `exported_twice`: of these, those that went out as two.
    """

    kills: int = 0
    kills_s: float = 0.0
    in_the_middle: int = 0
    lost: int = 0
    twice: int = 0
    exported: int = 0
    exported_twice: int = 0
    faults: list[str] = field(default_factory=list)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--kills", type=int, default=KILLS, help="with a stand-in for the scenes")
    options.add_argument(
        "--real-kills",
        type=int,
        help=f"of real workers beside a real server; {SHORT}, and {KILLS} with --long",
    )
    options.add_argument("--long", action="store_true", help="kill real workers as often as the stand-in")
    given = options.parse_args()
    real_kills = (KILLS if given.long else SHORT) if given.real_kills is None else given.real_kills
    emit(figures(kills=given.kills, real_kills=real_kills))


def figures(*, kills: int = KILLS, real_kills: int = SHORT) -> list[Figure]:
    """Over so many kills."""
    with tempfile.TemporaryDirectory() as name:
        stand_in = killed(Path(name), kills, seed=SEED)
    with tempfile.TemporaryDirectory() as name:
        real, start_s, idle_mib = _real(Path(name), real_kills)
    runs, faults = stand_in.kills + real.kills, [*stand_in.faults, *real.faults]
    note = (
        f"{stand_in.kills} kills over {stand_in.orders} orders with a stand-in, {stand_in.cut_short} of these at an order; {real.kills} of real workers, {real.in_the_middle} of these at an "
        f"order; {'; '.join(faults) or 'no fault'}"
    )
    return [
        Figure(name="imagery_orders_lost", value=stand_in.lost + real.lost, unit="orders", target="<= 0", runs=runs, note=note),
        Figure(name="imagery_candidates_made_twice", value=stand_in.twice + real.twice, unit="images", target="<= 0", runs=runs),
        Figure(
            name="imagery_exported_twice", value=real.exported_twice, unit="images", target="<= 0", runs=real.exported,
            note="each asked for by two callers at once, and again",
        ),
        Figure(
            name="imagery_real_kill", value=round(real.kills_s / max(real.kills, 1), 2), unit="s", runs=real.kills,
            note="a real worker started, at an order, and killed",
        ),
        Figure(
            name="imagery_worker_start", value=round(statistics.median(start_s), 2), unit="s", runs=len(start_s),
            spread=(round(min(start_s), 2), round(max(start_s), 2)), note="from the command to the first look for orders",
        ),
        Figure(name="imagery_worker_idle_memory", value=round(idle_mib, 1), unit="MiB", note="without a scene model"),
    ]  # fmt: skip


def _real(folder: Path, kills: int) -> tuple[Real, list[float], float]:
    imagery = {**furnished(folder), "lease_s": 1.0, "max_failures": 100}
    with serving(folder, imagery=imagery) as server:
        people = People(server)
        with people.client("kim") as kim, people.client("ada") as ada:
            start_s, idle_mib = _idle(folder)
            account = _killed(folder, kim, kills)
            _exported(kim, ada, account)
    return account, start_s, idle_mib


def _idle(folder: Path, starts: int = 3) -> tuple[list[float], float]:
    """How long workers take until they look for orders, and what one takes that finds none."""
    seconds, mib = [], 0.0
    for _ in range(starts):
        began = time.perf_counter()
        process = start_worker(folder, stderr=subprocess.PIPE)
        _wait_until_ready(process)
        seconds.append(time.perf_counter() - began)
        time.sleep(1.0)
        mib = Tree.of(process.pid).resident_mib()
        stop(process)
        process.communicate()
    return seconds, mib


def _wait_until_ready(process: "subprocess.Popen[str]") -> None:
    said = iter(process.stderr or ())
    while "waiting for orders" not in next(said, "waiting for orders"):
        _check_alive(process)
    _check_alive(process)


def _check_alive(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        raise RuntimeError(f"expected a worker that runs, found that it ended with {process.returncode}")


def _killed(folder: Path, kim: Client, kills: int) -> Real:
    """Kill so many workers over orders that are renewed as they end, then let one finish all."""
    account, chance = Real(), Random(SEED)  # noqa: S311  (no secret)
    jobs = [_ordered(kim)]
    _finish(folder, kim, jobs)
    longest_s = 1.5 * max(one.device_s for one in kim.imagery.get(jobs[0]).candidates)
    jobs += [_ordered(kim) for _ in range(ORDERS - 1)]
    began = time.perf_counter()
    while account.kills < kills:
        before, name = _attempts(kim, jobs), f"victim-{account.kills}"
        victim = start_worker(folder, "--name", name)
        while _attempts(kim, jobs) == before:
            if _open(kim, jobs) == 0:
                jobs.append(_ordered(kim))
            time.sleep(0.05)
        time.sleep(chance.uniform(0, longest_s))
        busy = [job.worker for job in kim.imagery.jobs(state=JobState.RUNNING, limit=500)]
        victim.kill()
        victim.communicate()
        account.kills += 1
        account.in_the_middle += name in busy
    account.kills_s = time.perf_counter() - began
    _finish(folder, kim, jobs)
    _count(kim, jobs, account)
    return account


def _finish(folder: Path, kim: Client, jobs: Sequence[str]) -> None:
    """Have one worker finish all that is open."""
    survivor = start_worker(folder, "--name", "survivor")
    while _open(kim, jobs):
        _check_alive(survivor)
        time.sleep(0.5)
    stop(survivor)
    survivor.communicate()


def _ordered(kim: Client) -> str:
    return kim.imagery.create(order(count=COUNT, size_wh=(SIDE, SIDE)))[0].id


def _attempts(kim: Client, jobs: Sequence[str]) -> int:
    return sum(job.attempts for job in kim.imagery.jobs(limit=500) if job.id in set(jobs))


def _open(kim: Client, jobs: Sequence[str]) -> int:
    return sum(not job.state.ended for job in kim.imagery.jobs(limit=500) if job.id in set(jobs))


def _count(kim: Client, jobs: Sequence[str], account: Real) -> None:
    for job_id in jobs:
        job = kim.imagery.get(job_id)
        if job.state is not JobState.DONE or any(one.state is not State.CHECKED for one in job.candidates):
            account.lost += 1
            account.faults.append(f"{job_id}: {job.state} {job.reason}")
        acts = Counter((event.number, event.act) for event in kim.imagery.history(job_id))
        account.twice += sum(count > 1 for count in acts.values())


def _exported(kim: Client, ada: Client, account: Real) -> None:
    """Every second candidate, by two at once and once more; a file must have gone out once."""
    with ThreadPoolExecutor(2) as threads:
        for job in kim.imagery.jobs(state=JobState.DONE, limit=500):
            for number in range(1, COUNT + 1, 2):
                kim.imagery.review(job.id, number, "propose")
                ada.imagery.review(job.id, number, "approve")
                try:
                    sent = list(
                        threads.map(
                            lambda client, job=job, number=number: client.imagery.export(job.id, number),
                            (kim, ada),
                        )
                    )
                    sent.append(kim.imagery.export(job.id, number))
                except LoupeError as error:
                    account.faults.append(f"{job.id}, candidate {number}: {error}")
                    continue
                events = [
                    one for one in kim.imagery.history(job.id) if one.number == number and one.act == "export"
                ]
                account.exported += 1
                account.exported_twice += len({one.sha256 for one in sent}) > 1 or len(events) > 1


if __name__ == "__main__":
    main()
