"""Messages of answers as values.

Each function raises `WireError` where a message is incomplete, or of a newer server than this client understands.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from vision.client.values import (
    Answer,
    CatalogTerms,
    Disposition,
    Dispositions,
    EscapeRate,
    ModelRef,
    ModelState,
    PendingReview,
    ServedModel,
    Timings,
)
from vision.errors import WireError
from vision.v1 import inspection_pb2, models_pb2
from vision.wire import decision_from_wire, explanation_from_wire, verdict_from_wire

_STATES: Final = {getattr(models_pb2, f"MODEL_STATE_{one.name}"): one for one in ModelState}


def answer(message: inspection_pb2.InspectResponse) -> Answer:
    if not message.HasField("verdict"):
        raise WireError("verdict: expected one, found none")
    return Answer(
        request_id=message.request_id,
        result_id=message.result_id,
        verdict=verdict_from_wire(message.verdict),
        model=model_ref(message.model),
        timings=timings(message.timings),
        explanation=explanation_from_wire(message.explanation) if message.HasField("explanation") else None,
        heatmap=message.heatmap_png or None,
        embedding=np.array(message.embedding, np.float32) if message.embedding else None,
        repeated=message.repeated_answer,
    )


def timings(message: inspection_pb2.Timings) -> Timings:
    return Timings(
        queue_ms=message.queue_ms,
        decode_ms=message.decode_ms,
        model_ms=message.model_ms,
        total_ms=message.total_ms,
        batch=message.batch,
    )


def model_ref(message: models_pb2.ModelRef) -> ModelRef:
    return ModelRef(name=message.name, version=message.version, digest=message.digest, file=message.file)


def model(message: models_pb2.Model) -> ServedModel:
    if message.state not in _STATES:
        raise WireError(f"state: expected one of {sorted(_STATES)}, found {message.state}")
    return ServedModel(
        ref=model_ref(message.ref),
        state=_STATES[message.state],
        detail=message.detail,
        labels=tuple(message.labels),
        good=message.good,
        size_wh=(message.width, message.height),
        certificate=message.certificate or None,
        load_s=message.load_seconds,
        cost_per_image_ms=message.cost_per_image_ms,
        cost_per_batch_ms=message.cost_per_batch_ms,
        task=message.task or "inspection",
        catalog=_catalog(message.catalog) if message.HasField("catalog") else None,
    )


def _catalog(message: models_pb2.CatalogTerms) -> CatalogTerms:
    return CatalogTerms(
        levels=tuple(message.levels),
        title_columns=tuple(message.title_columns),
        attributes=tuple(message.attributes),
    )


def time(message: Timestamp) -> datetime:
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise WireError(
            f"time: expected one between the years 1 and 9999, found {message.seconds} s"
        ) from error


def review(message: inspection_pb2.PendingReview) -> PendingReview:
    return PendingReview(
        result_id=message.result_id,
        part=message.part,
        verdict=verdict_from_wire(message.verdict),
        model=model_ref(message.model),
        judged_at=time(message.judged_at),
        audit=message.audit,
        image_sha256=message.image_sha256 or None,
    )


def _disposition(message: inspection_pb2.Disposition) -> Disposition:
    return Disposition(
        result_id=message.result_id,
        image_sha256=message.image_sha256 or None,
        label=message.label,
        by=message.by,
        found_at=time(message.found_at),
        decision=decision_from_wire(message.decision),
        audit=message.audit,
        part=message.part,
        note=message.note,
    )


def dispositions(messages: Sequence[inspection_pb2.ExportDispositionsResponse]) -> Dispositions:
    rates = [message.escape_rate for message in messages if message.HasField("escape_rate")]
    if len(rates) > 1:
        raise WireError(f"dispositions: expected at most one escape rate, found {len(rates)}")
    return Dispositions(
        rows=tuple(_disposition(one.disposition) for one in messages if one.HasField("disposition")),
        escape_rate=_escape_rate(rates[0]) if rates else None,
    )


def _escape_rate(message: inspection_pb2.EscapeRate) -> EscapeRate:
    return EscapeRate(
        audited=message.audited,
        escapes=message.escapes,
        share=message.share,
        upper=message.upper,
        certified=message.certified if message.HasField("certified") else None,
        escape_upper=message.escape_upper if message.HasField("escape_upper") else None,
    )
