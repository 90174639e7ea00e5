"""Workers in processes of their own that are killed with -9 at random moments, over one database and one folder of pictures.

They make real pictures by plain arithmetic, quickly, so that many kills meet every step: between the pictures and the row that names them, between
a row and the next, in the middle of a heartbeat.
"""

import logging
import multiprocessing
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random
from typing import Final

import structlog

from server.imagery.worker import Habits, Worker
from server.storage.blobs import open_blobs
from server.storage.database import Database, open_database
from server.storage.imagery_events import ImageryEvents
from server.storage.imagery_jobs import ImageryJobs, Wanted
from server.storage.imagery_queue import ImageryQueue
from server.storage.imagery_tables import JobState
from tests.server.imagery.parts import GreyStudio, brief, photo
from tests.server.storage.images import order
from vision.imagery.review import State

LEASE_S: Final = 1.0
COUNT: Final = 4
_AHEAD: Final = 3  # orders that wait at any time
_LONGEST_S: Final = 0.6  # of a turn: about as long as an order takes


@dataclass(slots=True)
class Account:
    """What became of the orders.

    Attributes:
        cut_short: how many turns at an order a kill has ended.
        faults: what is wrong with the orders; none is what is promised.
    """

    kills: int = 0
    cut_short: int = 0
    orders: int = 0
    candidates: int = 0
    lost: int = 0
    twice: int = 0
    faults: list[str] = field(default_factory=list)


def killed(folder: Path, kills: int, *, seed: int, workers: int = 2) -> Account:
    """Kill so many of `workers` that work side by side, each a moment after it took up an order; then let one finish, and count."""
    chance, context = Random(seed), multiprocessing.get_context("forkserver")  # noqa: S311  (no secret)
    context.set_forkserver_preload([__name__])
    database, account = open_database(_url(folder)), Account()
    placed = _place(folder, database, _AHEAD)
    running = {name: _start(context, folder, name) for name in map(str, range(workers))}
    while account.kills < kills:
        placed += _place(folder, database, _AHEAD - _waiting(database))
        name = chance.choice(sorted(running))
        if not _busy(database, name):
            time.sleep(0.01)
            continue
        time.sleep(chance.uniform(0, _LONGEST_S))
        victim = running.pop(name)
        victim.kill()
        victim.join()
        account.kills += 1
        name = str(workers + account.kills)
        running[name] = _start(context, folder, name)
    for process in running.values():
        process.kill()
        process.join()
    time.sleep(LEASE_S + 0.1)
    last = _start(context, folder, "last", once=True)
    last.join()
    _count(folder, database, placed, account)
    database.close()
    return account


def _start(
    context: ForkServerContext, folder: Path, name: str, *, once: bool = False
) -> multiprocessing.context.ForkServerProcess:
    process = context.Process(target=_work, args=(folder, name, once), daemon=True)
    process.start()
    return process


def _work(folder: Path, name: str, once: bool) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    habits = Habits(name=name, lease_s=LEASE_S, poll_s=0.02, once=once)
    queue = ImageryQueue(open_database(_url(folder)), max_failures=1000)
    studio = GreyStudio(steps=3, step_s=0.01)
    Worker(queue, open_blobs(str(folder / "imagery")), studio, habits, threading.Event()).run()


def _place(folder: Path, database: Database, number: int) -> list[str]:
    asked, sent = brief(count=COUNT), open_blobs(str(folder / "imagery")).put(photo())
    value, now = asked.model_dump(mode="json"), datetime.now(UTC)
    orders = [order(brief=value, count=COUNT, photo_sha256=sent, created_at=now) for _ in range(number)]
    return [ImageryJobs(database).place(one)[0].id for one in orders]


def _waiting(database: Database) -> int:
    return len(ImageryJobs(database).all(Wanted(state=JobState.QUEUED)))


def _busy(database: Database, worker: str) -> bool:
    return any(one.worker == worker for one in ImageryJobs(database).all(Wanted(state=JobState.RUNNING)))


def _count(folder: Path, database: Database, placed: list[str], account: Account) -> None:
    jobs, events, blobs = ImageryJobs(database), ImageryEvents(database), open_blobs(str(folder / "imagery"))
    account.orders = len(placed)
    for job_id in placed:
        job, candidates = jobs.find(job_id), jobs.candidates(job_id)
        account.candidates += len(candidates)
        account.cut_short += job.attempt - 1
        if job.state is not JobState.DONE or any(one.state is not State.CHECKED for one in candidates):
            account.lost += 1
            account.faults.append(f"{job_id}: {job.state}: {job.reason}")
            continue
        for one in candidates:
            for sha256 in (one.master_sha256, one.preview_sha256, one.difference_sha256, one.alpha_sha256):
                blobs.get(sha256 or "")  # raises where a kill left a torn picture
        acts = Counter((number, event.act) for number, event in events.of(job_id))
        account.twice += sum(times > 1 for times in acts.values())


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'results.db'}"
