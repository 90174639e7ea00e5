"""Traces: where the time of a call went, told to a collector in OpenTelemetry's protocol.

Spans are made through OpenTelemetry's API where a reader of traces wants one; outside of `exporting` they cost microseconds and go
nowhere. A call continues the trace that its caller names (W3C `traceparent`). What a span is called follows OpenTelemetry's
semantic conventions for RPC. No picture and nobody's name is in them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

from opentelemetry import context, propagate, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, format_trace_id

_TIMEOUT_S: Final = 2  # of one export, its retries included; a collector that is gone holds the end of the server up for as long
_FAULTS: Final = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)

TRACER: Final = trace.get_tracer("loupe.server")


@contextmanager
def exporting(endpoint: str | None, *, share: float) -> Iterator[None]:
    """Send spans while the block runs, and the last of them at its end. Once in a process.

    What OpenTelemetry's SDK reads from the environment holds as well (OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_CERTIFICATE).

    Args:
        endpoint: an OTLP collector that speaks gRPC, `http://HOST:PORT` or `https://HOST:PORT`; absent: nothing is sent.
        share: of the calls whose caller does not say whether they are traced, 0..1.
    """
    if endpoint is None:
        yield
        return
    about = Resource.create({"service.name": "loupe", "service.version": version("loupe")})
    provider = TracerProvider(resource=about, sampler=ParentBasedTraceIdRatio(share), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=_TIMEOUT_S)))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def begin_call(method: str, metadata: Mapping[str, str | bytes]) -> Span:
    """The span of a call, around everything else that is done for it.

    It stays the current one for the rest of the handler's task: gRPC gives each call a task of its own, and a stream that is left
    early may be closed in another, where nothing could be set back.
    """
    carrier = {name: value for name, value in metadata.items() if isinstance(value, str)}
    span = TRACER.start_span(
        method.lstrip("/"),
        context=propagate.extract(carrier),
        kind=SpanKind.SERVER,
        attributes={"rpc.system.name": "grpc", "rpc.method": method.lstrip("/")},
    )
    context.attach(trace.set_span_in_context(span))
    return span


def end_call(span: Span, code: str) -> None:
    """End a call's span with its gRPC status; what is the caller's own fault is no error of this server."""
    span.set_attribute("rpc.response.status_code", code)
    if code in _FAULTS:
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def trace_id(span: Span) -> str | None:
    """How a recorded trace is found, for logs; None where nothing is recorded."""
    return format_trace_id(span.get_span_context().trace_id) if span.is_recording() else None
