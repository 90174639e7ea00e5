"""Our errors as gRPC statuses: one table, with `google.rpc` details.

Takes an exception, gives a `google.rpc.Status`; what is not ours becomes INTERNAL without a word of what it was.
"""

from typing import Final

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from server.rpc.rules import FieldsError, Violation
from vision import errors

# From the special to the general: the first that fits is taken.
CODES: Final[tuple[tuple[type[Exception], grpc.StatusCode], ...]] = (
    (errors.AuthenticationError, grpc.StatusCode.UNAUTHENTICATED),
    (errors.PermissionDeniedError, grpc.StatusCode.PERMISSION_DENIED),
    (errors.NotFoundError, grpc.StatusCode.NOT_FOUND),
    (errors.BundleError, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.StateError, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.InputError, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.OverloadedError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.DeadlineError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.CancelledError, grpc.StatusCode.CANCELLED),
    (errors.StorageError, grpc.StatusCode.UNAVAILABLE),
    (errors.LoupeError, grpc.StatusCode.INTERNAL),
)
DETAILS: Final = "grpc-status-details-bin"
_MAX_BYTES: Final = 1000  # of a message, which is sent up to three times, and percent-encoded once


def code_of(error: Exception) -> grpc.StatusCode:
    """The status code of an error of ours; INTERNAL for a stranger's."""
    return next((code for kind, code in CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def status_of(error: Exception, *, request_id: str = "") -> status_pb2.Status:
    """The whole status, with what a client may act on."""
    ours = isinstance(error, errors.LoupeError)
    said = str(error) if ours else "internal error; the server's log has the rest under this request id"
    status = status_pb2.Status(code=code_of(error).value[0], message=_short(said))
    details = [*_details(error)]
    if request_id:
        details.append(error_details_pb2.RequestInfo(request_id=request_id))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _details(error: Exception) -> list[Message]:
    if isinstance(error, errors.OverloadedError):
        delay = Duration()
        delay.FromMilliseconds(max(1, round(1e3 * error.retry_after_s)))
        return [error_details_pb2.RetryInfo(retry_delay=delay)]
    violations: tuple[Violation, ...] = ()
    if isinstance(error, FieldsError):
        violations = error.violations
    elif isinstance(error, errors.ImageError):
        violations = (Violation("image", str(error)),)
    if violations:
        request = error_details_pb2.BadRequest()
        for one in violations:
            request.field_violations.add(field=one.field, description=_short(one.description))
        return [request]
    if isinstance(error, errors.NotFoundError):
        return [error_details_pb2.ResourceInfo(description=_short(str(error)))]
    return []


def _short(text: str) -> str:
    """A message may quote what was sent, and headers have little room: gRPC drops a whole answer whose headers are too long."""
    encoded = text.encode(errors="replace")  # names of files may hold what is no Unicode
    short = encoded[:_MAX_BYTES].decode(errors="ignore")
    return short if len(encoded) <= _MAX_BYTES else f"{short}…"
