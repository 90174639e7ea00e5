"""How a server is reached, and that a token is shown to nobody else."""

import asyncio
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from tests.vision.client.certificates import Pair, authority, issued
from tests.vision.client.conftest import QUICK, Ask
from tests.vision.client.fake_server import FakeServer, Refuse
from vision.client import AsyncClient, Client, Tls
from vision.client.connection import Connection
from vision.errors import AuthenticationError, LoupeError, RemoteError, SettingsError, UnavailableError

TOKEN = "loupe_0123456789abcdef_secret-part"  # noqa: S105  (of nobody)


@pytest.mark.parametrize(
    "address",
    [
        "localhost:50051",
        "LOCALHOST:1",
        "127.0.0.1:50051",
        "127.8.9.1:65535",
        "[::1]:50051",
        "unix:/run/loupe.sock",
    ],
)
def test_these_addresses_lie_on_this_machine(address: str) -> None:
    assert Connection(address=address, token=TOKEN).loopback


@pytest.mark.parametrize(
    "address",
    [
        "line-server:50051",
        "10.0.0.7:50051",
        "0.0.0.0:50051",
        "[2001:db8::1]:50051",
        "localhost.example.com:50051",
        "127.0.0.1.example.com:50051",
        "localhost.:50051",
        "127.1:50051",
    ],
)
def test_a_token_does_not_leave_this_machine_in_plain_text(address: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected TLS, since a token must not leave") as refused:
        Client(address, token=TOKEN)
    assert "secret" not in str(refused.value)
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority().certificate_pem)
    Client(address, token=TOKEN, tls=Tls(ca=ca)).close()
    Client(address).close()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost",
        ":50051",
        "localhost:",
        "localhost:0",
        "localhost:70000",
        "localhost:http",
        "http://localhost:50051",
        "localhost:50051/path",
        "you@localhost:50051",
        "ipv4:127.0.0.1:50051,10.0.0.7:50051",
        "dns:///localhost:50051",
        "local\thost:50051",
        "[::1:50051",
        "bücher:50051",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match=r"expected host:port, \[::1\]:port or unix:PATH, found"):
        Client(address)


@pytest.mark.parametrize("token", ["", " ", "two words", "line\nbreak", "bücher", "a:b"])
def test_a_token_that_no_header_can_hold_is_refused_unseen(token: str) -> None:
    with pytest.raises(SettingsError, match="token: expected letters, digits") as refused:
        Client("localhost:50051", token=token)
    if token.strip():
        assert token not in str(refused.value)


def test_a_token_comes_with_every_call(server: FakeServer) -> None:
    with Client(server.address, token=TOKEN) as client:
        client.inspect(b"good")
        list(client.inspect_many([b"good"]))
    assert [one["authorization"] for one in server.script.metadata] == [f"Bearer {TOKEN}"] * 2


def test_without_a_token_none_is_sent(server: FakeServer, ask: Ask) -> None:
    ask("inspect", b"good")
    assert "authorization" not in server.script.metadata[0]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INTERNAL])
def test_a_token_is_in_no_error_even_where_the_server_repeats_it(
    code: grpc.StatusCode, server: FakeServer
) -> None:
    violations = (("authorization", f"found {TOKEN}"),)
    server.script.then(*[Refuse(code, f"nobody has {TOKEN}", violations=violations)] * 2)
    with Client(server.address, token=TOKEN) as client:
        with pytest.raises((AuthenticationError, RemoteError)) as refused:
            client.inspect(b"good")
        (outcome,) = client.inspect_many([b"good"])
    assert isinstance(outcome.result, LoupeError)
    for error in (refused.value, outcome.result):
        shown = "".join(traceback.format_exception(error))
        assert "nobody has [token]" in shown
        assert "secret" not in shown


@pytest.mark.asyncio
async def test_a_token_is_in_no_repr() -> None:
    async with AsyncClient("localhost:50051", token=TOKEN) as client:
        assert repr(client) == "AsyncClient('localhost:50051')"
    with Client("localhost:50051", token=TOKEN) as blocking:
        assert repr(blocking) == "Client('localhost:50051')"
    assert "secret" not in repr(Connection(address="localhost:50051", token=TOKEN))


