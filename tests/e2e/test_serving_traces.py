"""A real server tells a real collector where the time of its calls went."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2
from typing_extensions import override

from tests.bundles import part
from tests.e2e.conftest import Workplace
from tests.e2e.serving import PATIENCE_S, inspection_of, refused, serving
from vision.image import encode_png
from vision.v1 import inspection_pb2

pytestmark = pytest.mark.slow

GOOD: Final = encode_png(part(7))
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED: Final = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)
UNSAMPLED: Final = (("traceparent", f"00-{TRACE}-{PARENT}-00"),)
Request = inspection_pb2.InspectRequest
INSPECT: Final = "vision.v1.InspectionService/Inspect"


@dataclass(slots=True)
class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans as any OTLP collector does."""

    endpoint: str = ""
    spans: list[trace_pb2.Span] = field(default_factory=list)

    @override
    def Export(self, request: trace_service_pb2.ExportTraceServiceRequest, context: Any) -> Any:
        for of_resource in request.resource_spans:
            for of_scope in of_resource.scope_spans:
                self.spans += of_scope.spans
        return trace_service_pb2.ExportTraceServiceResponse()

    def named(self, name: str) -> list[trace_pb2.Span]:
        return [span for span in self.spans if span.name == name]


@contextmanager
def collecting() -> Iterator[Collector]:
    collector, server = Collector(), grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]  # generated
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None)


@contextmanager
def traced(folder: Path) -> Iterator[tuple[Collector, Any]]:
    """A collector, and the stub of a server that tells it; what was not told yet is told as the block ends."""
    with (
        collecting() as collector,
        serving(folder, traces={"endpoint": collector.endpoint}) as server,
        server.channel() as channel,
    ):
        yield collector, inspection_of(channel)


def attribute(span: trace_pb2.Span, name: str) -> str:
    return next(one.value.string_value for one in span.attributes if one.key == name)


def test_a_call_continues_its_callers_trace_and_shows_its_stages(workplace: Workplace) -> None:
    with traced(workplace()) as (collector, stub):
        stub.Inspect(Request(image=GOOD), timeout=PATIENCE_S, metadata=SAMPLED)

    (call,) = collector.named(INSPECT)
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE, PARENT)
    assert attribute(call, "rpc.response.status_code") == "OK"
    stages = [span for name in ("decode", "model", "keep") for span in collector.named(name)]
    assert [span.name for span in stages] == ["decode", "model", "keep"]
    assert {span.parent_span_id for span in stages} == {call.span_id}
    times = [
        call.start_time_unix_nano,
        *(time for span in stages for time in (span.start_time_unix_nano, span.end_time_unix_nano)),
        call.end_time_unix_nano,
    ]
    assert times == sorted(times)


def test_every_part_of_a_stream_is_in_its_streams_trace(workplace: Workplace) -> None:
    parts = [Request(request_id=str(number), image=GOOD) for number in range(3)]
    with traced(workplace()) as (collector, stub):
        answers = list(stub.InspectStream(iter(parts), timeout=PATIENCE_S, metadata=SAMPLED))

    assert len(answers) == len(parts)
    (stream,) = collector.named("vision.v1.InspectionService/InspectStream")
    judged = collector.named("model")
    assert len(judged) == len(parts)
    assert {span.parent_span_id for span in judged} == {stream.span_id}


def test_what_the_caller_got_wrong_is_no_fault_of_the_server_in_its_trace(workplace: Workplace) -> None:
    with traced(workplace()) as (collector, stub), pytest.raises(grpc.RpcError):
        stub.Inspect(Request(image=GOOD[:100]), timeout=PATIENCE_S)

    (call,) = collector.named(INSPECT)
    assert attribute(call, "rpc.response.status_code") == "INVALID_ARGUMENT"
    assert call.status.code == trace_pb2.Status.STATUS_CODE_UNSET


def test_whoever_asks_not_to_be_traced_is_not(workplace: Workplace) -> None:
    with traced(workplace()) as (collector, stub):
        stub.Inspect(Request(image=GOOD), timeout=PATIENCE_S, metadata=UNSAMPLED)

    assert collector.spans == []


def test_a_collector_that_is_not_there_costs_no_answer_and_no_long_goodbye(workplace: Workplace) -> None:
    with serving(workplace(), traces={"endpoint": "http://127.0.0.1:9"}) as server:
        with server.channel() as channel:
            inspection_of(channel).Inspect(Request(image=GOOD), timeout=PATIENCE_S)
        server.terminate()
        asked = time.monotonic()
        assert server.ended() == 0
        assert time.monotonic() - asked < 20

    assert any("127.0.0.1:9" in line for line in server.log)


def test_an_endpoint_that_is_no_address_of_a_collector_is_refused_at_the_start(workplace: Workplace) -> None:
    code, message = refused(workplace(), traces={"endpoint": "collector:4317"})

    assert code == 2
    assert "traces.endpoint" in message
