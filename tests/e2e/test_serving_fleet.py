"""Stations and a real server: who may report for whom, what is refused by name, and what is kept through kills."""

import csv
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from server.auth import Role
from server.storage.audit import AuditLog
from server.storage.database import open_database
from server.storage.stations import CONFLICT
from tests.e2e.conftest import Workplace
from tests.e2e.serving import (
    LOUPE,
    PATIENCE_S,
    Server,
    clean_environment,
    opened,
    refused,
    serving,
    shown,
    token,
    wrong_fields,
)
from tests.e2e.test_serving_security import server_tls, trusting
from tests.vision.client.certificates import authority, issued
from vision.v1 import fleet_pb2
from vision.v1.fleet_pb2_grpc import FleetServiceStub

pytestmark = pytest.mark.slow

NOON: Final = 1_767_225_600  # seconds
Code = grpc.StatusCode
Metadata = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def server(workplace: Workplace) -> Iterator[Server]:
    """On loopback without TLS: a token that is shown counts, and none is needed."""
    with serving(workplace()) as found:
        yield found


def fleet_of(channel: grpc.Channel) -> Any:
    return FleetServiceStub(channel)  # type: ignore[no-untyped-call]  # generated


def result(part: int, **changed: Any) -> fleet_pb2.PartResult:
    usual: dict[str, Any] = {"boot": "boot", "outcome": fleet_pb2.OUTCOME_ACCEPT, "reason": "confident"}
    one = fleet_pb2.PartResult(part=part, **usual | changed)
    if "triggered_at" not in changed:
        one.triggered_at.FromSeconds(NOON + part % 1000)
    return one


def message(station: str, *results: fleet_pb2.PartResult) -> fleet_pb2.ReportResultsRequest:
    return fleet_pb2.ReportResultsRequest(station=station, results=results)


def report(
    channel: grpc.Channel, *messages: fleet_pb2.ReportResultsRequest, metadata: Metadata = ()
) -> list[fleet_pb2.ReportResultsResponse]:
    return list(fleet_of(channel).ReportResults(iter(messages), metadata=metadata, timeout=PATIENCE_S))


def register(channel: grpc.Channel, station: str, metadata: Metadata = ()) -> None:
    request = fleet_pb2.RegisterRequest(station=station, boot="boot", version="0.1.0", bundle="abc")
    fleet_of(channel).Register(request, metadata=metadata, timeout=PATIENCE_S)


def listed(folder: Path) -> dict[str, dict[str, Any]]:
    """`loupe fleet list --json`, by station."""
    said = loupe(folder, "fleet", "list", "--json")
    return {one["station"]: one for one in json.loads(said)["stations"]}


