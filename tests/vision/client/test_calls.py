"""One question, one answer: what is sent, what is understood, and what is asked again."""

import time
from datetime import UTC, datetime
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from tests.vision.client.conftest import Ask
from tests.vision.client.fake_server import (
    CERTIFICATE,
    MODEL,
    FakeServer,
    Judge,
    Refuse,
    Say,
    Silence,
    judged,
    served_model,
    verdict,
)
from vision.client.values import EscapeRate, ModelRef, ModelState, Timings
from vision.errors import (
    AuthenticationError,
    DeadlineError,
    ImageError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RemoteError,
    RemotePermissionError,
    RequestError,
    SettingsError,
    StateError,
    UnavailableError,
    UnsupportedError,
    WireError,
)
from vision.inspection.policy import Decision, Reason
from vision.v1 import inspection_pb2, models_pb2

AWAY = Refuse(grpc.StatusCode.UNAVAILABLE, "warming up")
MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def stamp() -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(MOMENT)
    return stamp


def test_an_answer_is_the_verdict_with_all_that_stands_beside_it(server: FakeServer, ask: Ask) -> None:
    answer = ask("inspect", b"red", request_id="my own", model="plates", part="P-1")
    assert answer.verdict.decision is Decision.REJECT
    assert answer.verdict.reason is Reason.CONFIDENT
    assert answer.verdict.probabilities == {"red": 0.99, "other": 0.01}
    assert (answer.request_id, answer.result_id) == ("my own", "result of red")
    assert answer.model == ModelRef(name="plates", version="1.0", digest="d" * 64, file="model.onnx")
    assert answer.timings == Timings(queue_ms=1, decode_ms=2, model_ms=3, total_ms=7, batch=4)
    assert (answer.explanation, answer.heatmap, answer.embedding) == (None, None, None)
    assert answer.repeated is False
    (request,) = server.script.received
    assert request == inspection_pb2.InspectRequest(
        request_id="my own",
        model="plates",
        image=b"red",
        priority=inspection_pb2.PRIORITY_LINE,
        part="P-1",
    )


def test_what_is_asked_for_beside_the_verdict_comes_with_it(server: FakeServer, ask: Ask) -> None:
    answer = ask("inspect", b"red", heatmap=True, embedding=True, explain=True, priority="bulk")
    assert answer.heatmap == b"\x89PNG of red"
    assert answer.embedding.dtype == np.float32
    assert answer.embedding.tolist() == [0.5, 1.5]
    assert answer.explanation.box_xyxy == (1, 2, 3, 4)
    assert answer.explanation.counterfactual.decision is Decision.ACCEPT
    assert server.script.received[0].priority == inspection_pb2.PRIORITY_BULK


def test_a_picture_may_be_a_file(server: FakeServer, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "part.png").write_bytes(b"good")
    assert ask("inspect", tmp_path / "part.png").verdict.label == "good"


def test_each_request_has_an_id_of_its_own(server: FakeServer, ask: Ask) -> None:
    ask("inspect", b"good")
    ask("inspect", b"good")
    first, second = (request.request_id for request in server.script.received)
    assert first != second
    assert len(first) == len(second) == 32


def test_a_server_that_is_away_is_asked_again_with_the_same_id(server: FakeServer, ask: Ask) -> None:
    server.script.then(AWAY, AWAY, Judge(repeated=True))
    answer = ask("inspect", b"good")
    assert answer.repeated is True
    assert [request.request_id for request in server.script.received] == [answer.request_id] * 3


