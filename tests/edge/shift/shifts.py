"""Shifts for tests: real bundles judge real pictures and are recorded, without a line's clock and devices."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge.ledger import Ended, Outcome
from edge.line import StationTable, read_line
from edge.listeners import attended
from edge.parts import Finished
from edge.ports import Shot
from edge.shift.reader import Shift, read_shifts
from edge.shift.recording import Recording
from tests.bundles import (
    FLOAT32,
    PREPROCESS,
    certificate,
    frame,
    golden_pictures,
    inspection,
    make_bundle,
    onnx_model,
)
from vision.bundle import GOLDEN, pack_arrays
from vision.errors import LoupeError
from vision.golden import golden_arrays
from vision.image import Pixels, encode_png
from vision.session import Session
from vision.settings import read_settings

SCALE: Final = (
    0.5  # a candidate that sees defects so much weaker: what was rejected with confidence is reviewed
)


def make_candidate(path: Path, *, scale: float = SCALE) -> Path:
    """A bundle like `make_bundle`'s, certified as well, whose head is another."""
    model = onnx_model(head_scale=scale)
    issued = certificate().model_copy(update={"model_sha256": hashlib.sha256(model).hexdigest()})
    spec = inspection()
    decision = spec.files[FLOAT32].model_copy(update={"certificate": issued})
    golden = golden_arrays(golden_pictures(), PREPROCESS, {FLOAT32: Session(model, name=FLOAT32, threads=1)})
    make_bundle(
        path,
        contents={FLOAT32: model, GOLDEN: pack_arrays(golden)},
        decision=spec.model_copy(update={"files": {FLOAT32: decision}}).model_dump(mode="json"),
        version="1.1",
    )
    return path


def encoded(picture: Pixels, name: str = "frame") -> Shot:
    return Shot(image=encode_png(picture), name=name)


def raw(picture: Pixels, name: str = "frame") -> Shot:
    return Shot(image=frame(picture), name=name)


def recorded(
    box: Path, parts: Sequence[tuple[int | None, tuple[Shot, ...]]], *, cameras: int = 1, more: str = ""
) -> Shift:
    """The recording of parts, each with the code of its product and its pictures.

    Args:
        box: with `plates.loupe`, unless `more` names other bundles.
        more: of the station's table.
    """
    bundle = "" if "changeover" in more else 'bundle = "plates.loupe"'
    eyes = ", ".join(['{ kind = "folder", folder = "none" }'] * cameras)
    (box / "line.toml").write_text(
        f"""
        [[station]]
        name = "infeed"
        {bundle}
        due_s = 0.25
        trigger = {{ kind = "timer", period_s = 1 }}
        camera = [{eyes}]
        actuator = {{ kind = "journal", path = "gate.jsonl" }}
        {more}
        """
    )
    line = read_line(box / "line.toml")
    asyncio.run(_record(Recording(box / "shift", line, only=None, alarm=_no_alarm), line.station[0], parts))
    (shift,) = read_shifts(box / "shift")
    return shift


async def _record(
    recording: Recording, table: StationTable, parts: Sequence[tuple[int | None, tuple[Shot, ...]]]
) -> None:
    judges = recording.judges(table, read_settings())
    listeners = recording.listeners(table, "b00t")
    async with attended(listeners):
        for part, (recipe, shots) in enumerate(parts, start=1):
            try:
                judged = judges.choose(recipe)(shots)
                outcome = Outcome(judged.verdict.decision)
            except LoupeError:
                judged, outcome = None, Outcome.FAULT
            ended = Ended(part=part, outcome=outcome, reason="confident")
            for one in listeners:
                one.hear(Finished(ended=ended, shots=shots, judged=judged))


def _no_alarm(station: str, what: str) -> None:
    raise AssertionError(f"{station}: {what}")
