"""A real server, asked from outside: the verdicts of `loupe inspect`, in whatever order and however often they are asked for."""

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from server.auth import Role
from tests.bundles import BLUE, part, spotted, stranger
from tests.e2e.conftest import Workplace
from tests.e2e.pictures import huge
from tests.e2e.serving import (
    LOUPE,
    PATIENCE_S,
    Server,
    ask,
    clean_environment,
    inspection_of,
    serving,
    shown,
    token,
)
from vision import wire
from vision.bundle import open_bundle
from vision.image import decode, encode_png
from vision.v1 import common_pb2, inspection_pb2

DEFAULT_DEADLINE_S: Final = 3.0
GOOD: Final = encode_png(part(7))
PICTURES: Final = {
    "good.png": GOOD,
    "red.png": encode_png(spotted(8)),
    "blue.png": encode_png(spotted(9, colour=BLUE, cell_xy=(3, 0))),
    "strange.png": encode_png(stranger()),
}
Request = inspection_pb2.InspectRequest


@pytest.fixture(scope="module")
def server(workplace: Workplace) -> Iterator[Server]:
    """Draws every accepted part for the audit."""
    folder = workplace()
    with serving(folder, default_deadline_s=DEFAULT_DEADLINE_S, storage={"audit_share": 1.0}) as found:
        yield found


@pytest.fixture(scope="module")
def reviewer(server: Server) -> tuple[tuple[str, str], ...]:
    return shown(token(server.folder, "kim", Role.REVIEW))


# --- the same as without a server