def test_a_server_that_is_overloaded_is_asked_again_when_it_says(server: FakeServer, ask: Ask) -> None:
    server.script.then(Refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", retry_after_s=0.3))
    started = time.monotonic()
    assert ask("inspect", b"good").verdict.label == "good"
    assert time.monotonic() - started >= 0.3


def test_a_pause_that_would_outlast_the_deadline_is_not_begun(server: FakeServer, ask: Ask) -> None:
    server.script.then(Refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", retry_after_s=30))
    started = time.monotonic()
    with pytest.raises(OverloadedError, match=f"{server.address}: full") as refused:
        ask("inspect", b"good", deadline_s=5)
    assert time.monotonic() - started < 3
    assert refused.value.retry_after_s == 30


def test_a_server_that_stays_away_is_given_up_at_the_deadline(server: FakeServer, ask: Ask) -> None:
    server.script.then(*[AWAY] * 1000)
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"warming up \(after \d+ attempts\)"):
        ask("inspect", b"good", deadline_s=0.5)
    assert time.monotonic() - started < 2
    assert len(server.script.received) > 3


def test_a_server_that_does_not_answer_in_time_is_a_deadline_error(server: FakeServer, ask: Ask) -> None:
    server.script.then(Silence())
    with pytest.raises(DeadlineError, match="Deadline Exceeded"):
        ask("inspect", b"good", deadline_s=0.3)
    assert len(server.script.received) == 1


def test_a_call_that_time_runs_out_for_says_what_it_had_met(server: FakeServer, ask: Ask) -> None:
    server.script.then(AWAY, Silence())
    with pytest.raises(UnavailableError, match=r"warming up; then no answer in time \(after 2 attempts\)"):
        ask("inspect", b"good", deadline_s=0.5)


def test_nobody_at_the_address_is_named_with_it(server: FakeServer, ask: Ask) -> None:
    server.stop()
    with pytest.raises(UnavailableError, match=f"{server.address}: .*onnect"):
        ask("inspect", b"good", deadline_s=0.5)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, RequestError),
        (grpc.StatusCode.NOT_FOUND, NotFoundError),
        (grpc.StatusCode.UNAUTHENTICATED, AuthenticationError),
        (grpc.StatusCode.PERMISSION_DENIED, RemotePermissionError),
        (grpc.StatusCode.FAILED_PRECONDITION, StateError),
        (grpc.StatusCode.UNIMPLEMENTED, UnsupportedError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineError),
        (grpc.StatusCode.INTERNAL, RemoteError),
        (grpc.StatusCode.CANCELLED, RemoteError),
    ],
)
def test_a_refusal_that_time_does_not_mend_is_raised_at_once(
    code: grpc.StatusCode, kind: type[Exception], server: FakeServer, ask: Ask
) -> None:
    server.script.then(Refuse(code, "because"))
    with pytest.raises(kind) as refused:
        ask("inspect", b"good")
    assert type(refused.value) is kind
    assert str(refused.value) == f"{server.address}: because"
    assert len(server.script.received) == 1


def test_a_missing_role_is_the_permission_error_that_the_core_knows(server: FakeServer, ask: Ask) -> None:
    server.script.then(Refuse(grpc.StatusCode.PERMISSION_DENIED, "needs the role admin"))
    with pytest.raises(PermissionDeniedError, match="needs the role admin"):
        ask("load_model", "plates")


def test_fields_that_break_a_rule_are_named(server: FakeServer, ask: Ask) -> None:
    violations = (("part", "expected at most 256 characters, found 300"), ("model", "expected a name"))
    server.script.then(Refuse(grpc.StatusCode.INVALID_ARGUMENT, "bad request", violations=violations))
    with pytest.raises(RequestError) as refused:
        ask("inspect", b"good")
    assert str(refused.value) == (
        f"{server.address}: bad request; part: expected at most 256 characters, found 300; model: expected a name"
    )
    assert refused.value.exit_code == 2


def test_a_picture_that_no_server_takes_is_not_sent(server: FakeServer, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    for image, message in [
        (b"", "image: expected 1 to 16777216 bytes, found 0"),
        (bytes(16 * 1024 * 1024 + 1), "found 16777217"),
        (tmp_path / "absent.png", "absent.png: cannot be read: No such file"),
        (tmp_path / "empty.png", "empty.png: expected 1 to"),
    ]:
        with pytest.raises(ImageError, match=message):
            ask("inspect", image)
    assert server.script.received == []


def test_the_largest_picture_passes(server: FakeServer, ask: Ask) -> None:
    assert ask("inspect", b"\xff" * (16 * 1024 * 1024), part="p" * 256).verdict.decision is Decision.REJECT


def test_a_message_that_is_too_large_for_the_server_is_not_sent_again(server: FakeServer, ask: Ask) -> None:
    server.stop()
    server.max_bytes = 1000
    server.start()
    with pytest.raises(RequestError, match="message larger than max") as refused:
        ask("inspect", bytes(2000))
    assert "attempts" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deadline_s": 0}, "deadline_s: expected a positive, finite number of seconds, found 0"),
        ({"deadline_s": float("nan")}, "found nan"),
        ({"deadline_s": float("inf")}, "found inf"),
        ({"priority": "first"}, "priority: expected one of line, catalog, bulk, found 'first'"),
        ({"part": "\udcff.png"}, "expected Unicode text"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is_sent(
    options: dict[str, object], message: str, server: FakeServer, ask: Ask
) -> None:
    with pytest.raises(SettingsError, match=message):
        ask("inspect", b"good", **options)
    assert server.script.received == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda response: response.ClearField("verdict"), "verdict: expected one, found none"),
        (lambda response: setattr(response.verdict, "decision", 9), "decision: expected one of"),
    ],
)
def test_an_answer_that_is_not_understood_is_no_verdict(
    change: object, message: str, server: FakeServer, ask: Ask
) -> None:
    response = judged(inspection_pb2.InspectRequest(image=b"good"))
    assert callable(change)
    change(response)
    server.script.then(Say((response,)))
    with pytest.raises(WireError, match=f"{server.address}: {message}"):
        ask("inspect", b"good")


