"""Which file of a bundle this machine should run, on how many threads: measured once, then remembered.

int8 is a candidate only where its accuracy guard was passed and the processor has VNNI-class instructions; where one file is
certified, only certified files are. Among the candidates the faster median wins. The answer is kept for this bundle on this processor, in the cache folder.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vision.bundle import Bundle
from vision.errors import BundleError
from vision.files import write_bytes
from vision.machine import Machine, this_machine
from vision.session import Session
from vision.settings import Settings, read_settings


class Choice(BaseModel):
    """An ONNX file and a number of threads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    threads: Annotated[int, Field(ge=1)]


class Candidate(BaseModel):
    """What one choice took: milliseconds for one picture at batch 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choice: Choice
    median_ms: float
    p99_ms: float


class Qualification(BaseModel):
    """The measurement and what followed from it; `refused` says why a file was no candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle_digest: str
    machine: str
    cpu: str
    candidates: tuple[Candidate, ...]
    refused: dict[str, str]
    choice: Choice


def eligible(bundle: Bundle, machine: Machine) -> tuple[list[str], dict[str, str]]:
    """The files that may run here, float32 first, and why the others may not."""
    chosen, refused = [], {}
    certified = _certified(bundle)
    for name, entry in sorted(bundle.manifest.models.items(), key=lambda pair: pair[1].precision):
        if certified and name not in certified:
            refused[name] = f"it is not certified, {min(certified)} is"
        elif entry.precision == "int8" and entry.guard is None:
            refused[name] = "its accuracy guard was not passed"
        elif entry.precision == "int8" and not machine.has_vnni:
            refused[name] = "this processor has no VNNI-class instructions"
        else:
            chosen.append(name)
    return chosen, refused


def _certified(bundle: Bundle) -> set[str]:
    """The files for which the decision part, whatever its task, keeps a certificate."""
    files = bundle.manifest.decision.get("files")
    if not isinstance(files, dict):
        return set()
    return {name for name, one in files.items() if isinstance(one, dict) and one.get("certificate")}


def _candidates(bundle: Bundle, machine: Machine) -> tuple[list[str], dict[str, str]]:
    files, refused = eligible(bundle, machine)
    if not files:
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise BundleError(f"{bundle.path}: expected a model file that may run here, found none ({reasons})")
    return files, refused


def qualify(
    bundle: Bundle,
    *,
    settings: Settings | None = None,
    runs: int = 30,
    advance: Callable[[int], None] = lambda _: None,
) -> Qualification:
    """Measure every candidate in turn, round by round, and remember the fastest.

    Raises:
        BundleError: a model cannot be loaded, or none may run here.
        StorageError: the cache folder cannot be written.
    """
    machine = this_machine()
    files, refused = _candidates(bundle, machine)
    counts = sorted({1, machine.cores})
    sessions = {
        (name, threads): Session(bundle.read(name), name=name, threads=threads)
        for name in files
        for threads in counts
    }
    width, height = bundle.manifest.preprocess.size_wh
    picture = np.full((1, height, width, 3), 127, np.uint8)
    for session in sessions.values():
        session.warm_up((width, height))
    taken: dict[tuple[str, int], list[float]] = {key: [] for key in sessions}
    for _ in range(runs):
        for key, session in sessions.items():
            start = time.perf_counter()
            session.run(picture)
            taken[key].append(1e3 * (time.perf_counter() - start))
        advance(1)
    candidates = tuple(
        Candidate(
            choice=Choice(file=name, threads=threads),
            median_ms=round(statistics.median(times), 2),
            p99_ms=round(float(np.quantile(times, 0.99)), 2),
        )
        for (name, threads), times in taken.items()
    )
    qualification = Qualification(
        bundle_digest=bundle.digest(),
        machine=machine.fingerprint(),
        cpu=machine.cpu,
        candidates=candidates,
        refused=refused,
        choice=min(candidates, key=lambda one: one.median_ms).choice,
    )
    path = _cache_path(bundle, machine, settings or read_settings())
    write_bytes(path, qualification.model_dump_json(indent=2).encode())
    return qualification


def choose(bundle: Bundle, *, settings: Settings | None = None) -> Choice:
    """The remembered choice for this machine; before `qualify` ran, float32 on all cores.

    Raises:
        BundleError: no file of the bundle may run here.
    """
    machine = this_machine()
    remembered = _remembered(_cache_path(bundle, machine, settings or read_settings()))
    files, _ = _candidates(bundle, machine)
    if remembered is not None and remembered.choice.file in files:
        return remembered.choice
    return Choice(file=files[0], threads=machine.cores)


def _remembered(path: Path) -> Qualification | None:
    """An unreadable note is as good as none: it is measured again, never trusted."""
    try:
        return Qualification.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _cache_path(bundle: Bundle, machine: Machine, settings: Settings) -> Path:
    return settings.cache_dir / "qualified" / f"{bundle.digest()[:16]}-{machine.fingerprint()}.json"
