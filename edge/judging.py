"""A part's pictures to one verdict, with a bundle's model. Called in a station's model thread; it knows nothing of triggers or outputs."""

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from edge.merging import Merge, merge
from edge.parts import Judge, Judged
from edge.ports import Shot
from edge.tiles import Tiles
from vision.errors import NotFoundError
from vision.image import Frame, decode, encode_png
from vision.inspection.explain import explain, picture
from vision.inspection.inspect import Inspection, Inspector
from vision.preprocess import Prepared, prepare_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """How a part's pictures are looked at: cut into tiles or whole, and how their verdicts become one."""

    tiles: Tiles | None = None
    merge: Merge = "any"


class BundleJudges:
    """Judges by recipe; `None` is the key where the line has one product. A judge may be swapped from another thread."""

    def __init__(self, judges: Mapping[int | None, Judge]) -> None:
        self._judges = dict(judges)

    def swap(self, recipe: int | None, judge: Judge) -> None:
        """Have the parts that pass the trigger from now on judged by another one."""
        self._judges = {
            **self._judges,
            recipe: judge,
        }  # a new mapping at once, never one that is half changed

    def choose(self, recipe: int | None) -> Judge:
        """Raises NotFoundError for a code that no recipe has."""
        judges = self._judges
        judge = judges.get(recipe)
        if judge is None:
            known = ", ".join(str(code) for code in judges)
            raise NotFoundError(f"recipe: expected one of {known}, found {recipe}")
        return judge


def judge_with(inspector: Inspector, looking: Looking | None = None) -> Judge:
    """Judge each part as `inspector` does its pictures."""
    digest, how = inspector.bundle.digest(), looking or Looking()
    manifest = inspector.bundle.manifest

    def judge(shots: tuple[Shot, ...]) -> Judged:
        inspections = [_inspect(inspector, view) for shot in shots for view in _views(shot, how.tiles)]
        decisive, verdict = merge([one.verdict for one in inspections], how.merge)
        timings = [one.timings for one in inspections]
        return Judged(
            verdict=verdict,
            bundle=digest,
            model=f"{manifest.name} {manifest.version}",
            drift=inspector.drift,
            timings={
                "prepare": sum(one.prepare_ms for one in timings),
                "model": sum(one.model_ms for one in timings),
                "decide": sum(one.decide_ms for one in timings),
            },
            overlay=partial(_overlay, inspector, inspections[decisive]),
        )

    return judge


def typical_ms(inspector: Inspector, runs: int = 9) -> float:
    """The median time of the model for one picture, measured now."""
    width, height = inspector.bundle.manifest.preprocess.size_wh
    blank, taken = np.zeros((1, height, width, 3), np.uint8), []
    for _ in range(runs):
        started = time.perf_counter()
        inspector.session.run(blank)
        taken.append(1e3 * (time.perf_counter() - started))
    return statistics.median(taken)


def _views(shot: Shot, tiles: Tiles | None) -> Iterator[Shot | Frame]:
    """What the model is shown of a picture; cutting needs it decoded in full."""
    if tiles is None:
        yield shot
        return
    frame = decode(shot.image, name=shot.name) if isinstance(shot.image, bytes) else shot.image
    yield from tiles.cut(frame)


def _inspect(inspector: Inspector, view: Shot | Frame) -> Inspection:
    started = time.perf_counter()
    prepared = _prepare(inspector, view)
    return inspector.inspect(prepared, prepare_ms=1e3 * (time.perf_counter() - started))


def _prepare(inspector: Inspector, view: Shot | Frame) -> Prepared:
    if isinstance(view, Frame):
        return inspector.prepare(view)
    if isinstance(view.image, bytes):
        return prepare_bytes(view.image, inspector.bundle.manifest.preprocess, name=view.name)
    return inspector.prepare(view.image)


def _overlay(inspector: Inspector, inspection: Inspection) -> bytes:
    return encode_png(picture(inspection, explain(inspector, inspection, counterfactual=False)))
