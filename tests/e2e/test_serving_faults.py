"""What strangers send and how clients leave: a real server refuses it by name, and goes on answering everybody else."""

import asyncio
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any, Final

import grpc
import psutil
import pytest
from google.rpc import error_details_pb2

from server.auth import Role
from tests.bundles import make_bundle, part
from tests.e2e.conftest import Workplace
from tests.e2e.pictures import bad, huge
from tests.e2e.serving import (
    PATIENCE_S,
    Server,
    ask,
    details,
    eventually,
    inspection_of,
    serving,
    shown,
    token,
    wrong_fields,
)
from vision.image import encode_png
from vision.v1 import inspection_pb2, models_pb2, open_inference_pb2

GOOD: Final = encode_png(part(7))
MIB: Final = 2**20
Request = inspection_pb2.InspectRequest
Code = grpc.StatusCode


@pytest.fixture(scope="module")
def server(workplace: Workplace) -> Iterator[Server]:
    with serving(workplace()) as found:
        yield found


@pytest.fixture(autouse=True)
def still_serving(server: Server) -> Iterator[None]:
    """Whatever a test did, the next caller is answered, and nothing was a surprise to the server."""
    yield
    with server.channel() as channel:
        assert ask(inspection_of(channel), GOOD).model.name == "plates"
    assert server.process.poll() is None
    surprises = [line for line in server.log if '"level": "error"' in line]
    assert not surprises, surprises[0]


def refusal(call: Callable[[], object]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as refused:
        call()
    return refused.value


# --- what is sent


@pytest.mark.parametrize("kind", bad())
def test_what_is_no_usable_picture_is_refused_by_the_name_of_its_field(kind: str, inspection: Any) -> None:
    error = refusal(lambda: ask(inspection, bad()[kind]))

    assert error.code() == Code.INVALID_ARGUMENT
    assert wrong_fields(error) == ["image"]


def test_every_bad_picture_in_one_stream_costs_the_good_ones_between_them_nothing(inspection: Any) -> None:
    requests = []
    for kind, data in bad().items():
        requests += [
            Request(request_id=f"bad: {kind}", image=data),
            Request(request_id=f"good: {kind}", image=GOOD),
        ]

    answers = list(inspection.InspectStream(iter(requests), timeout=PATIENCE_S))

    judged = {answer.request_id: answer.HasField("response") for answer in answers}
    assert len(judged) == len(answers) == len(requests)
    assert all(name.startswith("good") == good for name, good in judged.items())


@pytest.mark.parametrize(
    "method",
    [
        "/vision.v1.InspectionService/Inspect",
        "/vision.v1.ModelService/GetModel",
        "/inference.GRPCInferenceService/ModelInfer",
    ],
)
@pytest.mark.parametrize(
    "data",
    [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe", bytes(range(256))],
    ids=["noise", "cut", "no UTF-8", "range"],
)
def test_bytes_that_are_no_message_are_an_invalid_argument(
    method: str, data: bytes, channel: grpc.Channel
) -> None:
    call: Any = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)

    error = refusal(lambda: call(data, timeout=PATIENCE_S))

    assert error.code() == Code.INVALID_ARGUMENT
    assert "request: expected a message" in str(error.details())


def test_bytes_that_are_no_message_end_a_stream_once_what_came_before_is_answered(
    channel: grpc.Channel,
) -> None:
    call: Any = channel.stream_stream(
        "/vision.v1.InspectionService/InspectStream",
        request_serializer=bytes,
        response_deserializer=inspection_pb2.InspectStreamResponse.FromString,
    )
    before = [Request(request_id=str(number), image=GOOD).SerializeToString() for number in range(5)]
    answered: list[str] = []

    def read() -> None:
        for answer in call(iter([*before, b"\xff\xff\xff", *before]), timeout=PATIENCE_S):
            answered.append(answer.request_id)  # noqa: PERF401  (what came is kept when the error comes)

    error = refusal(read)

    assert error.code() == Code.INVALID_ARGUMENT
    assert sorted(answered) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"part": "x" * 257}, "part"),
        ({"request_id": "x" * 129}, "request_id"),
        ({"model": "x" * 129}, "model"),
        ({"priority": 77}, "priority"),
        ({"part": "plate\0"}, "part"),
        ({"image": b""}, "image"),
        ({"image": bytes(16 * MIB + 1)}, "image"),
    ],
)
def test_a_field_out_of_its_range_is_named(changed: dict[str, Any], field: str, inspection: Any) -> None:
    error = refusal(lambda: ask(inspection, **({"image": GOOD} | changed)))

    assert error.code() == Code.INVALID_ARGUMENT
    assert wrong_fields(error) == [field]


def test_a_picture_of_exactly_the_largest_size_is_judged(inspection: Any) -> None:
    largest = GOOD + bytes(16 * MIB - len(GOOD))  # a PNG ends where it says so

    assert ask(inspection, largest, part="x" * 256, request_id="x" * 128).result_id


