import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.vision.client.fake_server import FakeServer
from vision.client import AsyncClient, Backoff, Client, Outcome

QUICK = Backoff(first_s=0.01, longest_s=0.05)

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees which proxy this machine was configured for."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.stop()


@pytest.fixture(params=["blocking", "asynchronous"])
def ask(request: pytest.FixtureRequest, server: FakeServer) -> Ask:
    """Call a method of either client, so that each test holds for both; outcomes come as a list."""

    def blocking(method: str, *arguments: Any, **options: Any) -> Any:
        with Client(server.address, backoff=QUICK) as client:
            said = getattr(client, method)(*arguments, **options)
            return list(said) if method == "inspect_many" else said

    def asynchronous(method: str, *arguments: Any, **options: Any) -> Any:
        async def run() -> Any:
            async with AsyncClient(server.address, backoff=QUICK) as client:
                said = getattr(client, method)(*arguments, **options)
                return [one async for one in said] if method == "inspect_many" else await said

        return asyncio.run(run())

    return blocking if request.param == "blocking" else asynchronous


def in_place(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Outcomes in the order of their pictures, each of which must have one."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.index)
    assert [outcome.index for outcome in ordered] == list(range(len(ordered)))
    return ordered
