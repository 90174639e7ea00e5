"""`loupe imagery worker`: makes the images that were ordered at a server, beside it or on another machine."""

import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from server.config import Config, bundle_trust, read_config
from server.imagery.studio import SceneStudio
from server.imagery.worker import Habits, Worker
from server.logs import configure
from server.storage.blobs import open_blobs
from server.storage.database import open_database
from server.storage.imagery_queue import ImageryQueue, Work
from server.storage.imagery_tables import AttemptEnd
from vision.commands.options import DtypeOption, HubOption, OffloadOption
from vision.commands.output import JsonFlag, Output
from vision.imagery.likeness import Classifiers, open_classifiers
from vision.settings import read_settings


def worker(
    config: Annotated[
        Path | None,
        typer.Option(help="The server's loupe.toml: database, pictures and lease.", show_default=False),
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="Folder of scene models, each a folder.", show_default=False)
    ] = None,
    name: Annotated[
        str, typer.Option(help="As it is recorded. [the machine's name and the process id]")
    ] = "",
    generator: Annotated[
        list[str],
        typer.Option(
            "--generator", help="Take only orders of these; may come several times.", show_default=False
        ),
    ] = [],  # noqa: B006  (typer reads the default)
    device: Annotated[
        str, typer.Option(help="What a trained scene model runs on: cpu, cuda, cuda:N.")
    ] = "cpu",
    dtype: DtypeOption = "float32",
    offload: OffloadOption = False,
    allow_hub: HubOption = False,
    threads: Annotated[
        int, typer.Option(min=1, help="Of the processor; another number may give other pixels.")
    ] = 1,
    once: Annotated[bool, typer.Option("--once", help="Leave when no order waits.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Logs as JSON, one line an event.")] = False,
    json: JsonFlag = False,
) -> None:
    """Make images that were ordered, one order after the other, until SIGTERM; the order at hand then waits for another worker.

    Start as many as there are devices; each keeps one scene model in memory. One that is killed costs the candidate it was at, and no more.
    It does not start where device, types of numbers, cut-out network or bundles cannot be used; orders of scene models that it has not are left to others.

    Example: `loupe imagery worker --config loupe.toml`
    """
    configure(as_json=log_json)
    output, effective = Output(json), _read(config, models)
    leaving = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leaving.set())
    habits = Habits(
        name=name or f"{socket.gethostname()}-{os.getpid()}",
        lease_s=effective.imagery.lease_s,
        once=once,
    )
    studio = SceneStudio(
        models=effective.imagery.models,
        device=device,
        dtype=dtype,
        offload=offload,
        threads=threads,
        allow_hub=allow_hub,
        classifiers=_classifiers(effective),
        only=generator or None,
    )
    studio.check()
    started = time.monotonic()
    database = open_database(effective.storage.database)
    try:
        queue = ImageryQueue(database, max_failures=effective.imagery.max_failures)
        output.say(f"worker {habits.name}: waiting for orders of {', '.join(studio.generators)}")
        ends = Worker(queue, open_blobs(effective.imagery.images), studio, habits, leaving).run(
            lambda work, end: _tell(output, work, end)
        )
    finally:
        database.close()
    counts = {end.value: ends[end] for end in AttemptEnd}
    output.result(
        {"worker": habits.name, "turns": counts, "seconds": round(time.monotonic() - started, 3)},
        escape(
            f"{habits.name}: " + (", ".join(f"{n} {end}" for end, n in counts.items() if n) or "no order")
        ),
    )


def _read(config: Path | None, models: Path | None) -> Config:
    given = {"imagery.models": models, "models": None if config else "models"}
    return read_config(config, given)


def _classifiers(config: Config) -> Classifiers:
    trusted, required = bundle_trust(config, read_settings())
    return open_classifiers(
        config.imagery.catalog, config.imagery.inspection, trusted=trusted, require_signature=required
    )


def _tell(output: Output, work: Work, end: AttemptEnd) -> None:
    output.say(f"job {work.lease.job_id}: {end}")
