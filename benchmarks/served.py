"""The things under test, started for a benchmark: `loupe serve` as its users start it, and the program without a server.

Knows how to start, ask and stop them; which figures follow is `benchmarks.serving_figures`'s to say.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.generator import ROOT
from benchmarks.inspection import photograph
from benchmarks.processes import Tree, stop
from benchmarks.untrained import untrained_bundle
from vision.bundle import Bundle, open_bundle
from vision.machine import this_machine
from vision.qualify import Choice, qualify
from vision.settings import Settings
from vision.v1 import models_pb2, models_pb2_grpc

_START_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all measurements share.

    Attributes:
        choice: the file and threads that the bundle is qualified for here.
        work: a folder for everything that is written.
        seconds: of one measured window.
        rounds: how often things are measured in turns.
    """

    bundle: Bundle
    choice: Choice
    work: Path
    seconds: float
    rounds: int

    @property
    def workers(self) -> int:
        """How many batches the server runs side by side."""
        return self.choice.threads if self.choice.threads > 1 else this_machine().cores

    @property
    def image(self) -> Path:
        return self.work / "part.jpg"

    @property
    def model(self) -> Path:
        return self.work / "model.onnx"

    @property
    def models(self) -> Path:
        return self.work / "models"

    @property
    def cache(self) -> Path:
        return self.work / "cache"

    def note(self) -> str:
        """The conditions that a figure depends on."""
        flags = sorted(
            flag for flag in this_machine().flags if "vnni" in flag or "bf16" in flag or "amx" in flag
        )
        kilobytes = self.image.stat().st_size // 1000
        return (
            f"{self.choice.file} on {self.choice.threads} threads, {kilobytes} kB JPEG of 900x687, "
            f"CPU flags {' '.join(flags) or 'without VNNI and bf16'}"
        )


def prepare(bundle: Path | None, work: Path, *, seconds: float, rounds: int) -> Setup:
    """Lay out a folder of models with one bundle in it, qualified for this machine, and the picture to send."""
    (work / "models").mkdir()
    if bundle is None:
        opened = untrained_bundle(work / "untrained")
        shutil.move(opened.path, work / "models" / "untrained")
    elif bundle.is_dir():
        shutil.copytree(bundle, work / "models" / bundle.name)
    else:
        shutil.copy(bundle, work / "models" / bundle.name)
    opened = open_bundle(next((work / "models").iterdir()))
    qualified = qualify(opened, settings=Settings(cache_dir=work / "cache"))
    setup = Setup(bundle=opened, choice=qualified.choice, work=work, seconds=seconds, rounds=rounds)
    setup.image.write_bytes(photograph(900, 687, quality_percent=92))
    setup.model.write_bytes(opened.read(qualified.choice.file))
    return setup


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running `loupe serve`.

    Attributes:
        ready_s: from its start to health SERVING.
        per_item_s, per_batch_s: of the model's run, as it measured them itself.
    """

    address: str
    pid: int
    ready_s: float
    resident_mib: float
    per_item_s: float
    per_batch_s: float


@contextmanager
def serving(setup: Setup) -> Iterator[Server]:
    """`loupe serve` on a free port of the loopback, with its defaults and its storage in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="server-", dir=setup.work))
    command = [
        sys.executable, str(Path(sys.executable).with_name("loupe")), "serve", "--models", str(setup.models),
        "--listen", "127.0.0.1:0", "--http", "", "--json",
    ]  # fmt: skip
    environment = os.environ | {"LOUPE_CACHE_DIR": str(setup.cache)}
    started = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log)
    try:
        yield _ask(process, started, folder / "log", setup.choice)
    finally:
        stop(process)
        if process.stdout is not None:
            process.stdout.close()
        shutil.rmtree(folder)


def _ask(process: subprocess.Popen[bytes], started: float, log: Path, choice: Choice) -> Server:
    line = process.stdout.readline() if process.stdout is not None else b""
    if not line:
        raise RuntimeError(f"loupe serve did not start: {log.read_text()[-2000:]}")
    address = json.loads(line)["listen"]
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=_START_S, wait_for_ready=True)
        ready_s = time.perf_counter() - started
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise RuntimeError(f"loupe serve is not healthy: {log.read_text()[-2000:]}")
        models = models_pb2_grpc.ModelServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        listed = models.ListModels(models_pb2.ListModelsRequest())
    (model,) = listed.models
    if model.state != models_pb2.MODEL_STATE_READY:
        raise RuntimeError(f"loupe serve has no model: {model.detail}")
    if model.ref.file != choice.file:
        raise RuntimeError(f"expected the qualified {choice.file} to be served, found {model.ref.file}")
    return Server(
        address=address,
        pid=process.pid,
        ready_s=ready_s,
        resident_mib=Tree.of(process.pid).resident_mib(),
        per_item_s=model.cost_per_image_ms / 1e3,
        per_batch_s=model.cost_per_batch_ms / 1e3,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What the program without a server reaches with so many runs side by side, each on so many threads, of one batch size."""

    beside: int
    threads: int
    batch: int
    images_per_s: float
    cpu_s_per_image: float

    @property
    def way(self) -> str:
        return f"{self.beside}x{self.threads}x{self.batch}"


def ceiling(setup: Setup, ways: Sequence[str] | None = None) -> Rate:
    """The best of some ways, each as `Rate.way`; by default of batches up to 8, one on all cores or one on each core."""
    if ways is None:
        cores = this_machine().cores
        shapes = sorted({(1, cores), (cores, 1)})
        ways = [f"{beside}x{threads}x{batch}" for beside, threads in shapes for batch in (1, 2, 4, 8)]
    rates = [Rate(**one) for one in _without_server(setup, "--ways", ",".join(ways))]
    return max(rates, key=lambda one: one.images_per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """Milliseconds of decoding, and of decoding and the model, for one picture after the other."""

    decode_ms: list[float]
    whole_ms: list[float]


def alone(setup: Setup) -> Alone:
    """Without a server, on the qualified threads."""
    return Alone(**_without_server(setup, "--latency", "--ways", f"1x{setup.choice.threads}x1"))


def _without_server(setup: Setup, *extra: str) -> Any:
    arguments = [
        sys.executable, "-m", "benchmarks.ceiling", "--model", str(setup.model), "--image", str(setup.image),
        "--spec", setup.bundle.manifest.preprocess.model_dump_json(), "--seconds", str(setup.seconds), *extra,
    ]  # fmt: skip
    done = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)