@pytest.fixture(scope="module")
def local(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What `loupe inspect` says of each picture on this machine."""
    folder = tmp_path_factory.mktemp("local")
    for name, data in PICTURES.items():
        (folder / name).write_bytes(data)
    done = subprocess.run(
        [LOUPE, "inspect", plates, *(folder / name for name in PICTURES), "--explain", "--json"],
        capture_output=True, text=True, env=clean_environment(folder), timeout=PATIENCE_S, check=True,
    )  # fmt: skip
    results: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return {Path(result["image"]).name: result for result in results}


@pytest.mark.parametrize("name", PICTURES)
def test_the_verdict_is_the_one_that_loupe_inspect_gives(
    name: str, inspection: Any, local: dict[str, dict[str, Any]]
) -> None:
    response = ask(inspection, PICTURES[name], explain=True)

    verdict, expected = wire.verdict_from_wire(response.verdict), local[name]
    assert (verdict.decision, verdict.reason) == (expected["decision"], expected["reason"])
    assert verdict.probability == expected["probability"], "to the last digit"
    assert verdict.probabilities == expected["probabilities"]
    assert (verdict.novelty, verdict.label) == (expected["novelty"], expected["label"])
    assert (verdict.detail, verdict.certified) == (expected["detail"], expected["certified"])
    explained = wire.explanation_from_wire(response.explanation)
    assert explained.sentence() == expected["explanation"]["text"]


def test_an_answer_says_which_model_gave_it_and_what_it_took(inspection: Any, plates: Path) -> None:
    response = ask(inspection, GOOD, part="plate 9", request_id="names-itself")

    assert (response.model.name, response.model.version) == ("plates", "1.0")
    assert response.model.digest == open_bundle(plates).digest()
    assert response.model.file == "model.onnx"
    assert response.request_id == "names-itself"
    assert response.timings.batch == 1
    assert 0 < response.timings.decode_ms <= response.timings.total_ms


def test_evidence_comes_where_it_is_asked_for_and_not_otherwise(inspection: Any) -> None:
    plain = ask(inspection, PICTURES["red.png"])
    rich = ask(inspection, PICTURES["red.png"], heatmap=True, embedding=True, explain=True)

    assert not plain.HasField("explanation")
    assert (plain.heatmap_png, list(plain.embedding)) == (b"", [])
    assert decode(rich.heatmap_png).size_wh == (64, 64)
    assert len(rich.embedding) == 5
    assert rich.explanation.defect == "red"
    assert rich.verdict == plain.verdict


def test_a_model_may_be_named_and_a_wrong_name_is_told_the_right_ones(inspection: Any) -> None:
    assert ask(inspection, GOOD, model="plates").model.name == "plates"

    with pytest.raises(grpc.RpcError) as refused:
        ask(inspection, GOOD, model="cells")

    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert "plates" in str(refused.value.details())


# --- streams


def test_a_stream_answers_in_the_order_of_completion_and_one_bad_part_costs_the_others_nothing(
    inspection: Any,
) -> None:
    requests = [
        Request(request_id="huge", image=huge()),
        Request(request_id="bad", image=b"no picture"),
        *(Request(request_id=f"small {number}", image=encode_png(part(number))) for number in range(8)),
        Request(request_id="too long a part", image=GOOD, part="x" * 257),
    ]

    answers = list(inspection.InspectStream(iter(requests), timeout=PATIENCE_S))

    order = [answer.request_id for answer in answers]
    assert sorted(order) == sorted(request.request_id for request in requests)
    assert order.index("huge") > order.index("small 0"), "who is done first is answered first"
    errors = {answer.request_id: answer.error for answer in answers if answer.HasField("error")}
    assert set(errors) == {"bad", "too long a part"}
    assert {error.code for error in errors.values()} == {grpc.StatusCode.INVALID_ARGUMENT.value[0]}
    assert errors["bad"].message.startswith("image: expected one of JPEG")
    assert all(
        answer.response.request_id == answer.request_id for answer in answers if answer.HasField("response")
    )


def test_a_stream_of_hundreds_is_answered_part_by_part(inspection: Any) -> None:
    pictures = [encode_png(part(seed)) for seed in range(8)]
    requests = (Request(request_id=str(number), image=pictures[number % 8]) for number in range(300))

    answers = list(inspection.InspectStream(requests, timeout=PATIENCE_S))

    assert sorted(int(answer.request_id) for answer in answers) == [*range(300)]
    assert all(answer.HasField("response") for answer in answers)


def test_an_empty_stream_ends_well(inspection: Any) -> None:
    assert list(inspection.InspectStream(iter(()), timeout=PATIENCE_S)) == []


def test_a_stream_may_last_longer_than_a_request_may_take(inspection: Any) -> None:
    def parts() -> Iterator[inspection_pb2.InspectRequest]:
        yield Request(request_id="at once", image=GOOD)
        time.sleep(DEFAULT_DEADLINE_S + 0.5)
        yield Request(request_id="after a pause", image=GOOD)

    answers = list(inspection.InspectStream(parts()))  # without a deadline of its own

    assert [(answer.request_id, answer.HasField("response")) for answer in answers] == [
        ("at once", True),
        ("after a pause", True),
    ]


# --- once


def test_a_repeated_request_gets_the_first_ones_answer_however_it_is_asked(inspection: Any) -> None:
    first = ask(inspection, PICTURES["red.png"], request_id="twice", part="plate 3")
    again = ask(inspection, PICTURES["red.png"], request_id="twice", part="plate 3")
    (streamed,) = inspection.InspectStream(
        iter([Request(request_id="twice", image=PICTURES["red.png"], part="plate 3")]), timeout=PATIENCE_S
    )

    assert not first.repeated_answer
    for other in (again, streamed.response):
        assert other.repeated_answer
        other.repeated_answer = False
        assert other == first


def test_another_content_under_the_same_id_is_refused(inspection: Any) -> None:
    ask(inspection, GOOD, request_id="mine")

    for changed in ({"image": PICTURES["red.png"]}, {"part": "plate 4"}, {"heatmap": True}):
        with pytest.raises(grpc.RpcError) as refused:
            ask(inspection, **({"image": GOOD, "request_id": "mine"} | changed))
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "request_id 'mine'" in str(refused.value.details())


def test_one_question_asked_twenty_times_at_once_is_judged_once(server: Server) -> None:
    def one(_: int) -> inspection_pb2.InspectResponse:
        with server.channel() as channel:
            return ask(inspection_of(channel), PICTURES["blue.png"], request_id="twenty")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(20)))

    assert len({answer.result_id for answer in answers}) == 1
    assert [answer.repeated_answer for answer in answers].count(False) == 1


def test_without_an_id_every_request_is_a_result_of_its_own(inspection: Any) -> None:
    assert ask(inspection, GOOD).result_id != ask(inspection, GOOD).result_id


# --- people


def test_what_a_person_finds_is_kept_under_their_name_and_exported_with_the_escape_rate(
    server: Server, inspection: Any, reviewer: Any
) -> None:
    accepted = ask(inspection, encode_png(part(31)), part="plate 31")
    strange = ask(inspection, PICTURES["strange.png"], part="plate 32")
    assert accepted.verdict.decision == common_pb2.DECISION_ACCEPT
    assert strange.verdict.decision == common_pb2.DECISION_REVIEW

    waiting = inspection.ListReviews(
        inspection_pb2.ListReviewsRequest(model="plates", limit=1000), metadata=reviewer
    ).reviews
    by_id = {one.result_id: one for one in waiting}
    assert not by_id[strange.result_id].audit
    assert by_id[accepted.result_id].audit
    assert by_id[accepted.result_id].part == "plate 31"
    assert len(by_id[strange.result_id].image_sha256) == 64

    for response, label in ((accepted, "good"), (strange, "blue")):
        said = inspection.SubmitDisposition(
            inspection_pb2.SubmitDispositionRequest(result_id=response.result_id, label=label),
            metadata=reviewer,
        )
        assert said.by == "kim"

    *rows, last = inspection.ExportDispositions(
        inspection_pb2.ExportDispositionsRequest(model="plates"), metadata=reviewer
    )
    found = {row.disposition.result_id: row.disposition for row in rows}
    assert (found[strange.result_id].label, found[strange.result_id].by) == ("blue", "kim")
    assert last.escape_rate.audited >= 1
    assert last.escape_rate.escapes == 0
    assert last.escape_rate.certified == 0.01
    still = inspection.ListReviews(inspection_pb2.ListReviewsRequest(limit=1000), metadata=reviewer).reviews
    assert not {accepted.result_id, strange.result_id} & {one.result_id for one in still}
