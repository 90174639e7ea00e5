"""gRPC's statuses as our errors: one table, and the `google.rpc` details that come with a status.

Takes what gRPC raised, or the status of one answer in a stream; gives a `Failure`, and from that the error to raise. It decides
neither whether to ask again nor when.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from vision import errors
from vision.errors import LoupeError, OverloadedError

ERRORS: Final[Mapping[grpc.StatusCode, type[LoupeError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.RequestError,
    grpc.StatusCode.OUT_OF_RANGE: errors.RequestError,
    grpc.StatusCode.NOT_FOUND: errors.NotFoundError,
    grpc.StatusCode.UNAUTHENTICATED: errors.AuthenticationError,
    grpc.StatusCode.PERMISSION_DENIED: errors.RemotePermissionError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineError,
    grpc.StatusCode.FAILED_PRECONDITION: errors.StateError,
    grpc.StatusCode.ALREADY_EXISTS: errors.StateError,
    grpc.StatusCode.ABORTED: errors.StateError,
    grpc.StatusCode.UNAVAILABLE: errors.UnavailableError,
    grpc.StatusCode.UNIMPLEMENTED: errors.UnsupportedError,
    grpc.StatusCode.CANCELLED: errors.RemoteError,
    grpc.StatusCode.UNKNOWN: errors.RemoteError,
    grpc.StatusCode.INTERNAL: errors.RemoteError,
    grpc.StatusCode.DATA_LOSS: errors.RemoteError,
}
TRANSIENT: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})

_DETAILS: Final = "grpc-status-details-bin"  # https://grpc.io/docs/guides/error/#richer-error-model
_TOO_LARGE: Final = "message larger than max"  # as gRPC's core words it; it will be too large again
# What asynchronous gRPC says where a server ends a call while a message is being sent. Why it did so is lost, and comes to light
# when it is asked again: https://github.com/grpc/grpc/issues/36066.
_LOST: Final = "Internal error from Core"
_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a call, or one picture of a stream, got no answer.

    Attributes:
        message: in the server's or gRPC's words, with the fields that break a rule.
        retry_after_s: when the server asks to come again, where it says so.
    """

    code: grpc.StatusCode
    message: str
    retry_after_s: float | None = None

    @property
    def transient(self) -> bool:
        """Whether the same request may have better luck later."""
        return self.code in TRANSIENT and not self._too_large

    @property
    def _too_large(self) -> bool:
        return self.code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in self.message

    def after(self, earlier: "Failure | None") -> "Failure":
        """What to tell of the last attempt: where time ran out for it, what the one before had met says more."""
        if earlier is None or self.code is not grpc.StatusCode.DEADLINE_EXCEEDED:
            return self
        return replace(earlier, message=f"{earlier.message}; then no answer in time")

    def error(self, where: str, *, attempts: int = 1) -> LoupeError:
        """The error to raise; `where` is the server's address."""
        tried = f" (after {attempts} attempts)" if attempts > 1 else ""
        message = f"{where}: {self.message or self.code.name}{tried}"
        kind = errors.RequestError if self._too_large else ERRORS[self.code]
        if issubclass(kind, OverloadedError):
            return kind(message, retry_after_s=self.retry_after_s or 0.0)
        return kind(message)


def failure_of(error: grpc.RpcError) -> Failure:
    """What ended a call."""
    if not isinstance(error, (grpc.Call, grpc.aio.AioRpcError)):  # what gRPC raises is one of these
        return Failure(code=grpc.StatusCode.UNKNOWN, message=str(error))
    if error.code() is grpc.StatusCode.INTERNAL and error.details() == _LOST:
        return Failure(code=grpc.StatusCode.UNAVAILABLE, message="the call broke while a message was sent")
    status = status_pb2.Status()
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            status = _parsed(value)
    return _failure(error.code(), error.details() or "", status)


def failure_in(status: status_pb2.Status) -> Failure:
    """What one picture of a stream was answered instead of a verdict."""
    code = _BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN)
    if code is grpc.StatusCode.OK:
        return Failure(code=grpc.StatusCode.UNKNOWN, message="expected an error's code, found OK")
    return _failure(code, status.message, status)


def _failure(code: grpc.StatusCode, message: str, status: status_pb2.Status) -> Failure:
    request, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    try:
        for detail in status.details:
            detail.Unpack(request)  # each takes what is its own and leaves the rest
            detail.Unpack(retry)
    except DecodeError:  # as below: a detail that cannot be read is none
        pass
    asked = (
        retry.retry_delay.seconds + 1e-9 * retry.retry_delay.nanos if retry.HasField("retry_delay") else None
    )
    return Failure(
        code=code,
        message="; ".join(part for part in (message, *_unsaid(request, message)) if part),
        retry_after_s=None if asked is None else max(0.0, asked),
    )


def _unsaid(request: error_details_pb2.BadRequest, message: str) -> list[str]:
    """The fields that break a rule, but for those that the message names in the same words."""
    return [
        f"{one.field}: {one.description}"
        for one in request.field_violations
        if not (one.field in message and one.description in message)
    ]


def _parsed(value: bytes) -> status_pb2.Status:
    """The whole status; an empty one of a server that sends something else there: the plain text must do."""
    try:
        return status_pb2.Status.FromString(value)
    except DecodeError:
        return status_pb2.Status()
