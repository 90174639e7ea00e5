"""Every error that a server can raise has its status, with details to act on and without a word too many."""

import inspect
from typing import Any, Final

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from server.rpc.rules import FieldsError, Violation
from server.rpc.status import CODES, code_of, status_of
from vision import errors
from vision.errors import (
    BundleError,
    ImageError,
    InputError,
    LoupeError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    StateError,
    StorageError,
)

Code = grpc.StatusCode

EXPECTED: Final = {
    "LoupeError": Code.INTERNAL,
    "InputError": Code.INVALID_ARGUMENT,
    "ImageError": Code.INVALID_ARGUMENT,
    "CatalogError": Code.INVALID_ARGUMENT,
    "ImageryError": Code.INVALID_ARGUMENT,
    "SettingsError": Code.INVALID_ARGUMENT,
    "BundleError": Code.FAILED_PRECONDITION,
    "CertificateError": Code.FAILED_PRECONDITION,
    "NotFoundError": Code.NOT_FOUND,
    "StateError": Code.FAILED_PRECONDITION,
    "StorageError": Code.UNAVAILABLE,
    "AuthenticationError": Code.UNAUTHENTICATED,
    "PermissionDeniedError": Code.PERMISSION_DENIED,
    "OverloadedError": Code.RESOURCE_EXHAUSTED,
    "DeadlineError": Code.DEADLINE_EXCEEDED,
    "CancelledError": Code.CANCELLED,
}
# Raised by training, at the line, by workers, by commands before a server runs, by clients of one, and where an index is opened, which is made anew then.
NEVER_IN_A_CALL: Final = {
    "ManifestError", "SearchIndexError", "GuardError", "MissingExtraError", "DeviceError", "OutOfMemoryError", "RefusedError",
    "RemoteError", "RequestError", "RemotePermissionError", "UnavailableError", "UnsupportedError", "WireError",
}  # fmt: skip
KINDS: Final = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, LoupeError) and name not in NEVER_IN_A_CALL
}


def made(kind: type[LoupeError]) -> LoupeError:
    """An error of a kind, with what its constructor takes."""
    arguments: dict[str, dict[str, Any]] = {
        "OverloadedError": {"retry_after_s": 0.5},
        "PermissionDeniedError": {"what": "LoadModel"},
    }
    return kind("the reason", **arguments.get(kind.__name__, {}))


def unpacked(status: status_pb2.Status, kind: Any) -> list[Any]:
    """The details of a kind."""
    found = []
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            found.append(kind())
            packed.Unpack(found[-1])
    return found


# --- codes


def test_every_error_of_ours_is_in_the_table_or_known_never_to_be_raised_in_a_call() -> None:
    assert KINDS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_every_error_has_its_code(name: str) -> None:
    error = made(KINDS[name])

    assert code_of(error) == EXPECTED[name]
    assert status_of(error).code == EXPECTED[name].value[0]
    assert "the reason" in status_of(error).message


def test_the_table_goes_from_the_special_to_the_general() -> None:
    kinds = [kind for kind, _ in CODES]

    for index, kind in enumerate(kinds):
        assert not any(issubclass(kind, earlier) for earlier in kinds[:index]), (
            f"{kind.__name__} is never reached"
        )


def test_every_code_is_given_by_one_kind_alone_but_that_of_a_wrong_state() -> None:
    codes = [code for kind, code in CODES if kind is not StateError]
    assert dict(CODES)[StateError] is Code.FAILED_PRECONDITION

    assert len(set(codes)) == len(codes)


def test_a_new_kind_of_input_error_is_an_invalid_argument() -> None:
    class NewError(InputError):
        pass

    assert code_of(NewError("field: expected this, found that")) == Code.INVALID_ARGUMENT


# --- what a client may act on


def test_who_is_refused_for_lack_of_room_is_told_when_to_come_again() -> None:
    (hint,) = unpacked(status_of(OverloadedError("full", retry_after_s=1.25)), error_details_pb2.RetryInfo)

    assert hint.retry_delay.ToMilliseconds() == 1250


def test_a_retry_is_never_at_once() -> None:
    (hint,) = unpacked(status_of(OverloadedError("full", retry_after_s=0.0)), error_details_pb2.RetryInfo)

    assert hint.retry_delay.ToMilliseconds() >= 1


def test_each_broken_rule_is_a_field_violation() -> None:
    error = FieldsError(Violation("part", "too long"), Violation("image", "missing"))

    (request,) = unpacked(status_of(error), error_details_pb2.BadRequest)

    assert [(one.field, one.description) for one in request.field_violations] == [
        ("part", "too long"),
        ("image", "missing"),
    ]


def test_a_bad_picture_is_a_violation_of_the_field_it_came_in() -> None:
    (request,) = unpacked(status_of(ImageError("the PNG is truncated")), error_details_pb2.BadRequest)

    assert [(one.field, one.description) for one in request.field_violations] == [
        ("image", "the PNG is truncated")
    ]


def test_what_is_not_found_is_said_as_a_resource() -> None:
    (resource,) = unpacked(status_of(NotFoundError("model 'cells'")), error_details_pb2.ResourceInfo)

    assert resource.description == "model 'cells'"


def test_the_requests_id_is_told_with_every_error() -> None:
    for error in (StorageError("disk"), ImageError("no picture"), RuntimeError("a bug")):
        (info,) = unpacked(status_of(error, request_id="line-7"), error_details_pb2.RequestInfo)
        assert info.request_id == "line-7"


def test_without_an_id_none_is_told() -> None:
    assert not unpacked(status_of(StorageError("disk")), error_details_pb2.RequestInfo)


# --- what nobody is told


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("token loupe_s3cret"),
        KeyError("/srv/models"),
        ExceptionGroup("g", [ValueError("s3cret")]),
    ],
)
def test_of_an_error_that_is_not_ours_nothing_is_told_but_that_it_was(error: Exception) -> None:
    status = status_of(error, request_id="line-7")

    assert code_of(error) == Code.INTERNAL
    assert str(error) not in status.SerializeToString().decode(errors="replace")
    assert "request id" in status.message


def test_the_cause_of_an_error_of_ours_stays_behind() -> None:
    error = StorageError("results.db: disk full")
    error.__cause__ = OSError("/srv/secret/place")

    assert b"secret" not in status_of(error).SerializeToString()


@pytest.mark.parametrize("letter", ["x", "ß", "零", "\N{LEFT-POINTING MAGNIFYING GLASS}", "\udcff"])
def test_however_much_an_error_quotes_its_headers_stay_small(letter: str) -> None:
    long = letter * 100_000
    for error in (
        FieldsError(Violation("outputs", long)),
        NotFoundError(long),
        ImageError(long),
        BundleError(long),
        PermissionDeniedError("admin", long),
    ):
        status = status_of(error, request_id="x" * 128)
        encoded = (
            3 * len(status.message.encode()) + 4 / 3 * status.ByteSize()
        )  # percent-encoded, and in base64

        assert encoded < 8000, "gRPC takes 8 KiB of headers for granted and no more"
        assert status.message.endswith("…")


def test_a_message_of_usual_length_is_told_whole() -> None:
    message = "manifest.json: expected " + ", ".join(f"label {number}" for number in range(80))

    assert status_of(BundleError(message)).message == message