def loupe(folder: Path, *arguments: object) -> str:
    done = subprocess.run(
        [LOUPE, *map(str, arguments)],
        cwd=folder,
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(call: Any, *arguments: Any, **named: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **named)
    return caught.value


# --- what is reported is kept, shown and exported


def test_parts_are_acknowledged_shown_and_exported(
    server: Server, channel: grpc.Channel, tmp_path: Path
) -> None:
    register(channel, "line-1")
    first, second = report(
        channel,
        message(
            "line-1", result(1, bundle="abc"), result(2, outcome=fleet_pb2.OUTCOME_FAULT, reason="camera")
        ),
        message("line-1", result(2, outcome=fleet_pb2.OUTCOME_FAULT, reason="camera"), result(3)),
    )
    assert [(one.boot, one.part, one.HasField("refusal")) for one in first.acknowledgements] == [
        ("boot", 1, False), ("boot", 2, False)
    ]  # fmt: skip
    assert [one.part for one in second.acknowledgements] == [2, 3]

    counts = fleet_pb2.OutcomeCounts(accept=9)
    beat = fleet_pb2.HeartbeatRequest(station="line-1", boot="boot", bundle="abc", outcomes=counts, waiting=5)
    fleet_of(channel).Heartbeat(beat, timeout=PATIENCE_S)

    station = listed(server.folder)["line-1"]
    assert station["outcomes"] == {"accept": 2, "reject": 0, "review": 0, "timeout": 0, "fault": 1}
    assert (station["version"], station["boot"], station["bundle"]) == ("0.1.0", "boot", "abc")
    assert (station["since_boot"]["accept"], station["waiting"], station["discarded"]) == (9, 5, 0)
    assert server.metric('loupe_station_results_total{outcome="accept",station="line-1"}') == 2
    assert server.metric('loupe_station_seen_timestamp_seconds{station="line-1"}') > NOON

    loupe(
        server.folder,
        "results",
        "export",
        "--database",
        "sqlite:///loupe-data/results.db",
        "--out",
        tmp_path / "all.csv",
    )
    with (tmp_path / "all.csv").open(newline="") as file:
        lines = [one for one in csv.DictReader(file) if one["principal"] == "line-1"]
    assert [(one["id"], one["decision"], one["reason"], one["model_digest"]) for one in lines] == [
        ("line-1/boot/1", "accept", "confident", "abc"),
        ("line-1/boot/2", "fault", "camera", ""),
        ("line-1/boot/3", "accept", "confident", ""),
    ]


def test_other_content_is_refused_and_logged_and_the_stream_goes_on(
    server: Server, channel: grpc.Channel
) -> None:
    first, second = report(
        channel,
        message("line-2", result(1)),
        message("line-2", result(1, detail="something else"), result(2)),
    )
    assert not first.acknowledgements[0].HasField("refusal")
    other, good = second.acknowledgements
    assert (other.refusal.code, good.HasField("refusal")) == (Code.INVALID_ARGUMENT.value[0], False)
    assert (
        "results[0]: expected the content that part 1 of boot boot was first reported with"
        in other.refusal.message
    )
    database = open_database(f"sqlite:///{server.folder / 'loupe-data' / 'results.db'}")
    entries = [one for one in AuditLog(database).entries() if one.action == CONFLICT]
    database.close()
    assert [(one.by, one.detail) for one in entries] == [("line-2", "boot boot, part 1")]
    assert server.metric('loupe_station_results_refused_total{station="line-2"}') == 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"boot": ""}, "boot"),
        ({"boot": "no such/name"}, "boot"),
        ({"part": 0}, "part"),
        ({"part": 2**60}, "part"),
        ({"outcome": 0}, "outcome"),
        ({"outcome": 9}, "outcome"),
        ({"reason": ""}, "reason"),
        ({"detail": "x" * 2001}, "detail"),
        ({"detail": "nul\0"}, "detail"),
        ({"probability": 1.5}, "probability"),
        ({"probability": float("nan")}, "probability"),
        ({"triggered_at": None}, "triggered_at"),
        ({"triggered_at": {"seconds": -(2**62)}}, "triggered_at"),
        ({"triggered_at": {"seconds": -5}}, "triggered_at"),
        ({"timings_ms": {"model": float("inf")}}, "timings_ms"),
        ({"timings_ms": {"x" * 33: 1.0}}, "timings_ms"),
    ],
)  # fmt: skip
def test_a_malformed_part_is_refused_by_its_field_and_holds_up_no_other(
    channel: grpc.Channel, changed: dict[str, Any], field: str
) -> None:
    bad = result(**{"part": 7} | changed)
    (response,) = report(channel, message("line-3", result(8), bad))
    good, refused_one = response.acknowledgements
    assert not good.HasField("refusal")
    assert refused_one.refusal.code == Code.INVALID_ARGUMENT.value[0]
    assert f"results[1].{field}: expected " in refused_one.refusal.message


@pytest.mark.parametrize("station", ["", "Infeed", "a/b", "x" * 64])
def test_a_station_that_is_none_is_refused(channel: grpc.Channel, station: str) -> None:
    for call in (lambda: report(channel, message(station)), lambda: register(channel, station)):
        error = refusal(call)
        assert (error.code(), wrong_fields(error)) == (Code.INVALID_ARGUMENT, ["station"])