def test_an_asynchronous_client_is_made_where_a_loop_runs() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncClient("localhost:50051")


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached_without_the_proxy(
    address: str, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody is there
    with Client(f"{address}:{server.port}", token=TOKEN) as client:
        assert client.inspect(b"good", deadline_s=5).verdict.label == "good"


def test_a_socket_in_the_file_system_is_an_address(tmp_path: Path) -> None:
    with Client(f"unix:{tmp_path}/absent.sock", token=TOKEN) as client, pytest.raises(UnavailableError):
        client.models(deadline_s=0.3)


Serve = Callable[..., FakeServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server with TLS; with `clients_of`, only for clients whose certificate is that authority's."""
    servers = []

    def start(pair: Pair, *, clients_of: Pair | None = None) -> FakeServer:
        credentials = grpc.ssl_server_credentials(
            [(pair.key_pem(), pair.certificate_pem)],
            root_certificates=clients_of.certificate_pem if clients_of else None,
            require_client_auth=clients_of is not None,
        )
        servers.append(FakeServer(credentials=credentials))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return authority().write(tmp_path, "ca")[0]


def test_over_tls_a_server_is_known_by_its_authority(serve: Serve, ca: Path) -> None:
    server = serve(issued(authority(), "server"))
    with Client(server.address, token=TOKEN, tls=Tls(ca=ca)) as client:
        assert client.inspect(b"good").verdict.label == "good"

    async def asynchronous() -> str | None:
        async with AsyncClient(server.address, token=TOKEN, tls=Tls(ca=ca)) as client:
            return (await client.inspect(b"red")).verdict.label

    assert asyncio.run(asynchronous()) == "red"


def test_a_server_of_another_authority_is_not_spoken_to(serve: Serve, ca: Path) -> None:
    server = serve(issued(authority("stranger"), "server"))
    with (
        Client(server.address, token=TOKEN, tls=Tls(ca=ca), backoff=QUICK) as client,
        pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.inspect(b"good", deadline_s=1)
    assert server.script.received == []


def test_a_server_under_another_name_is_not_spoken_to(serve: Serve, ca: Path) -> None:
    server = serve(issued(authority(), "server"))
    with (
        Client(f"localhost:{server.port}", tls=Tls(ca=ca), backoff=QUICK) as client,
        pytest.raises(UnavailableError, match="localhost"),
    ):
        client.inspect(b"good", deadline_s=1)
    assert server.script.received == []


def test_both_sides_can_prove_themselves(serve: Serve, ca: Path, tmp_path: Path) -> None:
    server = serve(issued(authority(), "server"), clients_of=authority())
    certificate, key = issued(authority(), "station-7").write(tmp_path, "station")
    with Client(server.address, tls=Tls(ca=ca, certificate=certificate, key=key)) as client:
        assert client.inspect(b"good").verdict.label == "good"
    with (
        Client(server.address, tls=Tls(ca=ca), backoff=QUICK) as stranger,
        pytest.raises(UnavailableError),
    ):
        stranger.inspect(b"good", deadline_s=1)


def test_tls_files_that_are_none_are_named(ca: Path, tmp_path: Path) -> None:
    certificate, key = issued(authority(), "client").write(tmp_path, "client")
    (tmp_path / "nonsense.pem").write_text("nonsense")
    (tmp_path / "locked.key").write_bytes(issued(authority(), "client").key_pem(b"password"))
    for tls, message in [
        (Tls(ca=tmp_path / "absent.pem"), "absent.pem: cannot be read: No such file"),
        (Tls(ca=tmp_path / "nonsense.pem"), "nonsense.pem: expected certificates in PEM"),
        (Tls(ca=ca, certificate=certificate), "expected certificate and key together, found no key"),
        (Tls(ca=ca, key=key), "expected certificate and key together, found no certificate"),
        (Tls(certificate=certificate, key=certificate), "client.pem: expected a private key in PEM"),
        (Tls(certificate=certificate, key=tmp_path / "locked.key"), "locked.key: expected a private key"),
    ]:
        with pytest.raises(SettingsError, match=message):
            Client("line-server:50051", tls=tls)


@pytest.mark.parametrize("module", ["vision", "vision.wire", "vision.commands.main"])
def test_the_rest_of_the_core_does_without_grpc(module: str) -> None:
    code = f"import sys, {module}; print([name for name in ('grpc', 'google.rpc') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_client_needs_no_model_runtime() -> None:
    code = "import sys, vision.client.catalog_bulk, vision.commands.catalog_search; print('onnxruntime' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
