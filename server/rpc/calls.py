"""What every call goes through: who asks, may they, how often, until when; and errors become statuses.

One interceptor around every handler of ours. Health and reflection pass: they say nothing about anybody.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, cast

import grpc
import structlog
from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message
from typing_extensions import override

from server import tracing
from server.auth import Principal, Role, bearer, certified
from server.metrics import Metrics
from server.rpc import rules
from server.rpc.status import DETAILS, code_of, status_of
from vision.errors import InputError, OverloadedError, StorageError

Context = grpc.aio.ServicerContext[Any, Any]  # of every call

_OPEN: Final = ("/grpc.health.", "/grpc.reflection.")
_ANYBODY: Final = frozenset(Role)
_Parse = Callable[[bytes], Message]
_Metadata = dict[str, str | bytes]
_MAX_ID: Final = 128  # of the caller's own log ids
_LOG: Final = structlog.get_logger("server.rpc")

# Which of a principal's roles open a method; a method that is not named here opens for admin alone.
ROLES: Final[Mapping[str, frozenset[Role]]] = {
    "/vision.v1.InspectionService/Inspect": frozenset({Role.INSPECT, Role.STATION}),
    "/vision.v1.InspectionService/InspectStream": frozenset({Role.INSPECT, Role.STATION}),
    "/vision.v1.InspectionService/SubmitDisposition": frozenset({Role.REVIEW}),
    "/vision.v1.InspectionService/ListReviews": frozenset({Role.REVIEW}),
    "/vision.v1.InspectionService/ExportDispositions": frozenset({Role.REVIEW}),
    "/vision.v1.ModelService/ListModels": _ANYBODY,
    "/vision.v1.ModelService/GetModel": _ANYBODY,
    "/vision.v1.ModelService/FetchBundle": frozenset({Role.STATION, Role.ADMIN}),
    "/vision.v1.CatalogService/Categorize": frozenset({Role.CATALOG}),
    "/vision.v1.CatalogService/CategorizeStream": frozenset({Role.CATALOG}),
    "/vision.v1.CatalogService/IndexItem": frozenset({Role.CATALOG}),
    "/vision.v1.CatalogService/RemoveItem": frozenset({Role.CATALOG}),
    "/vision.v1.CatalogService/SearchSimilar": frozenset({Role.CATALOG}),
    "/vision.v1.CatalogService/CheckBlemish": frozenset({Role.CATALOG}),
    "/vision.v1.CatalogService/SubmitFeedback": frozenset({Role.CATALOG, Role.REVIEW}),
    "/vision.v1.CatalogService/ExportFeedback": frozenset({Role.REVIEW}),
    "/vision.v1.ImageryService/CreateJob": frozenset({Role.DESIGN}),
    "/vision.v1.ImageryService/GetJob": frozenset({Role.DESIGN, Role.REVIEW}),
    "/vision.v1.ImageryService/ListJobs": frozenset({Role.DESIGN, Role.REVIEW}),
    "/vision.v1.ImageryService/WatchJob": frozenset({Role.DESIGN, Role.REVIEW}),
    "/vision.v1.ImageryService/CancelJob": frozenset({Role.DESIGN}),
    "/vision.v1.ImageryService/CheckCompliance": frozenset({Role.DESIGN, Role.REVIEW, Role.CATALOG}),
    "/vision.v1.ImageryService/Review": frozenset({Role.DESIGN, Role.REVIEW}),
    "/vision.v1.ImageryService/Export": frozenset({Role.DESIGN, Role.REVIEW}),
    "/vision.v1.FleetService/Register": frozenset({Role.STATION}),
    "/vision.v1.FleetService/Heartbeat": frozenset({Role.STATION}),
    "/vision.v1.FleetService/ReportResults": frozenset({Role.STATION}),
    "/inference.GRPCInferenceService/ServerLive": _ANYBODY,
    "/inference.GRPCInferenceService/ServerReady": _ANYBODY,
    "/inference.GRPCInferenceService/ServerMetadata": _ANYBODY,
    "/inference.GRPCInferenceService/ModelReady": _ANYBODY,
    "/inference.GRPCInferenceService/ModelMetadata": _ANYBODY,
    "/inference.GRPCInferenceService/ModelInfer": frozenset({Role.INSPECT, Role.STATION, Role.CATALOG}),
}


# What changes something that lasts, or takes it out: asked for, it is in the audit log. No such request holds pictures or secrets.
AUDITED: Final = frozenset(
    {
        "/vision.v1.InspectionService/SubmitDisposition",
        "/vision.v1.InspectionService/ExportDispositions",
        "/vision.v1.CatalogService/RemoveItem",
        "/vision.v1.CatalogService/SubmitFeedback",
        "/vision.v1.CatalogService/ExportFeedback",
        "/vision.v1.ImageryService/CancelJob",
        "/vision.v1.ImageryService/Review",
        "/vision.v1.ImageryService/Export",
        "/vision.v1.ModelService/FetchBundle",
        "/vision.v1.ModelService/LoadModel",
        "/vision.v1.ModelService/UnloadModel",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: who makes it, and its id in logs.

    Attributes:
        ends: the caller's own deadline in seconds of the monotonic clock; absent where it named none.
        default_s: how long a request may take where the caller named no deadline.
    """

    principal: Principal
    log_id: str
    ends: float | None
    default_s: float

    @property
    def deadline(self) -> float:
        """Of a request that comes now, on the monotonic clock. A stream may go on for longer than one request may take."""
        return time.monotonic() + self.default_s if self.ends is None else self.ends


