"""A real `loupe serve`: a process in a folder of its own, on free ports, asked from outside and stopped as an operator stops it.

`serving` starts one and ends it with SIGTERM, expecting exit 0; `refused` expects it not to start.
"""

import json
import os
import queue
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import grpc
from google.rpc import error_details_pb2, status_pb2

from server.auth import Role, issue
from server.storage.database import open_database
from server.storage.tokens import DatabaseTokens
from vision.v1 import inspection_pb2
from vision.v1.catalog_pb2_grpc import CatalogServiceStub
from vision.v1.inspection_pb2_grpc import InspectionServiceStub
from vision.v1.models_pb2_grpc import ModelServiceStub
from vision.v1.open_inference_pb2_grpc import GRPCInferenceServiceStub

PATIENCE_S: Final = 120.0  # for what takes a second on an idle machine
LOUPE: Final = Path(sys.executable).with_name("loupe")
_USUAL: Final[dict[str, Any]] = {"models": "models", "listen": "127.0.0.1:0", "http": "127.0.0.1:0"}
_DETAILS: Final = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        error_details_pb2.BadRequest,
        error_details_pb2.RequestInfo,
        error_details_pb2.ResourceInfo,
        error_details_pb2.RetryInfo,
    )
}


@dataclass(slots=True, kw_only=True)
class Server:
    """A server that takes calls.

    Attributes:
        announced: the JSON object with which it said so.
        log: its stderr so far, line by line.
    """

    folder: Path
    process: "subprocess.Popen[str]"
    log: list[str] = field(default_factory=list)
    announced: dict[str, Any] = field(default_factory=dict)
    readers: list[threading.Thread] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(self.announced["listen"])

    def channel(self) -> grpc.Channel:
        """A connection of its own, without TLS."""
        return opened(self.address)

    def http(self, path: str) -> tuple[int, str]:
        """Status and body of a page."""
        try:
            url = f"http://{self.announced['http']}{path}"
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as page:
                return int(page.status), page.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.http("/healthz")[1])
        return found

    def metric(self, sample: str) -> float:
        """A sample by its name on the page, such as `loupe_results_unkept_total`; 0 where it is not there yet."""
        for line in self.http("/metrics")[1].splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return 0.0

    def limit_files(self, largest_bytes: int = resource.RLIM_INFINITY) -> None:
        """Let the server write no file beyond a size, as if the disk were full; without a size: let it again."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (largest_bytes, resource.RLIM_INFINITY))

    def kill(self) -> None:
        """End it as a power switch does."""
        self.process.kill()
        self.ended()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait(PATIENCE_S)
        for reader in self.readers:
            reader.join(PATIENCE_S)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code


@contextmanager
def serving(folder: Path, **changes: Any) -> Iterator[Server]:
    """Serve `folder/models` until the block ends; `changes` are what `loupe.toml` says beyond the usual.

    A server that a test has ended itself is left alone.
    """
    server = _started(folder, changes)
    try:
        yield server
    except BaseException:
        server.kill()
        sys.stderr.write("".join(server.log[-50:]))  # pytest shows it with the failure
        raise
    if server.process.poll() is None:
        server.terminate()
        assert server.ended() == 0, "".join(server.log[-50:])


def refused(folder: Path, **changes: Any) -> tuple[int, str]:
    """The exit code and the error's message of a server that must not start."""
    process = _process(folder, changes)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0, err
    assert out, err
    return process.returncode, str(json.loads(out)["error"]["message"])


def token(folder: Path, user: str, *roles: Role, **when: datetime) -> str:
    """Make a token in the database of this folder's server, whether it runs or not yet; `when` as `server.auth.issue` takes it."""
    issued = issue(user, frozenset(roles), **{"now": datetime.now(UTC)} | when)
    database = open_database(f"sqlite:///{folder / 'loupe-data' / 'results.db'}")
    try:
        DatabaseTokens(database).add(issued.record)
    finally:
        database.close()
    return issued.token


