"""Messages of imagery's answers as values.

Each function raises `WireError` where a message is incomplete, or of a newer server than this client understands.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from vision.client import answers
from vision.client.imagery_values import (
    ExportedImage,
    ImageCandidate,
    ImageChange,
    ImageEvent,
    ImageJob,
    JobState,
    Reviewed,
    RuleReport,
)
from vision.errors import WireError
from vision.imagery.review import State
from vision.v1 import imagery_pb2

_One = TypeVar("_One", bound=StrEnum)


def _numbers(kind: type[_One], prefix: str) -> Mapping[int, _One]:
    return {getattr(imagery_pb2, f"{prefix}_{one.name}"): one for one in kind}


_JOB_STATES: Final = _numbers(JobState, "JOB_STATE")
_STATES: Final = _numbers(State, "CANDIDATE_STATE")


def _known(number: int, known: Mapping[int, _One], name: str) -> _One:
    if number not in known:
        raise WireError(f"{name}: expected one of {sorted(known)}, found {number}")
    return known[number]


def job(message: imagery_pb2.Job) -> ImageJob:
    if not message.id:
        raise WireError("job: expected one, found none")
    brief = message.brief
    return ImageJob(
        id=message.id,
        state=_known(message.state, _JOB_STATES, "job.state"),
        name=message.name,
        requester=message.requester,
        created_at=answers.time(message.created_at),
        scene=brief.scene,
        rules=tuple(brief.rule_sets),
        generator=brief.generator,
        count=brief.count,
        policy=message.label_policy,
        photo_sha256=message.photo_sha256,
        reason=message.reason,
        attempts=message.attempts,
        worker=message.worker,
        cancelled_by=message.cancelled_by,
        making=message.making,
        step=message.step,
        steps=message.steps,
        revision=message.revision,
        candidates=tuple(map(candidate, message.candidates)),
        style_sha256=message.style_sha256,
    )


def candidate(message: imagery_pb2.Candidate) -> ImageCandidate:
    return ImageCandidate(
        number=message.number,
        state=_known(message.state, _STATES, "candidate.state"),
        seed=message.seed,
        reports=tuple(map(report, message.reports)),
        manifest=message.manifest,
        master_sha256=message.master_sha256,
        facts=_object(message.facts or "{}", "candidate.facts"),
        device_s=message.device_seconds,
        approval=message.approval,
        approved_by=message.approved_by,
        preview=message.preview_jpeg,
        difference=message.difference_png,
    )


def report(message: imagery_pb2.ComplianceReport) -> RuleReport:
    return RuleReport(
        rule_set=message.rule_set,
        version=message.version,
        status=message.status,
        details=_object(message.json, "report.json"),
    )


def change(message: imagery_pb2.WatchJobResponse) -> ImageChange:
    return ImageChange(job=job(message.job), preview=message.preview_jpeg)


def event(message: imagery_pb2.ImageEvent) -> ImageEvent:
    return ImageEvent(
        number=message.number,
        act=message.act,
        at=answers.time(message.at),
        by=message.by,
        reason=message.reason,
        digest=message.digest,
    )


def reviewed(message: imagery_pb2.ReviewResponse) -> Reviewed:
    if not message.HasField("candidate"):
        raise WireError("candidate: expected one, found none")
    return Reviewed(candidate=candidate(message.candidate), events=tuple(map(event, message.events)))


def exported(message: imagery_pb2.ExportResponse) -> ExportedImage:
    if not message.data:
        raise WireError("data: expected a file, found nothing")
    return ExportedImage(
        data=message.data,
        format=message.format,
        sha256=message.sha256,
        report=report(message.report),
        approval=message.approval,
        approved_by=message.approved_by,
        repeated=message.repeated_answer,
    )


def _object(text: str, name: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise WireError(f"{name}: expected JSON: {error}") from error
    if not isinstance(found, dict):
        raise WireError(f"{name}: expected a JSON object, found {type(found).__name__}")
    return found
