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
from server.storage.database import open_database
from server.storage.imagery_events import ImageryEvents
from server.storage.imagery_jobs import ImageryJobs
from server.storage.imagery_queue import ImageryQueue
from server.storage.imagery_tables import JobState
from tests.server.imagery.parts import GreyStudio, brief, photo
from tests.server.storage.images import order
from vision.imagery.review import State

LEASE_S: Final = 1.0
COUNT: Final = 4
_AHEAD: Final = 3  # orders that wait at any time
_LONGEST_S: Final = 1.5  # between two kills: several candidates


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
    """Kill so many of `workers` that work side by side, then let one finish, and count."""
    chance, context = Random(seed), multiprocessing.get_context("forkserver")  # noqa: S311  (no secret)
    context.set_forkserver_preload([__name__])
    placed = _place(folder, _AHEAD)
    running = [_start(context, folder, f"w{number}") for number in range(workers)]
    for kill in range(kills):
        time.sleep(chance.uniform(0, _LONGEST_S))
        victim = chance.randrange(workers)
        running[victim].kill()
        running[victim].join()
        running[victim] = _start(context, folder, f"k{kill}")
        placed += _place(folder, _AHEAD - _open(folder, placed))
    for process in running:
        process.kill()
        process.join()
    time.sleep(LEASE_S + 0.1)
    last = _start(context, folder, "last", once=True)
    last.join()
    account = _count(folder, placed)
    account.kills = kills
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


def _place(folder: Path, number: int) -> list[str]:
    database = open_database(_url(folder))
    try:
        asked, sent = brief(count=COUNT), open_blobs(str(folder / "imagery")).put(photo())
        return [
            ImageryJobs(database)
            .place(
                order(
                    brief=asked.model_dump(mode="json"),
                    count=COUNT,
                    photo_sha256=sent,
                    created_at=datetime.now(UTC),
                )
            )[0]
            .id
            for _ in range(number)
        ]
    finally:
        database.close()


def _open(folder: Path, placed: list[str]) -> int:
    database = open_database(_url(folder))
    try:
        jobs = ImageryJobs(database)
        return sum(not jobs.find(one).state.ended for one in placed)
    finally:
        database.close()


def _count(folder: Path, placed: list[str]) -> Account:
    database = open_database(_url(folder))
    blobs, account = open_blobs(str(folder / "imagery")), Account(orders=len(placed))
    try:
        jobs, events = ImageryJobs(database), ImageryEvents(database)
        for job_id in placed:
            job, candidates = jobs.find(job_id), jobs.candidates(job_id)
            account.candidates += len(candidates)
            if job.state is not JobState.DONE or any(one.state is not State.CHECKED for one in candidates):
                account.lost += 1
                account.faults.append(f"{job_id}: {job.state}: {job.reason}")
                continue
            for one in candidates:
                for sha256 in (
                    one.master_sha256,
                    one.preview_sha256,
                    one.difference_sha256,
                    one.alpha_sha256,
                ):
                    blobs.get(sha256 or "")  # raises where a kill left a torn picture
            account.cut_short += job.attempt - 1
            acts = Counter((number, event.act) for number, event in events.of(job_id))
            account.twice += sum(times > 1 for times in acts.values())
    finally:
        database.close()
    return account


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'results.db'}"