def opened(address: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.Channel:
    """A channel that shares no connection with others."""
    options = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
    if credentials is None:
        return grpc.insecure_channel(address, options)
    return grpc.secure_channel(address, credentials, options)


def inspection_of(channel: grpc.Channel) -> Any:
    return InspectionServiceStub(channel)  # type: ignore[no-untyped-call]  # generated


def catalog_of(channel: grpc.Channel) -> Any:
    return CatalogServiceStub(channel)  # type: ignore[no-untyped-call]  # generated


def models_of(channel: grpc.Channel) -> Any:
    return ModelServiceStub(channel)  # type: ignore[no-untyped-call]  # generated


def inference_of(channel: grpc.Channel) -> Any:
    return GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]  # generated


def ask(stub: Any, image: bytes, **asked: Any) -> inspection_pb2.InspectResponse:
    """Have a picture judged, with as much time as a busy machine may need."""
    request = inspection_pb2.InspectRequest(image=image, **asked)
    response: inspection_pb2.InspectResponse = stub.Inspect(request, timeout=PATIENCE_S)
    return response


def shown(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call that shows a token."""
    return (("authorization", f"Bearer {token}"),)


def details(error: grpc.RpcError) -> list[Any]:
    """The `google.rpc` details of a refusal, as the messages that they are."""
    found = {one.key: one.value for one in error.trailing_metadata()}
    messages = []
    for packed in status_pb2.Status.FromString(found["grpc-status-details-bin"]).details:
        messages.append(_DETAILS[packed.TypeName()]())
        packed.Unpack(messages[-1])
    return messages


def wrong_fields(error: grpc.RpcError) -> list[str]:
    """The fields that a refusal names."""
    requests = [one for one in details(error) if isinstance(one, error_details_pb2.BadRequest)]
    return [violation.field for request in requests for violation in request.field_violations]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "what was waited for did not come about"
        time.sleep(0.02)


def clean_environment(folder: Path) -> dict[str, str]:
    """This process's, without what this machine was configured for; what is cached stays in the folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOUPE_")}
    return kept | {"LOUPE_CACHE_DIR": str(folder / "cache")}


def _started(folder: Path, changes: Mapping[str, Any]) -> Server:
    """Start a server and wait for the line in which it says where it is."""
    server = Server(folder=folder, process=_process(folder, changes))
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    server.readers += [
        _drained(server.process.stderr, server.log.append),
        _drained(server.process.stdout, said.put),
    ]
    try:
        line = said.get(timeout=PATIENCE_S)
        server.announced = json.loads(line) if line else {}
        assert "listen" in server.announced, f"expected to be told where it listens, found '{line}'"
    except BaseException:
        server.kill()
        sys.stderr.write("".join(server.log))
        raise
    return server


def _process(folder: Path, changes: Mapping[str, Any]) -> "subprocess.Popen[str]":
    config = folder / "loupe.toml"
    config.write_text(_toml({**_USUAL, **changes}))
    return subprocess.Popen(
        [LOUPE, "serve", "--config", config, "--log-json", "--json"],
        cwd=folder,
        env=clean_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _toml(config: Mapping[str, Any], table: str = "") -> str:
    """Strings, numbers, truths and lists look the same in TOML and JSON, and names may as well."""
    plain = {name: value for name, value in config.items() if not isinstance(value, Mapping)}
    lines = [f"{json.dumps(name)} = {json.dumps(value, default=str)}" for name, value in plain.items()]
    for name in config.keys() - plain.keys():
        inner = f"{table}.{json.dumps(name)}".removeprefix(".")
        lines += [f"[{inner}]", _toml(config[name], inner)]
    return "\n".join(lines) + "\n"


def _drained(stream: IO[str] | None, take: Callable[[str], None]) -> threading.Thread:
    """Read a pipe to its end beside the test, so that it never fills; the last that is taken is empty."""

    def read() -> None:
        if stream is not None:
            for line in stream:
                take(line)
        take("")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    return reader