def test_a_message_with_too_many_parts_is_refused(channel: grpc.Channel) -> None:
    error = refusal(report, channel, message("line-4", *map(result, range(1, 1002))))
    assert (error.code(), wrong_fields(error)) == (Code.INVALID_ARGUMENT, ["results"])


# --- who may


def test_a_token_speaks_for_its_own_station_alone(server: Server, channel: grpc.Channel) -> None:
    own = shown(token(server.folder, "line-5", Role.STATION))
    register(channel, "line-5", own)
    assert len(report(channel, message("line-5", result(1)), metadata=own)) == 1
    for call in (
        lambda: register(channel, "line-6", own),
        lambda: report(channel, message("line-5"), message("line-6", result(1)), metadata=own),
    ):
        error = refusal(call)
        assert error.code() == Code.PERMISSION_DENIED
        assert "expected a token with the role station of station 'line-6', found that of line-5" in str(
            error.details()
        )
    assert "line-6" not in listed(server.folder)


def test_a_token_without_the_role_is_no_stations(server: Server, channel: grpc.Channel) -> None:
    inspector = shown(token(server.folder, "line-7", Role.INSPECT, Role.ADMIN))
    assert refusal(register, channel, "line-7", inspector).code() == Code.PERMISSION_DENIED


def test_a_certificate_stands_for_its_station_where_the_server_says_so(workplace: Workplace) -> None:
    folder = workplace()
    (folder / "ca.pem").write_bytes(authority().certificate_pem)
    tls = {**server_tls(folder), "client_ca": folder / "ca.pem"}
    box = trusting(authority(), client=issued(authority(), "line-1"))
    with serving(folder, tls=tls, auth={"certificates": True}) as server:
        with opened(server.address, box) as channel:
            register(channel, "line-1")
            assert refusal(register, channel, "line-2").code() == Code.PERMISSION_DENIED
            with_token = shown(token(folder, "line-2", Role.STATION))
            register(channel, "line-2", with_token)
            assert refusal(register, channel, "line-1", with_token).code() == Code.PERMISSION_DENIED
        with opened(server.address, trusting(authority())) as channel:
            assert refusal(register, channel, "line-1").code() == Code.UNAVAILABLE, (
                "no certificate, no connection"
            )
    with serving(folder, tls=tls) as server, opened(server.address, box) as channel:
        assert refusal(register, channel, "line-1").code() == Code.UNAUTHENTICATED, "unless it is asked for"


def test_certificates_that_nobody_verifies_are_not_believed(workplace: Workplace) -> None:
    code, why = refused(workplace(), auth={"certificates": True})
    assert code == 2
    assert "auth.certificates: expected tls.client_ca" in why


# --- what lasts


def test_what_was_acknowledged_is_there_after_kill_9(workplace: Workplace) -> None:
    folder = workplace()
    with serving(folder) as server, server.channel() as channel:
        report(channel, message("line-1", *map(result, range(1, 501))))
        server.kill()
    with serving(folder) as server, server.channel() as channel:
        assert listed(folder)["line-1"]["outcomes"]["accept"] == 500
        report(channel, message("line-1", *map(result, range(1, 502))))
        assert listed(folder)["line-1"]["outcomes"]["accept"] == 501
        assert server.metric('loupe_station_results_total{outcome="accept",station="line-1"}') == 1
        assert server.metric('loupe_station_seen_timestamp_seconds{station="line-1"}') > NOON


def test_a_part_that_the_disk_did_not_take_is_not_acknowledged(workplace: Workplace) -> None:
    folder = workplace()
    with serving(folder) as server, server.channel() as channel:
        report(channel, message("line-1", result(1)))
        server.limit_files(4096)
        error = refusal(report, channel, message("line-1", *map(result, range(2, 800))))
        assert error.code() == Code.UNAVAILABLE
        server.limit_files()
        report(channel, message("line-1", *map(result, range(2, 800))))
        assert listed(folder)["line-1"]["outcomes"]["accept"] == 799
