"""A real server is stopped, killed, started again, and runs out of disk: what was answered stays answered."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.auth import Role
from server.storage.database import open_database
from server.storage.results import ResultRow, rows_between
from tests.bundles import part, spotted
from tests.e2e.conftest import Workplace
from tests.e2e.pictures import huge
from tests.e2e.serving import (
    PATIENCE_S,
    ask,
    eventually,
    inspection_of,
    models_of,
    refused,
    serving,
    shown,
    token,
)
from vision.image import encode_png
from vision.inspection.policy import Decision, fallback
from vision.v1 import inspection_pb2, models_pb2
from vision.wire import verdict_from_wire

GOOD: Final = encode_png(part(7))
RED: Final = encode_png(spotted(8))
Request = inspection_pb2.InspectRequest


def kept(folder: Path) -> list[ResultRow]:
    """The results in a server's database."""
    database = open_database(f"sqlite:///{folder / 'loupe-data' / 'results.db'}", create=False)
    try:
        return [row for row, _ in rows_between(database, None, None)]
    finally:
        database.close()


# --- stopping


@pytest.mark.slow
def test_a_server_that_is_told_to_stop_answers_what_is_under_way_and_ends_well(workplace: Workplace) -> None:
    folder = workplace()
    with serving(folder, drain_s=PATIENCE_S) as server, server.channel() as channel:
        stub = inspection_of(channel)
        calls = [
            stub.Inspect.future(Request(image=huge(), request_id=str(number)), timeout=PATIENCE_S)
            for number in range(4)
        ]
        eventually(lambda: server.metric('loupe_requests_inside{model="plates"}') == 4)
        server.terminate()
        eventually(lambda: server.http("/healthz")[0] == 503)
        with server.channel() as late, pytest.raises(grpc.RpcError) as turned_away:
            ask(inspection_of(late), GOOD)
        answered = [call.result(timeout=PATIENCE_S) for call in calls]
        code = server.ended()

    assert turned_away.value.code() == grpc.StatusCode.UNAVAILABLE
    assert code == 0
    assert len({answer.result_id for answer in answered}) == 4
    assert {row.id for row in kept(folder)} == {answer.result_id for answer in answered}


def test_who_watches_health_is_told_before_the_server_goes_and_an_open_stream_does_not_keep_it(
    workplace: Workplace,
) -> None:
    never = threading.Event()

    def parts() -> Iterator[inspection_pb2.InspectRequest]:
        yield Request(image=GOOD)
        never.wait(PATIENCE_S)

    with serving(workplace(), drain_s=1.0) as server, server.channel() as channel:
        stream = inspection_of(channel).InspectStream(parts())
        first = next(stream)
        watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=""))
        states = [next(watched).status]
        began = time.monotonic()
        server.terminate()
        states.append(next(watched).status)
        code = server.ended()
        took_s = time.monotonic() - began
        with pytest.raises(grpc.RpcError):
            next(stream)
    never.set()

    assert first.HasField("response")
    assert states == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]
    assert code == 0
    assert 1.0 <= took_s < PATIENCE_S / 2


# --- killed


def test_after_a_kill_stored_results_are_intact_and_a_repeated_request_gets_the_stored_answer(
    workplace: Workplace,
) -> None:
    folder = workplace()
    credentials = shown(token(folder, "station-1", Role.INSPECT))
    answers: dict[str, inspection_pb2.InspectResponse] = {}
    with serving(folder) as server, server.channel() as channel:
        stub = inspection_of(channel)
        for number in range(30):
            request = Request(image=RED, request_id=str(number), part=f"plate {number}")
            answers[str(number)] = stub.Inspect(request, metadata=credentials, timeout=PATIENCE_S)
        unanswered = [
            stub.Inspect.future(Request(image=huge(), request_id=f"lost {number}"), timeout=PATIENCE_S)
            for number in range(4)
        ]
        server.kill()
        assert all(call.exception() is not None for call in unanswered)

    rows = {row.request_id: row for row in kept(folder)}
    assert {answer.result_id for answer in answers.values()} <= {row.id for row in rows.values()}
    assert rows["3"].part == "plate 3"
    with serving(folder) as again, again.channel() as channel:
        stub = inspection_of(channel)
        for request_id, first in answers.items():
            request = Request(image=RED, request_id=request_id, part=f"plate {request_id}")
            repeated = stub.Inspect(request, metadata=credentials, timeout=PATIENCE_S)
            assert repeated.repeated_answer
            repeated.repeated_answer = False
            assert repeated == first
        assert ask(stub, huge(), request_id="lost 0").result_id
        with pytest.raises(grpc.RpcError) as other:
            stub.Inspect(Request(image=GOOD, request_id="3"), metadata=credentials, timeout=PATIENCE_S)
        assert other.value.code() == grpc.StatusCode.INVALID_ARGUMENT


# --- several


def test_two_servers_on_one_database_give_one_answer_to_one_question(workplace: Workplace) -> None:
    folder = workplace()
    token(folder, "nobody", Role.INSPECT)  # makes the database
    shared = {"database": f"sqlite:///{folder / 'loupe-data' / 'results.db'}"}
    with (
        serving(folder, storage=shared) as one,
        serving(workplace(), storage=shared) as other,
        one.channel() as to_one,
        other.channel() as to_other,
    ):
        stubs = [inspection_of(to_one), inspection_of(to_other)]
        requests = [Request(image=RED, request_id=str(number)) for number in range(50)]
        calls = [[stub.Inspect.future(each, timeout=PATIENCE_S) for stub in stubs] for each in requests]
        ids = [{call.result().result_id for call in pair} for pair in calls]

    assert [len(pair) for pair in ids] == [1] * 50
    assert {row.id for row in kept(folder)} == set().union(*ids)


