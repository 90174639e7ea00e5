"""Every status of gRPC has its error, and details are read where they can be."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2

from vision.client.status import ERRORS, TRANSIENT, Failure, failure_in, failure_of
from vision.errors import LoupeError, OverloadedError, RequestError, UnavailableError


def aborted(code: grpc.StatusCode, details: str, *trailing: tuple[str, bytes]) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details)


def test_every_status_but_ok_has_its_error() -> None:
    assert set(ERRORS) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


@pytest.mark.parametrize("code", ERRORS, ids=lambda code: code.name)
def test_every_error_can_be_raised_and_says_where(code: grpc.StatusCode) -> None:
    error = Failure(code=code, message="why").error("line:50051")
    assert isinstance(error, LoupeError)
    assert str(error) == "line:50051: why"
    assert type(error) is ERRORS[code]


def test_only_being_away_and_being_full_pass_with_time() -> None:
    assert {code.name for code in TRANSIENT} == {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}
    for code in ERRORS:
        assert Failure(code=code, message="").transient is (code in TRANSIENT)


def test_a_message_that_is_too_large_stays_so() -> None:
    failure = Failure(
        code=grpc.StatusCode.RESOURCE_EXHAUSTED, message="CLIENT: Sent message larger than max (2 vs. 1)"
    )
    assert not failure.transient
    assert isinstance(failure.error("line:1"), RequestError)


def test_a_status_without_words_is_named() -> None:
    assert str(Failure(code=grpc.StatusCode.DATA_LOSS, message="").error("line:1")) == "line:1: DATA_LOSS"


def test_details_that_are_damaged_or_of_others_leave_the_plain_text() -> None:
    for value in (b"\xff\xff\xff", status_pb2.Status(code=13, message="other").SerializeToString()):
        error = aborted(grpc.StatusCode.UNAVAILABLE, "why", ("grpc-status-details-bin", value))
        assert failure_of(error) == Failure(code=grpc.StatusCode.UNAVAILABLE, message="why")


def test_a_detail_that_cannot_be_read_is_none() -> None:
    status = status_pb2.Status(code=8, message="full")
    status.details.append(Packed(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\xff\xff"))
    status.details.append(Packed(type_url="type.googleapis.com/other.Thing", value=b"\xff\xff"))
    assert failure_in(status) == Failure(code=grpc.StatusCode.RESOURCE_EXHAUSTED, message="full")


def test_a_pause_that_is_asked_for_is_read_in_seconds() -> None:
    status = status_pb2.Status(code=8, message="full")
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.seconds, retry.retry_delay.nanos = 2, 500_000_000
    packed = Packed()
    packed.Pack(retry)
    status.details.append(packed)
    failure = failure_in(status)
    assert failure.retry_after_s == 2.5
    error = failure.error("line:1")
    assert isinstance(error, OverloadedError)
    assert error.retry_after_s == 2.5


def test_a_pause_before_now_is_none() -> None:
    status = status_pb2.Status(code=14)
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.seconds = -3
    packed = Packed()
    packed.Pack(retry)
    status.details.append(packed)
    assert failure_in(status).retry_after_s == 0


def test_a_field_that_the_message_names_already_is_not_named_twice() -> None:
    said = "image: expected an encoded image, found 0 bytes"
    status = status_pb2.Status(code=3, message=said)
    request = error_details_pb2.BadRequest()
    request.field_violations.add(field="image", description=said)
    request.field_violations.add(field="part", description="too long")
    packed = Packed()
    packed.Pack(request)
    status.details.append(packed)
    assert failure_in(status).message == f"{said}; part: too long"


def test_an_error_that_grpc_does_not_explain_is_unknown() -> None:
    assert failure_of(grpc.RpcError("strange")) == Failure(code=grpc.StatusCode.UNKNOWN, message="strange")


def test_a_status_that_grpc_has_lost_is_asked_for_again() -> None:
    assert failure_of(aborted(grpc.StatusCode.INTERNAL, "Internal error from Core")).transient
    assert not failure_of(aborted(grpc.StatusCode.INTERNAL, "the disk is full")).transient


def test_where_time_ran_out_after_a_failure_the_failure_is_told() -> None:
    away = Failure(code=grpc.StatusCode.UNAVAILABLE, message="away")
    late = Failure(code=grpc.StatusCode.DEADLINE_EXCEEDED, message="too late")
    assert late.after(away).message == "away; then no answer in time"
    assert isinstance(late.after(away).error("line:1"), UnavailableError)
    assert late.after(None) is late
    assert away.after(late) is away
