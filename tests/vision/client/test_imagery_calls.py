"""What can be asked of imagery is checked before it is sent, and what comes back is read whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vision.client import ImageOrder, imagery_answers, imagery_calls
from vision.client.imagery_values import JobState
from vision.errors import ImageError, SettingsError, WireError
from vision.imagery.brief import Brief, Layout, Light
from vision.imagery.review import State
from vision.v1 import imagery_pb2

PHOTO = b"\x89PNG"
BRIEF = Brief(
    scene="白色大理石桌面",
    rules=("amazon.main", "shopify"),
    generator="procedural",
    layout=Layout(horizon=0.6, light=Light.LEFT),
    size_wh=(1200, 1600),
    count=3,
    seed=2**32 - 1,
)


def job(**changed: Any) -> imagery_pb2.Job:
    values: dict[str, Any] = {"id": "a" * 32, "state": imagery_pb2.JOB_STATE_RUNNING, "name": "a mug"}
    return imagery_pb2.Job(**values | changed)


def candidate(**changed: Any) -> imagery_pb2.Candidate:
    return imagery_pb2.Candidate(**{"number": 1, "state": imagery_pb2.CANDIDATE_STATE_DRAFT} | changed)


def test_an_order_travels_with_all_of_its_brief(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(PHOTO)
    order = ImageOrder(
        photo=tmp_path / "photo.png", mask=b"mask", brief=BRIEF, name="杯子", policy="cn", waiver="主图", request_id="r"
    )  # fmt: skip

    request = imagery_calls.create(order).request

    assert isinstance(request, imagery_pb2.CreateJobRequest)
    assert (request.photo, request.mask, request.name) == (PHOTO, b"mask", "杯子")
    assert (request.request_id, request.label_policy, request.waiver) == ("r", "cn", "主图")
    sent = request.brief
    assert (sent.scene, list(sent.rule_sets), sent.generator) == (
        BRIEF.scene,
        ["amazon.main", "shopify"],
        "procedural",
    )
    assert (sent.width, sent.height, sent.count, sent.seed) == (1200, 1600, 3, 2**32 - 1)
    assert (sent.horizon, sent.light) == (0.6, imagery_pb2.LIGHT_LEFT)


def test_what_a_brief_leaves_open_is_not_sent_and_each_order_has_an_id_of_its_own() -> None:
    order = ImageOrder(photo=PHOTO, brief=Brief(scene="oak", rules=("shopify",)))
    one, other = (imagery_calls.create(order).request for _ in range(2))
    assert isinstance(one, imagery_pb2.CreateJobRequest)
    assert isinstance(other, imagery_pb2.CreateJobRequest)
    assert not one.brief.HasField("horizon")
    assert one.brief.light == imagery_pb2.LIGHT_UNSPECIFIED
    assert one.request_id != other.request_id


@pytest.mark.parametrize(
    ("ask", "kind", "words"),
    [
        (lambda: imagery_calls.create(ImageOrder(photo=b"", brief=BRIEF)), ImageError, "expected 1 to"),
        (
            lambda: imagery_calls.create(ImageOrder(photo=Path("absent.png"), brief=BRIEF)),
            ImageError,
            "absent.png",
        ),
        (
            lambda: imagery_calls.create(ImageOrder(photo=PHOTO, brief=BRIEF, name="\ud800")),
            SettingsError,
            "Unicode",
        ),
        (lambda: imagery_calls.listing(limit=0), SettingsError, "limit: expected 1 to 500, found 0"),
        (lambda: imagery_calls.review("a", 1, "applaud", ""), SettingsError, "found 'applaud'"),  # type: ignore[arg-type]
        (
            lambda: imagery_calls.review("a", 17, "approve", ""),
            SettingsError,
            "number: expected 1 to 16, found 17",
        ),
        (lambda: imagery_calls.export("a", 0, ""), SettingsError, "number: expected 1 to 16, found 0"),
        (lambda: imagery_calls.check(b"", ("shopify",)), ImageError, "image: expected 1 to"),
    ],
)
def test_what_cannot_be_sent_is_refused_here(
    ask: Callable[[], object], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        ask()


def test_jobs_are_asked_for_by_their_states() -> None:
    request = imagery_calls.listing(
        state=JobState.FAILED, holding=State.IN_REVIEW, requester="kim", after="b"
    ).request
    assert isinstance(request, imagery_pb2.ListJobsRequest)
    assert request.state == imagery_pb2.JOB_STATE_FAILED
    assert request.holding == imagery_pb2.CANDIDATE_STATE_IN_REVIEW
    assert (request.requester, request.after, request.limit) == ("kim", "b", 50)


def test_a_candidate_comes_with_its_reports_and_facts_as_values() -> None:
    report = imagery_pb2.ComplianceReport(
        rule_set="shopify", version="2", status="warn", json='{"findings": []}'
    )
    message = imagery_pb2.Candidate(
        number=2, state=imagery_pb2.CANDIDATE_STATE_APPROVED, seed=7, reports=[report], facts='{"quality": 0.9}',
        approved_by="ada", approval="d" * 64, device_seconds=3.5,
    )  # fmt: skip

    found = imagery_answers.candidate(message)

    assert (found.number, found.state, found.seed, found.device_s) == (2, State.APPROVED, 7, 3.5)
    assert (found.approved_by, found.approval) == ("ada", "d" * 64)
    assert (found.reports[0].rule_set, found.reports[0].details) == ("shopify", {"findings": []})
    assert found.facts == {"quality": 0.9}


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda: imagery_answers.job(imagery_pb2.Job()), "job: expected one, found none"),
        (lambda: imagery_answers.job(job(state=0)), "job.state: expected one of"),
        (lambda: imagery_answers.job(job(state=99)), "found 99"),
        (lambda: imagery_answers.candidate(candidate(state=99)), "candidate.state"),
        (lambda: imagery_answers.candidate(candidate(facts="[]")), "expected a JSON object, found list"),
        (
            lambda: imagery_answers.report(imagery_pb2.ComplianceReport(json="{")),
            "report.json: expected JSON",
        ),
        (lambda: imagery_answers.reviewed(imagery_pb2.ReviewResponse()), "candidate: expected one"),
        (lambda: imagery_answers.exported(imagery_pb2.ExportResponse()), "data: expected a file"),
    ],
)
def test_what_is_incomplete_or_of_a_newer_server_is_said_to_be(
    read: Callable[[], object], words: str
) -> None:
    with pytest.raises(WireError, match=words):
        read()