_current: ContextVar[Call] = ContextVar("call")


def current_call() -> Call:
    """The call that is being answered here."""
    return _current.get()


class Calls(grpc.aio.ServerInterceptor):
    """The interceptor.

    Args:
        identify: the principal of a bearer token, or of none.
        certificates: whether a client certificate stands for a token with the role station, where no token is shown.
        wait_s: seconds a principal must wait before its next call; 0 where it need not.
        default_deadline_s: for callers that name none.
        audit: keeps who asked for which audited method with what.
    """

    def __init__(
        self,
        *,
        identify: Callable[[str | None], Awaitable[Principal]],
        wait_s: Callable[[Principal], float],
        metrics: Metrics,
        default_deadline_s: float,
        audit: Callable[[str, str, str], Awaitable[None]],
        certificates: bool = False,
    ) -> None:
        self._identify, self._wait_s, self._metrics = identify, wait_s, metrics
        self._certificates = certificates
        self._default_deadline_s, self._audit = default_deadline_s, audit

    @override
    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(_OPEN):
            return handler
        # Requests are parsed here: gRPC would answer UNKNOWN to bytes that are no message, and count it nowhere.
        parse: _Parse = handler.request_deserializer
        codec = {"response_serializer": handler.response_serializer}
        if handler.unary_unary:
            answer = self._answering(method, parse, handler.unary_unary)
            return grpc.unary_unary_rpc_method_handler(answer, **codec)
        if handler.unary_stream:
            stream = self._streaming(method, parse, handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(stream, **codec)
        stream = self._streaming(method, parse, handler.stream_stream)
        return grpc.stream_stream_rpc_method_handler(stream, **codec)

    def _answering(self, method: str, parse: _Parse, inner: Callable[[Any, Any], Awaitable[Message]]) -> Any:
        async def answer(raw: bytes, context: Context) -> Message:
            try:
                metadata = _metadata(context)
                with self._counted(method, metadata):
                    await self._begin(method, metadata, context)
                    request = _parsed(parse, raw)
                    rules.check(request)
                    await self._note(method, request)
                    return await inner(request, context)
            except Exception as error:
                await _refuse(context, error)
                raise  # not reached: the refusal ends the call

        return answer

    def _streaming(
        self, method: str, parse: _Parse, inner: Callable[[Any, Any], AsyncIterator[Message]]
    ) -> Any:
        async def stream(raw: Any, context: Context) -> AsyncIterator[Message]:
            try:
                metadata = _metadata(context)
                with self._counted(method, metadata):
                    await self._begin(method, metadata, context)
                    request = _parsed(parse, raw) if isinstance(raw, bytes) else self._paced(parse, raw)
                    if isinstance(request, Message):
                        rules.check(request)
                        await self._note(method, request)
                    async for answer in inner(request, context):
                        yield answer
            except Exception as error:  # noqa: BLE001  (the boundary: each becomes a status)
                await _refuse(context, error)

        return stream

    async def _paced(self, parse: _Parse, raws: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        """A stream's messages, each as one call of the caller's rate; who sends faster is read more slowly.

        The first was taken from the rate when the call began.
        """
        principal, begun = current_call().principal, False
        async for raw in raws:
            while begun and (wait := self._wait_s(principal)) > 0:
                await asyncio.sleep(wait)
            begun = True
            yield _parsed(parse, raw)

    async def _begin(self, method: str, metadata: _Metadata, context: Context) -> None:
        """Set the call up, or refuse it.

        Raises:
            AuthenticationError, PermissionDeniedError, OverloadedError: as their names say.
        """
        header = metadata.get("authorization")
        names = _certified(context) if self._certificates and header is None else ()
        if names:
            principal = certified(names)
        else:
            principal = await self._identify(bearer(str(header) if header is not None else None))
        allowed = ROLES.get(method, frozenset({Role.ADMIN}))
        principal.require(*sorted(allowed), what=method)
        wait = self._wait_s(principal)
        if wait > 0:
            raise OverloadedError(f"{principal.user}: more calls than the rate allows", retry_after_s=wait)
        left = cast("float | None", context.time_remaining())  # None where the caller names no deadline
        _current.set(
            Call(
                principal=principal,
                log_id=str(metadata.get("x-request-id") or uuid.uuid4().hex)[:_MAX_ID],
                ends=None if left is None else time.monotonic() + left,
                default_s=self._default_deadline_s,
            )
        )
        structlog.contextvars.bind_contextvars(request=_current.get().log_id, user=principal.user)

    async def _note(self, method: str, request: Message) -> None:
        """Put an audited call into the audit log; where that cannot be written it is in the logs, and goes on."""
        if method not in AUDITED:
            return
        user, detail = current_call().principal.user, text_format.MessageToString(request, as_one_line=True)
        try:
            await self._audit(user, method, detail)
        except StorageError as error:
            _LOG.error("not in the audit log", why=str(error), method=method, detail=detail)

    @contextmanager
    def _counted(self, method: str, metadata: _Metadata) -> Iterator[None]:
        """Count and trace a call: how it ended, and after how long."""
        started, span = time.perf_counter(), tracing.begin_call(method, metadata)
        if (trace := tracing.trace_id(span)) is not None:
            structlog.contextvars.bind_contextvars(trace=trace)
        code = grpc.StatusCode.OK
        try:
            yield
        except Exception as error:
            code = code_of(error)
            raise
        except BaseException:  # cancelled by the caller, or a stream that is left early
            code = grpc.StatusCode.CANCELLED
            raise
        finally:
            self._metrics.call(method, code.name, time.perf_counter() - started)
            tracing.end_call(span, code.name)


def _certified(context: Context) -> tuple[str, ...]:
    """The names in the client certificate that gRPC has verified, its common name first; none where none was shown."""
    shown = context.auth_context()
    names = (*shown.get("x509_common_name", ()), *shown.get("x509_subject_alternative_name", ()))
    return tuple(name.decode(errors="replace") for name in names)


def _metadata(context: Context) -> _Metadata:
    return dict(context.invocation_metadata() or ())


def _parsed(parse: _Parse, raw: bytes) -> Message:
    try:
        return parse(raw)
    except DecodeError as error:
        raise InputError(
            f"request: expected a message, found {len(raw)} bytes that are none: {error}"
        ) from error


def log_fault(error: Exception) -> None:
    """Log what is our own fault in full; the caller is told little of it."""
    if code_of(error) is grpc.StatusCode.INTERNAL:
        _LOG.error("failed", exc_info=error)


async def _refuse(context: Context, error: Exception) -> None:
    """End the call with the error's status."""
    call = _current.get(None)
    status = status_of(error, request_id=call.log_id if call else "")
    log_fault(error)
    await context.abort(
        code_of(error), status.message, trailing_metadata=((DETAILS, status.SerializeToString()),)
    )
