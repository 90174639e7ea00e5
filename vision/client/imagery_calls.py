"""What can be asked of imagery, as questions in the sense of `vision.client.calls`: blocking and asynchronous clients put the same ones."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, get_args

from vision.client import imagery_answers as said
from vision.client.calls import Question, fresh_id, image_bytes
from vision.client.imagery_values import (
    ExportedImage,
    ImageChange,
    ImageEvent,
    ImageJob,
    ImageOrder,
    JobState,
    Reviewed,
    RuleReport,
)
from vision.errors import SettingsError
from vision.imagery.brief import Brief, check_style
from vision.imagery.review import State
from vision.v1 import imagery_pb2

Action = Literal["propose", "approve", "reject"]
_ACTIONS: Final = {name: getattr(imagery_pb2, f"REVIEW_ACTION_{name.upper()}") for name in get_args(Action)}


def create(order: ImageOrder) -> Question[tuple[ImageJob, bool]]:
    """An order; gives the job, and whether it had been ordered before under its request id.

    Raises:
        ImageError: photo, mask or style picture cannot be read, is empty or is too large.
        ImageryError: the style picture is not the one that the brief names.
        SettingsError: a text cannot be sent.
    """
    style = None if order.style is None else image_bytes(order.style)
    check_style(order.brief, style)
    try:
        request = imagery_pb2.CreateJobRequest(
            request_id=fresh_id() if order.request_id is None else order.request_id,
            name=order.name,
            photo=image_bytes(order.photo),
            mask=b"" if order.mask is None else image_bytes(order.mask),
            style=style or b"",
            brief=_brief(order.brief),
            label_policy=order.policy,
            waiver=order.waiver,
        )
    except UnicodeEncodeError as error:
        raise SettingsError(f"expected Unicode text, found {error.object!r}") from error
    return Question(request, lambda message: (said.job(message.job), bool(message.repeated_answer)))


def get(job_id: str, *, pictures: bool = False) -> Question[ImageJob]:
    request = imagery_pb2.GetJobRequest(job_id=job_id, pictures=pictures)
    return Question(request, lambda message: replace(said.job(message.job), alpha=message.alpha_png))


def history(job_id: str) -> Question[tuple[ImageEvent, ...]]:
    request = imagery_pb2.GetJobRequest(job_id=job_id)
    return Question(request, lambda message: tuple(map(said.event, message.events)))


def listing(
    *,
    state: JobState | None = None,
    requester: str = "",
    holding: State | None = None,
    limit: int = 50,
    after: str = "",
) -> Question[tuple[ImageJob, ...]]:
    """Jobs, the newest first.

    Raises:
        SettingsError: a limit out of its range.
    """
    if not 1 <= limit <= 500:
        raise SettingsError(f"limit: expected 1 to 500, found {limit}")
    request = imagery_pb2.ListJobsRequest(requester=requester, limit=limit, after=after)
    if state is not None:
        request.state = getattr(imagery_pb2, f"JOB_STATE_{state.name}")
    if holding is not None:
        request.holding = getattr(imagery_pb2, f"CANDIDATE_STATE_{holding.name}")
    return Question(request, lambda message: tuple(map(said.job, message.jobs)))


def watch(job_id: str, *, previews: bool) -> Question[ImageChange]:
    """What is read is each of the answers."""
    return Question(imagery_pb2.WatchJobRequest(job_id=job_id, previews=previews), said.change)


def cancel(job_id: str) -> Question[ImageJob]:
    return Question(imagery_pb2.CancelJobRequest(job_id=job_id), lambda message: said.job(message.job))


def check(image: bytes | Path, rules: Sequence[str]) -> Question[tuple[RuleReport, ...]]:
    """A picture against rule sets.

    Raises:
        ImageError: it cannot be read, is empty or is too large.
    """
    request = imagery_pb2.CheckComplianceRequest(image=image_bytes(image), rule_sets=rules)
    return Question(request, lambda message: tuple(map(said.report, message.reports)))


def review(job_id: str, number: int, action: Action, reason: str) -> Question[Reviewed]:
    """A decision.

    Raises:
        SettingsError: there is no such action, or the number is none.
    """
    if action not in _ACTIONS:
        raise SettingsError(f"action: expected one of {', '.join(_ACTIONS)}, found '{action}'")
    request = imagery_pb2.ReviewRequest(
        job_id=job_id, number=_number(number), action=_ACTIONS[action], reason=reason
    )
    return Question(request, said.reviewed)


def export(job_id: str, number: int, rule_set: str) -> Question[ExportedImage]:
    """A file for a rule set. Raises as `review`."""
    request = imagery_pb2.ExportRequest(job_id=job_id, number=_number(number), rule_set=rule_set)
    return Question(request, said.exported)


def _number(number: int) -> int:
    if not 1 <= number <= 16:
        raise SettingsError(f"number: expected 1 to 16, found {number}")
    return number


def _brief(brief: Brief) -> imagery_pb2.Brief:
    message = imagery_pb2.Brief(
        scene=brief.scene,
        rule_sets=brief.rules,
        generator=brief.generator,
        width=brief.size_wh[0],
        height=brief.size_wh[1],
        count=brief.count,
        seed=brief.seed,
    )
    if brief.layout.horizon is not None:
        message.horizon = brief.layout.horizon
    if brief.layout.light is not None:
        message.light = getattr(imagery_pb2, f"LIGHT_{brief.layout.light.name}")
    return message
