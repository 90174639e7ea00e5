"""One part from bytes to verdict: admitted, decoded in the pool, judged in a batch, explained where asked.

Takes an `Order`, gives a `Judged`; the rim (server/rpc) turns these from and to messages. It knows nothing of the wire, of who
asks, or of what is kept.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from server.batching import Lane, Served
from server.decoding import DecodePool
from server.loading import Identity, InspectionModel
from server.tracing import TRACER
from vision.image import ImageLimits, encode_png
from vision.inspection import quality
from vision.inspection.explain import Explanation, explain, picture
from vision.inspection.inspect import Inspection, Timings
from vision.inspection.policy import Verdict
from vision.inspection.prediction import Prediction
from vision.preprocess import Prepared, prepare_bytes

ANSWERING_S: Final = 0.01
"""Kept free before a deadline: an answer still has to be kept, encoded and sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for one picture, encoded or already prepared; `deadline` in seconds of the monotonic clock."""

    image: bytes | Prepared
    deadline: float
    lane: Lane = Lane.LINE
    explain: bool = False
    heatmap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Milliseconds of each stage, and how many pictures shared the model's run."""

    queue_ms: float
    decode_ms: float
    model_ms: float
    total_ms: float
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is counted and kept of an answer, whoever gave it: a model, or the fallback where there is none."""

    model: Identity
    verdict: Verdict
    total_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An answer: which model gave it, the inspection, and what was asked for beside it."""

    model: InspectionModel
    inspection: Inspection
    stages: Stages
    explanation: Explanation | None = None
    heatmap_png: bytes = b""

    @property
    def outcome(self) -> Outcome:
        return Outcome(
            model=self.model.identity, verdict=self.inspection.verdict, total_ms=self.stages.total_ms
        )


@dataclass(frozen=True, slots=True)
class _Decoded:
    prepared: Prepared
    measured: quality.Quality
    started: float
    took_s: float


class Inspecting:
    """The path of a part through the server.

    Args:
        limits: what is refused before decoding.
        clock: monotonic seconds.
    """

    def __init__(
        self, pool: DecodePool, limits: ImageLimits, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool, self._limits, self._clock = pool, limits, clock

    async def judge(self, model: InspectionModel, order: Order) -> Judged:
        """Judge one picture.

        Raises:
            OverloadedError: the deadline cannot be kept behind the work that is already inside.
            DeadlineError: the deadline passed on the way.
            ImageError: the picture cannot be used.
        """
        arrived = self._clock()
        order = replace(order, deadline=order.deadline - ANSWERING_S)
        with model.batcher.admitted(deadline=order.deadline, lane=order.lane):
            with TRACER.start_as_current_span("decode"):
                decoded = await self._pool.run(
                    lambda: self._decode(model, order.image), deadline=order.deadline, lane=order.lane
                )
            with TRACER.start_as_current_span("model", attributes={"loupe.model": model.name}) as span:
                served = await model.batcher.submit(
                    decoded.prepared, deadline=order.deadline, lane=order.lane
                )
                span.set_attribute("loupe.batch", served.batch)
            inspection = _inspection(model, decoded, served)
            explanation, heatmap = None, b""
            if order.explain or order.heatmap:
                with TRACER.start_as_current_span("explain"):
                    explanation, heatmap = await self._pool.run(
                        lambda: _evidence(model, inspection, order),
                        deadline=order.deadline,
                        lane=order.lane,
                    )
        return Judged(
            model=model,
            inspection=inspection,
            explanation=explanation if order.explain else None,
            heatmap_png=heatmap,
            stages=Stages(
                queue_ms=1e3 * (decoded.started - arrived + served.queue_s),
                decode_ms=1e3 * decoded.took_s,
                model_ms=1e3 * served.run_s,
                total_ms=1e3 * (self._clock() - arrived),
                batch=served.batch,
            ),
        )

    def _decode(self, model: InspectionModel, image: bytes | Prepared) -> _Decoded:
        started = self._clock()
        spec = model.inspector.bundle.manifest.preprocess
        prepared = image if isinstance(image, Prepared) else prepare_bytes(image, spec, limits=self._limits)
        measured = quality.measure(prepared.image_hwc)
        return _Decoded(prepared, measured, started, self._clock() - started)


def _inspection(model: InspectionModel, decoded: _Decoded, served: Served[Prediction]) -> Inspection:
    """The verdict; on the event loop, so that the drift test sees one part after the other."""
    started = time.perf_counter()
    verdict = model.inspector.judge(served.answer, decoded.measured)
    return Inspection(
        verdict=verdict,
        prepared=decoded.prepared,
        prediction=served.answer,
        quality=decoded.measured,
        timings=Timings(
            prepare_ms=1e3 * decoded.took_s,
            model_ms=1e3 * served.run_s,
            decide_ms=1e3 * (time.perf_counter() - started),
        ),
    )


def _evidence(model: InspectionModel, inspection: Inspection, order: Order) -> tuple[Explanation, bytes]:
    explanation = explain(model.inspector, inspection, counterfactual=order.explain)
    return explanation, encode_png(picture(inspection, explanation)) if order.heatmap else b""
