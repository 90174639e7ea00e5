"""Orders of images and their candidates, from and to messages."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import ValidationError

from server.imagery.orders import Asked, Shown
from server.imagery.reviewing import Sent
from server.rpc.rules import FieldsError, Violation
from server.storage.imagery_jobs import Candidate, Job
from server.storage.imagery_tables import JobState
from vision.imagery.brief import Brief, Layout, Light
from vision.imagery.kept import sha256
from vision.imagery.review import Act, Event, State
from vision.v1 import imagery_pb2

_JOB_STATES: Final = {one: getattr(imagery_pb2, f"JOB_STATE_{one.name}") for one in JobState}
_STATES: Final = {one: getattr(imagery_pb2, f"CANDIDATE_STATE_{one.name}") for one in State}
_LIGHTS: Final = {one: getattr(imagery_pb2, f"LIGHT_{one.name}") for one in Light}
_ACTIONS: Final = {
    getattr(imagery_pb2, f"REVIEW_ACTION_{one.name}"): one for one in (Act.PROPOSE, Act.APPROVE, Act.REJECT)
}
_JOB_STATE_OF: Final = {number: one for one, number in _JOB_STATES.items()}
_STATE_OF: Final = {number: one for one, number in _STATES.items()}
_LIGHT_OF: Final = {number: one for one, number in _LIGHTS.items()}


def asked_from_wire(request: imagery_pb2.CreateJobRequest) -> Asked:
    """The order of a message.

    Raises:
        FieldsError: a field of the brief is outside its range.
    """
    style = request.style or None
    return Asked(
        brief=_brief_from_wire(request.brief, style),
        photo=request.photo,
        mask=request.mask or None,
        style=style,
        name=request.name,
        policy=request.label_policy,
        waiver=request.waiver.strip(),
        request_id=request.request_id,
    )


def _brief_from_wire(message: imagery_pb2.Brief, style: bytes | None) -> Brief:
    usual = {name: one.default for name, one in Brief.model_fields.items()}
    width, height = usual["size_wh"]
    layout = Layout(
        horizon=message.horizon if message.HasField("horizon") else None, light=_LIGHT_OF.get(message.light)
    )
    try:
        return Brief(
            style=None if style is None else sha256(style),
            scene=message.scene,
            rules=tuple(message.rule_sets),
            generator=message.generator or usual["generator"],
            layout=layout,
            size_wh=(message.width or width, message.height or height),
            count=message.count or usual["count"],
            seed=message.seed,
        )
    except ValidationError as error:
        raise FieldsError(*(_violation(one) for one in error.errors(include_url=False))) from error


def _violation(error: Any) -> Violation:
    names = {"rules": "rule_sets", "size_wh": "width" if error["loc"][1:] == (0,) else "height"}
    field = names.get(str(error["loc"][0]), str(error["loc"][0]))
    said = error["msg"][:1].lower() + error["msg"][1:]
    return Violation(f"brief.{field}", said.removeprefix("value error, "))


def action_from_wire(number: int) -> Act:
    """One that has been checked to be known."""
    return _ACTIONS[number]


def job_state_from_wire(number: int) -> JobState | None:
    return _JOB_STATE_OF.get(number)


def state_from_wire(number: int) -> State | None:
    return _STATE_OF.get(number)


def job_to_wire(shown: Shown) -> imagery_pb2.Job:
    """Without pictures."""
    message = header_to_wire(shown.job)
    seed = shown.job.brief["seed"]
    message.candidates.extend(
        candidate_to_wire(one, seed=seed, seconds=shown.seconds.get(one.number, 0.0))
        for one in shown.candidates
    )
    return message


def listed_to_wire(job: Job, states: Sequence[State]) -> imagery_pb2.Job:
    message = header_to_wire(job)
    message.candidates.extend(
        imagery_pb2.Candidate(number=number, state=_STATES[state]) for number, state in enumerate(states, 1)
    )
    return message


def header_to_wire(job: Job) -> imagery_pb2.Job:
    """Without candidates."""
    return imagery_pb2.Job(
        id=job.id,
        state=_JOB_STATES[job.state],
        name=job.name,
        requester=job.requester,
        created_at=_timestamp(job.created_at),
        brief=_brief_to_wire(job.brief),
        label_policy=str(job.policy.get("name", "")),
        photo_sha256=job.photo_sha256,
        mask_sha256=job.mask_sha256 or "",
        style_sha256=job.style_sha256 or "",
        reason=job.reason,
        attempts=job.attempt,
        worker=job.worker,
        cancelled_by=job.cancelled_by or "",
        making=job.making,
        step=job.step,
        steps=job.steps,
        revision=job.revision,
    )


def _brief_to_wire(brief: Mapping[str, Any]) -> imagery_pb2.Brief:
    layout, (width, height) = brief["layout"], brief["size_wh"]
    message = imagery_pb2.Brief(
        scene=brief["scene"],
        rule_sets=brief["rules"],
        generator=brief["generator"],
        width=width,
        height=height,
        count=brief["count"],
        seed=brief["seed"],
    )
    if layout["horizon"] is not None:
        message.horizon = layout["horizon"]
    if layout["light"] is not None:
        message.light = _LIGHTS[Light(layout["light"])]
    return message


def candidate_to_wire(candidate: Candidate, *, seed: int, seconds: float = 0.0) -> imagery_pb2.Candidate:
    return imagery_pb2.Candidate(
        number=candidate.number,
        state=_STATES[candidate.state],
        seed=(seed + candidate.number - 1) % 2**32,
        reports=[report_to_wire(one) for one in candidate.reports],
        manifest=candidate.manifest,
        master_sha256=candidate.master_sha256 or "",
        facts=json.dumps(candidate.facts, ensure_ascii=False),
        device_seconds=seconds,
        approved_by=candidate.approved_by,
        approval=candidate.digest,
    )


def report_to_wire(report: Mapping[str, Any]) -> imagery_pb2.ComplianceReport:
    return imagery_pb2.ComplianceReport(
        rule_set=str(report["rule_set"]),
        version=str(report["version"]),
        status=str(report["status"]),
        json=json.dumps(report, ensure_ascii=False),
    )


def events_to_wire(events: Iterable[tuple[int, Event]]) -> list[imagery_pb2.ImageEvent]:
    return [
        imagery_pb2.ImageEvent(
            number=number,
            act=event.act,
            at=_timestamp(event.at),
            by=event.by,
            reason=event.reason,
            digest=event.digest,
        )
        for number, event in events
    ]


def sent_to_wire(sent: Sent) -> imagery_pb2.ExportResponse:
    return imagery_pb2.ExportResponse(
        data=sent.data,
        format=sent.format,
        sha256=sent.sha256,
        report=report_to_wire(sent.report),
        approval=sent.digest,
        approved_by=sent.approved_by,
        repeated_answer=sent.repeated,
    )


def _timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