# --- no room left


def test_a_full_disk_costs_nobody_an_answer_and_is_shown_and_counted(workplace: Workplace) -> None:
    folder = workplace()
    with serving(folder) as server, server.channel() as channel:
        stub = inspection_of(channel)
        before = ask(stub, RED, request_id="before")
        healthy = server.health()["degraded"]
        server.limit_files(1)
        for number in range(5):
            assert ask(stub, RED, request_id=f"full {number}").verdict == before.verdict
        again = ask(stub, RED, request_id="before")
        full = server.health()
        unkept = server.metric("loupe_results_unkept_total")
        server.limit_files()
        after = ask(stub, RED, request_id="after")
        repeated = ask(stub, RED, request_id="after")

    assert not healthy
    assert (full["ready"], full["degraded"]) == (True, True)
    assert unkept == 5
    assert again.repeated_answer, "what is kept can be read"
    assert repeated.repeated_answer, "with room again results are kept again"
    assert {row.id for row in kept(folder)} == {before.result_id, after.result_id}


def test_what_a_full_disk_keeps_out_of_the_audit_log_is_in_the_logs(workplace: Workplace) -> None:
    folder = workplace()
    shows = shown(token(folder, "grace", Role.ADMIN))
    with serving(folder) as server, server.channel() as channel:
        server.limit_files(1)
        loaded = models_of(channel).LoadModel(
            models_pb2.LoadModelRequest(name="plates-1.0"), timeout=PATIENCE_S, metadata=shows
        )

    assert loaded.model.ref.name == "plates", "the change itself went through"
    lost = [json.loads(line) for line in server.log if "not in the audit log" in line]
    assert [(line["user"], line["method"]) for line in lost] == [
        ("grace", "/vision.v1.ModelService/LoadModel")
    ]
    assert "plates-1.0" in lost[0]["detail"]


# --- not even started


def test_a_second_server_on_the_same_port_is_an_error_that_names_it(workplace: Workplace) -> None:
    with serving(workplace()) as server, server.channel() as channel:
        grpc_code, grpc_said = refused(workplace(), listen=server.address)
        http_code, http_said = refused(workplace(), http=server.announced["http"])

        assert ask(inspection_of(channel), GOOD).result_id, "the first one did not notice"

    assert (grpc_code, http_code) == (2, 2)
    assert grpc_said.startswith(f"listen: cannot listen on {server.address}")
    assert http_said.startswith(f"http: cannot listen on {server.announced['http']}")


def test_a_folder_of_models_that_is_not_there_is_an_error_that_names_it(workplace: Workplace) -> None:
    code, said = refused(workplace(), models="nowhere")

    assert code == 2
    assert said == "--models nowhere: expected a folder of bundles, found none"


def test_a_database_that_cannot_be_opened_is_an_error_that_names_it(workplace: Workplace) -> None:
    folder = workplace()
    (folder / "loupe-data").write_text("a file in the folder's place")

    code, said = refused(folder)

    assert code == 1
    assert "loupe-data" in said


@pytest.mark.parametrize(
    ("line", "decision"), [({}, Decision.REVIEW), ({"without_model": "reject"}, Decision.REJECT)]
)
def test_without_any_model_every_part_goes_where_the_line_says_and_is_kept_for_a_person(
    workplace: Workplace, line: dict[str, str], decision: Decision
) -> None:
    folder = workplace()
    (folder / "models" / "plates-1.0.loupe").rename(folder / "plates-1.0.loupe")
    with serving(folder, line=line) as server, server.channel() as channel:
        stub = inspection_of(channel)
        answers = [ask(stub, GOOD, request_id="part-1", part="plate 1") for _ in range(2)]
        counted = server.metric(
            f'loupe_verdicts_total{{decision="{decision.value}",model="",reason="fault"}}'
        )

    assert server.announced["models"] == []
    assert verdict_from_wire(answers[0].verdict) == fallback(
        "no model is served", reject=decision is Decision.REJECT
    )
    assert answers[0].model.name == ""
    assert (answers[1].result_id, answers[1].repeated_answer) == (answers[0].result_id, True)
    assert counted == 1
    (row,) = kept(folder)
    assert (row.id, row.part, row.decision) == (answers[0].result_id, "plate 1", decision)
    assert row.image_sha256 == hashlib.sha256(GOOD).hexdigest()


def test_the_first_model_that_comes_takes_over_from_the_fallback(workplace: Workplace) -> None:
    folder = workplace()
    (folder / "models" / "plates-1.0.loupe").rename(folder / "plates-1.0.loupe")
    admin = shown(token(folder, "root", Role.ADMIN))
    with serving(folder) as server, server.channel() as channel:
        before = ask(inspection_of(channel), GOOD)
        (folder / "plates-1.0.loupe").rename(folder / "models" / "plates-1.0.loupe")
        models = models_of(channel)
        models.LoadModel(models_pb2.LoadModelRequest(name="plates-1.0"), metadata=admin, timeout=PATIENCE_S)
        after = ask(inspection_of(channel), GOOD)

    assert verdict_from_wire(before.verdict).decision is Decision.REVIEW
    assert verdict_from_wire(after.verdict).decision is Decision.ACCEPT
    assert after.model.name == "plates"
