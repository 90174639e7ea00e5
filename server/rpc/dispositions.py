"""Kept results and what people found, as messages."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from server.reviewing import EscapeRate
from server.storage.results import Disposition, ResultRow
from vision import wire
from vision.inspection.policy import Verdict
from vision.v1 import inspection_pb2, models_pb2


def pending_to_wire(row: ResultRow) -> inspection_pb2.PendingReview:
    verdict = Verdict(
        decision=row.decision,
        reason=row.reason,
        detail=row.detail,
        probability=row.probability,
        label=row.label,
        probabilities={},
        novelty=row.novelty,
        certified=row.certified,
    )
    return inspection_pb2.PendingReview(
        result_id=row.id,
        part=row.part,
        verdict=wire.verdict_to_wire(verdict),
        model=models_pb2.ModelRef(
            name=row.model_name, version=row.model_version, digest=row.model_digest, file=row.model_file
        ),
        judged_at=_timestamp(row.judged_at),
        audit=row.audit,
        image_sha256=row.image_sha256 or "",
    )


def disposition_to_wire(row: ResultRow, found: Disposition) -> inspection_pb2.Disposition:
    return inspection_pb2.Disposition(
        result_id=row.id,
        image_sha256=row.image_sha256 or "",
        label=found.label,
        by=found.by,
        found_at=_timestamp(found.found_at),
        decision=wire.decision_to_wire(row.decision),
        audit=row.audit,
        part=row.part,
        note=found.note,
    )


def escape_rate_to_wire(rate: EscapeRate) -> inspection_pb2.EscapeRate:
    return inspection_pb2.EscapeRate(
        audited=rate.audited,
        escapes=rate.escapes,
        share=rate.share,
        upper=rate.upper,
        certified=rate.certified,
        escape_upper=rate.escape_upper,
    )


def _timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