def test_models_are_listed_with_their_state(server: FakeServer, ask: Ask) -> None:
    server.models.append(
        served_model("broken", certificate="", state=models_pb2.MODEL_STATE_FAILED, detail="no manifest")
    )
    plates, broken = ask("models")
    assert (plates.ref.name, plates.state, plates.certificate) == ("plates", ModelState.READY, CERTIFICATE)
    assert (plates.labels, plates.good, plates.size_wh) == (("good", "red"), "good", (64, 32))
    assert (broken.state, broken.detail, broken.certificate) == (ModelState.FAILED, "no manifest", None)


def test_a_model_in_a_state_of_a_newer_server_is_not_understood(server: FakeServer, ask: Ask) -> None:
    server.models[0].state = 17  # type: ignore[assignment]  # as a newer server would say it
    with pytest.raises(WireError, match=r"state: expected one of \[1, 2, 3\], found 17"):
        ask("models")


def test_models_are_loaded_and_unloaded_by_name(server: FakeServer, ask: Ask) -> None:
    assert ask("load_model", "cells").ref.name == "cells"
    assert [model.ref.name for model in ask("models")] == ["plates", "cells"]
    assert ask("unload_model", "plates") is None
    assert [model.ref.name for model in ask("models")] == ["cells"]


def test_a_disposition_says_who_is_recorded(server: FakeServer, ask: Ask) -> None:
    server.script.then(AWAY, Say((inspection_pb2.SubmitDispositionResponse(by="anna"),)))
    assert ask("submit_disposition", "r1", "red", note="clearly") == "anna"
    assert server.script.received[-1] == inspection_pb2.SubmitDispositionRequest(
        result_id="r1", label="red", note="clearly"
    )


def test_reviews_are_those_that_wait(server: FakeServer, ask: Ask) -> None:
    waiting = inspection_pb2.PendingReview(
        result_id="r1", part="P-1", verdict=verdict(), model=MODEL, judged_at=stamp(), audit=True
    )
    server.script.then(Say((inspection_pb2.ListReviewsResponse(reviews=[waiting]),)))
    (review,) = ask("reviews", model="plates", limit=5)
    assert (review.result_id, review.part, review.audit, review.image_sha256) == ("r1", "P-1", True, None)
    assert review.judged_at == MOMENT
    assert review.verdict.decision is Decision.ACCEPT
    assert server.script.received[0] == inspection_pb2.ListReviewsRequest(model="plates", limit=5)
    with pytest.raises(SettingsError, match="limit: expected 0 or more, found -1"):
        ask("reviews", limit=-1)


def found(label: str) -> inspection_pb2.ExportDispositionsResponse:
    return inspection_pb2.ExportDispositionsResponse(
        disposition=inspection_pb2.Disposition(
            result_id="r1", label=label, by="anna", found_at=stamp(), decision=verdict().decision, audit=True
        )
    )


def test_dispositions_end_with_the_escape_rate_that_they_show(server: FakeServer, ask: Ask) -> None:
    rate = inspection_pb2.EscapeRate(audited=60, escapes=0, share=0, upper=0.049)
    last = inspection_pb2.ExportDispositionsResponse(escape_rate=rate)
    server.script.then(AWAY, Say((found("good"), found("red"), last)))
    said = ask("dispositions", model="plates")
    assert [(row.label, row.by, row.found_at) for row in said.rows] == [
        ("good", "anna", MOMENT),
        ("red", "anna", MOMENT),
    ]
    assert said.escape_rate == EscapeRate(
        audited=60, escapes=0, share=0, upper=0.049, certified=None, escape_upper=None
    )


def test_dispositions_of_a_model_that_is_not_served_show_no_escape_rate(server: FakeServer, ask: Ask) -> None:
    server.script.then(Say((found("good"),)))
    said = ask("dispositions")
    assert len(said.rows) == 1
    assert said.escape_rate is None


def test_dispositions_that_break_off_are_asked_for_anew_and_never_taken_for_all(
    server: FakeServer, ask: Ask
) -> None:
    broken = Say((found("good"), found("good")), then=AWAY)
    server.script.then(broken, Say((found("red"),)))
    assert [row.label for row in ask("dispositions").rows] == ["red"]
    server.script.then(*[broken] * 1000)
    with pytest.raises(UnavailableError, match="warming up"):
        ask("dispositions", deadline_s=0.5)


def test_two_escape_rates_are_not_understood(server: FakeServer, ask: Ask) -> None:
    rate = inspection_pb2.ExportDispositionsResponse(escape_rate=inspection_pb2.EscapeRate())
    server.script.then(Say((rate, rate)))
    with pytest.raises(WireError, match="expected at most one escape rate, found 2"):
        ask("dispositions")


def test_a_time_beyond_the_calendar_is_not_understood(server: FakeServer, ask: Ask) -> None:
    row = found("good")
    row.disposition.found_at.seconds = 1 << 60
    rate = inspection_pb2.ExportDispositionsResponse(escape_rate=inspection_pb2.EscapeRate())
    server.script.then(Say((row, rate)))
    with pytest.raises(WireError, match="time: expected one between the years 1 and 9999"):
        ask("dispositions")