def test_a_message_of_seventeen_mebibytes_is_refused(inspection: Any) -> None:
    assert refusal(lambda: ask(inspection, bytes(17 * MIB))).code() == Code.RESOURCE_EXHAUSTED


def test_a_message_that_unpacks_to_sixty_four_mebibytes_is_refused(inspection: Any) -> None:
    bomb = Request(image=bytes(64 * MIB))

    error = refusal(lambda: inspection.Inspect(bomb, timeout=PATIENCE_S, compression=grpc.Compression.Gzip))

    assert error.code() == Code.RESOURCE_EXHAUSTED


def test_a_name_of_a_megabyte_is_not_found_and_not_sent_back_whole(inference: Any) -> None:
    infer = open_inference_pb2.ModelInferRequest(model_name="x" * MIB)

    error = refusal(lambda: inference.ModelInfer(infer, timeout=PATIENCE_S))

    assert error.code() == Code.NOT_FOUND
    assert len(str(error.details())) < 1100


def test_a_log_id_of_kilobytes_does_not_cost_a_caller_the_reason(inspection: Any) -> None:
    metadata = (("x-request-id", "y" * 6000),)

    error = refusal(lambda: inspection.Inspect(Request(image=b"1"), metadata=metadata, timeout=PATIENCE_S))

    (info,) = [one for one in details(error) if isinstance(one, error_details_pb2.RequestInfo)]
    assert error.code() == Code.INVALID_ARGUMENT
    assert info.request_id == "y" * 128


@pytest.mark.parametrize("name", ["../models/plates-1.0", "/etc/passwd", "a/b", "..", "plates-1.0\n", ""])
def test_a_path_is_no_name_also_for_an_admin(name: str, server: Server, models: Any) -> None:
    admin = shown(token(server.folder, "root", Role.ADMIN))

    error = refusal(lambda: models.LoadModel(models_pb2.LoadModelRequest(name=name), metadata=admin))

    assert error.code() == Code.INVALID_ARGUMENT
    assert wrong_fields(error) == ["name"]


# --- when it is sent


@pytest.mark.parametrize("timeout_s", [-1.0, 0.0, 1e-6])
def test_a_deadline_in_the_past_is_exceeded(timeout_s: float, inspection: Any) -> None:
    error = refusal(lambda: inspection.Inspect(Request(image=GOOD), timeout=timeout_s))

    assert error.code() == Code.DEADLINE_EXCEEDED


def test_deadlines_that_pass_on_the_way_leave_no_work_behind(server: Server, inspection: Any) -> None:
    calls = [
        inspection.Inspect.future(Request(image=huge()), timeout=0.05 + 0.01 * number) for number in range(20)
    ]

    codes = {call.code() for call in calls}

    assert codes <= {Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED}
    eventually(lambda: server.metric('loupe_requests_inside{model="plates"}') == 0)


def test_too_much_at_once_is_refused_with_a_hint_and_what_was_let_in_is_answered(
    workplace: Workplace,
) -> None:
    with serving(workplace(), limits={"max_waiting": 4}) as small, small.channel() as channel:
        stub = inspection_of(channel)
        calls = [stub.Inspect.future(Request(image=huge()), timeout=PATIENCE_S) for _ in range(12)]
        errors = [error for error in (call.exception() for call in calls) if error is not None]

    assert 1 <= len(errors) <= 8
    assert len(calls) - len(errors) >= 4
    for error in errors:
        assert error.code() == Code.RESOURCE_EXHAUSTED
        (hint,) = [one for one in details(error) if isinstance(one, error_details_pb2.RetryInfo)]
        assert hint.retry_delay.ToMilliseconds() >= 1


# --- how clients leave


VANISHING = """
import sys, time, grpc
from vision.v1 import inspection_pb2
from vision.v1.inspection_pb2_grpc import InspectionServiceStub

def parts():
    for number in range(10):
        yield inspection_pb2.InspectRequest(request_id=f"gone {number}", image=image, heatmap=True)
    print("sent", flush=True)
    time.sleep(600)

image = open(sys.argv[2], "rb").read()
stub = InspectionServiceStub(grpc.insecure_channel(sys.argv[1], (("grpc.enable_http_proxy", 0),)))
for answer in stub.InspectStream(parts()):
    time.sleep(600)
"""


def test_a_client_killed_in_the_middle_of_a_stream_holds_up_nobody(server: Server, inspection: Any) -> None:
    picture = server.folder / "huge.png"
    picture.write_bytes(huge())
    client = subprocess.Popen(
        [sys.executable, "-c", VANISHING, server.address, picture], stdout=subprocess.PIPE, text=True
    )
    with client:
        assert client.stdout is not None
        assert client.stdout.readline() == "sent\n"
        client.kill()

    assert ask(inspection, GOOD).timings.batch == 1


