"""Who is let in: by TLS and certificates, by tokens in force, and to what their roles open; everybody else is told why and no more."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.auth import Role
from server.rpc.calls import ROLES
from server.storage.database import open_database
from server.storage.tokens import DatabaseTokens
from server.token_cache import MAX_AGE_S
from tests.bundles import make_bundle, part
from tests.e2e.conftest import Workplace
from tests.e2e.serving import (
    PATIENCE_S,
    Server,
    details,
    inspection_of,
    models_of,
    opened,
    refused,
    serving,
    shown,
    token,
)
from tests.vision.client.certificates import Pair, authority, issued
from vision.image import encode_png
from vision.v1 import catalog_pb2, fleet_pb2, imagery_pb2, inspection_pb2, models_pb2, open_inference_pb2

GOOD: Final = encode_png(part(7))
Code = grpc.StatusCode
Credentials = tuple[tuple[str, str], ...]
SERVICES: Final = (
    inspection_pb2.DESCRIPTOR.services_by_name["InspectionService"],
    models_pb2.DESCRIPTOR.services_by_name["ModelService"],
    catalog_pb2.DESCRIPTOR.services_by_name["CatalogService"],
    fleet_pb2.DESCRIPTOR.services_by_name["FleetService"],
    imagery_pb2.DESCRIPTOR.services_by_name["ImageryService"],
    open_inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"],
)
METHODS: Final = {
    f"/{service.full_name}/{method.name}": method for service in SERVICES for method in service.methods
}
RATE: Final = {"rate_per_s": 0.01, "burst": 40}


def server_tls(folder: Path) -> dict[str, Path]:
    certificate, key = issued(authority(), "server").write(folder, "server")
    return {"certificate": certificate, "key": key}


@pytest.fixture(scope="module")
def server(workplace: Workplace) -> Iterator[Server]:
    """On loopback with TLS: everybody needs a token. Each token has 40 calls, and then one in 100 seconds."""
    folder = workplace()
    with serving(folder, tls=server_tls(folder), limits=RATE) as found:
        yield found


@pytest.fixture
def channel(server: Server) -> Iterator[grpc.Channel]:
    """To the server with TLS, by an authority that signed its certificate."""
    with opened(server.address, trusting(authority())) as found:
        yield found


def trusting(by: Pair, *, client: Pair | None = None) -> grpc.ChannelCredentials:
    if client is None:
        return grpc.ssl_channel_credentials(by.certificate_pem)
    return grpc.ssl_channel_credentials(by.certificate_pem, client.key_pem(), client.certificate_pem)


def call(channel: grpc.Channel, metadata: Credentials = (), method: str = "") -> Any:
    """Ask for a verdict, or whatever method with an empty message; gives its raw answers."""
    if not method:
        request = inspection_pb2.InspectRequest(image=GOOD)
        return inspection_of(channel).Inspect(request, metadata=metadata, timeout=PATIENCE_S)
    described: Any = METHODS[method]
    streams = (
        "stream" if described.client_streaming else "unary",
        "stream" if described.server_streaming else "unary",
    )
    multi = getattr(channel, "_".join(streams))(method, request_serializer=bytes, response_deserializer=bytes)
    answer = multi(iter([b""]) if described.client_streaming else b"", metadata=metadata, timeout=PATIENCE_S)
    return list(answer) if described.server_streaming else answer


def refusal(*arguments: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as refused:
        call(*arguments)
    return refused.value


def outcome(*arguments: Any) -> grpc.StatusCode:
    try:
        call(*arguments)
    except grpc.RpcError as error:
        return error.code()
    return Code.OK


# --- TLS


def test_over_tls_a_token_is_let_in_and_nobody_else(server: Server, channel: grpc.Channel) -> None:
    known = shown(token(server.folder, "ada", Role.INSPECT))

    assert call(channel, known).model.name == "plates"
    assert refusal(channel).code() == Code.UNAUTHENTICATED


def test_a_client_that_trusts_another_authority_does_not_connect(server: Server) -> None:
    with opened(server.address, trusting(authority("stranger"))) as channel:
        assert refusal(channel).code() == Code.UNAVAILABLE


def test_who_speaks_without_tls_is_not_heard(server: Server) -> None:
    with opened(server.address) as channel:
        assert refusal(channel).code() == Code.UNAVAILABLE


def test_health_and_reflection_say_nothing_of_anybody_and_need_no_token(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)

    answer = health.Check(health_pb2.HealthCheckRequest(service="plates"), timeout=PATIENCE_S)

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


# --- tokens


def test_a_token_that_was_never_made_is_refused(server: Server, channel: grpc.Channel) -> None:
    real = token(server.folder, "ada", Role.INSPECT)
    secret_changed = real[:-1] + ("A" if real[-1] != "A" else "B")
    for unknown in (f"loupe_{'0' * 16}_{'A' * 43}", secret_changed):
        error = refusal(channel, shown(unknown))

        assert error.code() == Code.UNAUTHENTICATED
        assert error.details() == "authorization: the token is not known here", (
            "which of the two it is, is not told"
        )


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YWRhOnNlY3JldA==", "loupe_token", "Bearer a b"]
)
def test_another_form_of_credential_is_refused_without_being_repeated(
    header: str, channel: grpc.Channel
) -> None:
    error = refusal(channel, (("authorization", header),))

    assert error.code() == Code.UNAUTHENTICATED
    assert "YWRh" not in str(error.details())


def test_an_expired_token_is_refused_with_the_day(server: Server, channel: grpc.Channel) -> None:
    now = datetime.now(UTC)
    expired = token(
        server.folder, "ada", Role.INSPECT, now=now - timedelta(days=2), expires_at=now - timedelta(days=1)
    )

    error = refusal(channel, shown(expired))

    assert error.code() == Code.UNAUTHENTICATED
    assert f"expired on {now - timedelta(days=1):%Y-%m-%d}" in str(error.details())


def test_a_token_expires_while_it_is_used_to_the_moment(server: Server, channel: grpc.Channel) -> None:
    expires_at = datetime.now(UTC) + timedelta(seconds=1.5)
    short = shown(token(server.folder, "ada", Role.INSPECT, expires_at=expires_at))
    call(channel, short)

    time.sleep(max(0.0, (expires_at - datetime.now(UTC)).total_seconds()))

    assert refusal(channel, short).code() == Code.UNAUTHENTICATED


@pytest.mark.slow
def test_a_token_that_is_revoked_elsewhere_is_refused_within_seconds(
    server: Server, channel: grpc.Channel
) -> None:
    used = token(server.folder, "ada", Role.INSPECT)
    call(channel, shown(used))  # from now on it is remembered
    database = open_database(f"sqlite:///{server.folder / 'loupe-data' / 'results.db'}")
    DatabaseTokens(database).revoke(used.split("_")[1], datetime.now(UTC))
    database.close()

    time.sleep(MAX_AGE_S + 0.1)

    error = refusal(channel, shown(used))
    assert error.code() == Code.UNAUTHENTICATED
    assert "was revoked on" in str(error.details())


def test_who_asks_more_often_than_the_rate_allows_is_told_when_to_come_again(
    server: Server, channel: grpc.Channel
) -> None:
    eager, calm = (shown(token(server.folder, name, Role.INSPECT)) for name in ("eager", "calm"))
    for _ in range(40):
        call(channel, eager, "/vision.v1.ModelService/ListModels")

    error = refusal(channel, eager)

    assert error.code() == Code.RESOURCE_EXHAUSTED
    (hint,) = [one for one in details(error) if isinstance(one, error_details_pb2.RetryInfo)]
    assert 50 < hint.retry_delay.ToTimedelta().total_seconds() <= 100
    assert call(channel, calm).result_id, "each token has calls of its own"


def test_a_stream_is_read_no_faster_than_the_rate_allows(server: Server, channel: grpc.Channel) -> None:
    known = shown(token(server.folder, "streamer", Role.INSPECT))
    requests = (
        inspection_pb2.InspectRequest(image=GOOD, request_id=f"streamed {number}") for number in range(44)
    )

    answers = inspection_of(channel).InspectStream(requests, metadata=known, timeout=8)

    assert {next(answers).HasField("response") for _ in range(40)} == {True}
    with pytest.raises(grpc.RpcError) as ended:
        next(answers)
    assert ended.value.code() == Code.DEADLINE_EXCEEDED


def test_no_token_is_ever_logged(server: Server, channel: grpc.Channel) -> None:
    known = token(server.folder, "quiet", Role.INSPECT)
    call(channel, shown(known))
    refusal(channel, shown(known), "/vision.v1.ModelService/LoadModel")
    refusal(channel, shown(known + "x"))

    assert known[-43:] not in "".join(server.log)


# --- roles


def test_the_table_of_roles_names_no_method_that_is_not_there() -> None:
    assert ROLES.keys() <= METHODS.keys()
    assert METHODS.keys() - ROLES.keys() == {
        "/vision.v1.ModelService/LoadModel",
        "/vision.v1.ModelService/UnloadModel",
    }, "what is not named is for admin alone"


@pytest.mark.parametrize("method", METHODS)
def test_a_method_opens_to_its_roles_and_to_no_other(
    method: str, server: Server, channel: grpc.Channel
) -> None:
    opens_to = ROLES.get(method, frozenset({Role.ADMIN}))
    others = frozenset(Role) - opens_to
    if others:
        error = refusal(channel, shown(token(server.folder, "kim", *others)), method)
        assert error.code() == Code.PERMISSION_DENIED
        assert f"{method}: expected a token with the role" in str(error.details())
        assert "found kim's with" in str(error.details())
    if method.endswith("/ModelInfer"):
        opens_to -= {Role.CATALOG}  # for catalog models, of which none is served here
    for role in sorted(opens_to):
        code = outcome(channel, shown(token(server.folder, "kim", role)), method)
        # an empty message is not what every method takes, which is said to those alone whom it opens to
        assert code in {Code.OK, Code.INVALID_ARGUMENT, Code.NOT_FOUND}


def test_an_admin_who_is_no_reviewer_neither_judges_nor_reviews(
    server: Server, channel: grpc.Channel
) -> None:
    admin = shown(token(server.folder, "root", Role.ADMIN))

    assert refusal(channel, admin).code() == Code.PERMISSION_DENIED
    for method in ("SubmitDisposition", "ListReviews", "ExportDispositions"):
        error = refusal(channel, admin, f"/vision.v1.InspectionService/{method}")
        assert error.code() == Code.PERMISSION_DENIED


def test_a_method_that_is_not_there_is_unimplemented_and_says_no_more(channel: grpc.Channel) -> None:
    unknown: Any = channel.unary_unary(
        "/vision.v1.InspectionService/Delete", request_serializer=bytes, response_deserializer=bytes
    )

    with pytest.raises(grpc.RpcError) as refused:
        unknown(b"", timeout=PATIENCE_S)

    assert refused.value.code() == Code.UNIMPLEMENTED


# --- on loopback without TLS


@dataclass(frozen=True, slots=True)
class Local:
    """A server on loopback that asks nobody for a token."""

    server: Server
    channel: grpc.Channel


@pytest.fixture(scope="module")
def local(workplace: Workplace) -> Iterator[Local]:
    with serving(workplace()) as found, found.channel() as channel:
        yield Local(found, channel)


@pytest.mark.parametrize(
    "method",
    [
        "/vision.v1.InspectionService/SubmitDisposition",
        "/vision.v1.InspectionService/ListReviews",
        "/vision.v1.InspectionService/ExportDispositions",
        "/vision.v1.ModelService/LoadModel",
        "/vision.v1.ModelService/UnloadModel",
    ],
)
def test_on_loopback_parts_are_judged_for_anybody_but_what_a_person_signs_takes_a_token(
    method: str, local: Local
) -> None:
    assert call(local.channel).result_id

    error = refusal(local.channel, (), method)

    assert error.code() == Code.PERMISSION_DENIED
    assert "found no token" in str(error.details())


def test_a_token_that_does_not_hold_is_refused_also_where_none_is_needed(local: Local) -> None:
    assert refusal(local.channel, shown(f"loupe_{'0' * 16}_{'A' * 43}")).code() == Code.UNAUTHENTICATED


def test_request_ids_of_one_caller_are_not_anothers(local: Local) -> None:
    stub = inspection_of(local.channel)
    request = inspection_pb2.InspectRequest(image=GOOD, request_id="mine")
    ada, bob = (shown(token(local.server.folder, name, Role.INSPECT)) for name in ("ada", "bob"))

    answers = [stub.Inspect(request, metadata=who, timeout=PATIENCE_S) for who in (ada, bob, (), ada)]

    assert [answer.repeated_answer for answer in answers] == [False, False, False, True]


# --- beyond loopback


@pytest.fixture(scope="module")
def exposed(workplace: Workplace) -> Iterator[Server]:
    """On every interface, with certificates of both sides; of its two bundles one is signed."""
    folder, key = workplace(), Ed25519PrivateKey.generate()
    make_bundle(folder / "models" / "signed.loupe", name="signed", key=key)
    public = folder / "release.pub"
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    client_ca = folder / "clients.pem"
    client_ca.write_bytes(authority("clients").certificate_pem)
    tls = {**server_tls(folder), "client_ca": client_ca}
    with serving(folder, listen="0.0.0.0:0", tls=tls, trust={"trusted_keys": [public]}) as found:
        found.announced["listen"] = f"127.0.0.1:{found.address.rpartition(':')[2]}"
        yield found


def test_with_mutual_tls_a_client_of_the_authority_is_let_in(exposed: Server) -> None:
    known = shown(token(exposed.folder, "ada", Role.INSPECT))
    client = issued(authority("clients"), "station-1")
    with opened(exposed.address, trusting(authority(), client=client)) as channel:
        assert call(channel, known).model.name == "signed"
        assert refusal(channel).code() == Code.UNAUTHENTICATED, "a certificate is no token"


@pytest.mark.parametrize("client", [None, "stranger"])
def test_with_mutual_tls_a_client_without_a_certificate_of_the_authority_is_refused(
    client: str | None, exposed: Server
) -> None:
    known = shown(token(exposed.folder, "ada", Role.INSPECT))
    shows = issued(authority(client), "station-1") if client else None
    with opened(exposed.address, trusting(authority(), client=shows)) as channel:
        assert refusal(channel, known).code() == Code.UNAVAILABLE


def test_beyond_loopback_only_signed_bundles_are_served(exposed: Server) -> None:
    known = shown(token(exposed.folder, "ada", Role.INSPECT))
    client = issued(authority("clients"), "station-1")
    with opened(exposed.address, trusting(authority(), client=client)) as channel:
        listed = models_of(channel).ListModels(
            models_pb2.ListModelsRequest(), metadata=known, timeout=PATIENCE_S
        )

    assert {model.ref.name: model.state for model in listed.models} == {
        "signed": models_pb2.MODEL_STATE_READY,
        "plates-1.0": models_pb2.MODEL_STATE_FAILED,
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"listen": "0.0.0.0:0"}, "listen"),
        ({"listen": "0.0.0.0:0", "tls": "server"}, "trust.trusted_keys"),
        ({"tls": "nonsense"}, "listen"),
    ],
)
def test_a_server_that_would_let_strangers_in_does_not_start_and_names_the_field(
    changes: dict[str, Any], field: str, workplace: Workplace
) -> None:
    folder = workplace()
    if changes.get("tls"):
        files = server_tls(folder)
        if changes["tls"] == "nonsense":
            files["key"].write_text("no key")
        changes = {**changes, "tls": files}

    code, said = refused(folder, **changes)

    assert code == 2
    assert said.startswith(f"{field}: ")