def test_streams_that_are_cancelled_hold_up_nobody(server: Server, inspection: Any) -> None:
    never = threading.Event()

    def parts() -> Iterator[inspection_pb2.InspectRequest]:
        yield from (Request(image=GOOD, heatmap=True) for _ in range(30))
        never.wait(PATIENCE_S)

    for _ in range(20):
        stream = inspection.InspectStream(parts())
        next(stream)
        stream.cancel()
    answered = list(inspection.InspectStream(iter([Request(image=GOOD)] * 20), timeout=PATIENCE_S))
    never.set()

    assert len(answered) == 20


def test_a_reader_that_does_not_read_holds_up_nobody_and_loses_nothing(
    server: Server, inspection: Any
) -> None:
    requests = [
        Request(request_id=str(number), image=GOOD, heatmap=True, embedding=True) for number in range(400)
    ]
    with server.channel() as channel:
        slow = inspection_of(channel).InspectStream(iter(requests), timeout=PATIENCE_S)
        first = next(slow)
        began = time.monotonic()
        quick = list(inspection.InspectStream(iter([Request(image=GOOD)] * 50), timeout=PATIENCE_S))
        took_s = time.monotonic() - began
        rest = [answer.request_id for answer in slow]

    assert len(quick) == 50
    assert took_s < PATIENCE_S / 4
    assert sorted([first.request_id, *rest], key=int) == [str(number) for number in range(400)]


@pytest.mark.asyncio
async def test_a_thousand_idle_connections_hold_up_nobody(server: Server, inspection: Any) -> None:
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < 4096:
        pytest.skip(f"a thousand connections take more open files than the {allowed} that are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    host, _, port = server.address.rpartition(":")
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
    channels = [grpc.aio.insecure_channel(server.address, options) for _ in range(100)]
    with ExitStack() as silent:
        for _ in range(900):  # not even HTTP/2 is spoken on these
            silent.enter_context(socket.create_connection((host, int(port)), timeout=PATIENCE_S))
        await asyncio.wait_for(asyncio.gather(*(one.channel_ready() for one in channels)), PATIENCE_S)

        answer = await asyncio.to_thread(ask, inspection, GOOD)

    assert answer.result_id
    await asyncio.gather(*(one.close() for one in channels))


def test_callers_who_come_and_leave_without_a_word_leave_nothing_behind(server: Server) -> None:
    process, host, port = psutil.Process(server.process.pid), *server.address.split(":")
    with server.channel() as channel:  # what a server opens once, it has open from here on
        ask(inspection_of(channel), GOOD)
    before = process.num_fds()

    for _ in range(100):
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as silent:
            silent.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    for _ in range(10):
        with server.channel() as channel:
            next(inspection_of(channel).InspectStream(iter([Request(image=GOOD)] * 9), timeout=PATIENCE_S))

    eventually(lambda: process.num_fds() <= before + 2)


# --- while models change


def test_no_request_fails_while_a_model_is_loaded_again_and_again(server: Server, models: Any) -> None:
    admin = shown(token(server.folder, "root", Role.ADMIN))
    make_bundle(server.folder / "models" / "plates-1.1", version="1.1")
    stop = threading.Event()

    def work() -> list[str]:
        versions = []
        with server.channel() as channel:
            stub = inspection_of(channel)
            while not stop.is_set():
                versions.append(ask(stub, GOOD).model.version)
        return versions

    with ThreadPoolExecutor(4) as pool:
        workers: list[Future[list[str]]] = [pool.submit(work) for _ in range(4)]
        try:
            for name in ("plates-1.1", "plates-1.0") * 4:
                models.LoadModel(models_pb2.LoadModelRequest(name=name), metadata=admin, timeout=PATIENCE_S)
        finally:
            stop.set()
        versions = [version for worker in workers for version in worker.result()]

    assert set(versions) == {"1.0", "1.1"}
    assert len(versions) >= 8


def test_a_name_is_unloaded_under_load_without_an_answer_lost(server: Server, models: Any) -> None:
    admin = shown(token(server.folder, "root", Role.ADMIN))
    make_bundle(server.folder / "models" / "rings", name="rings")
    models.LoadModel(models_pb2.LoadModelRequest(name="rings"), metadata=admin, timeout=PATIENCE_S)
    with server.channel() as channel:
        stub = inspection_of(channel)
        calls = [
            stub.Inspect.future(Request(image=huge(), model="rings"), timeout=PATIENCE_S) for _ in range(6)
        ]
        with suppress(grpc.FutureTimeoutError):
            calls[0].result(timeout=0.2)
        models.UnloadModel(models_pb2.UnloadModelRequest(name="rings"), metadata=admin, timeout=PATIENCE_S)
        codes = [call.code() for call in calls]

    assert set(codes) <= {Code.OK, Code.NOT_FOUND, Code.RESOURCE_EXHAUSTED}
    assert codes[0] == Code.OK
