"""The page of health and metrics: on a port or a socket of its own, or an error that names it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from server.http import application, http_server, listening
from vision.address import Address
from vision.errors import SettingsError

ANY_PORT = Address(host="127.0.0.1", port=0)


@asynccontextmanager
async def served(address: Address, **health: Any) -> AsyncIterator[Address]:
    """Serve a counter and this health; gives where."""
    registry = CollectorRegistry()
    Counter("parts", "Parts", registry=registry).inc(3)
    place, found = listening(address)
    server = http_server(application(registry, lambda: {"ready": True, **health}))
    running = asyncio.create_task(server.serve(sockets=[place]))
    try:
        yield found
    finally:
        server.should_exit = True
        await running


async def get(address: Address, path: str) -> tuple[int, str]:
    """Status and body of a page, read as the bytes that come."""
    if address.socket is not None:
        reader, writer = await asyncio.open_unix_connection(address.socket)
    else:
        reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body.decode()


@pytest.mark.asyncio
async def test_health_is_200_while_ready_and_503_while_not() -> None:
    async with served(ANY_PORT, degraded=True) as address:
        status, body = await get(address, "/healthz")
        assert (status, json.loads(body)) == (200, {"ready": True, "degraded": True})

    async with served(ANY_PORT, ready=False) as address:
        assert (await get(address, "/healthz"))[0] == 503


@pytest.mark.asyncio
async def test_metrics_are_told_as_prometheus_reads_them_and_nothing_else_is_there() -> None:
    async with served(ANY_PORT) as address:
        status, body = await get(address, "/metrics")
        assert status == 200
        assert "parts_total 3.0" in body.splitlines()
        assert (await get(address, "/"))[0] == 404


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_free_port_is_told(host: str) -> None:
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    place, address = listening(Address(host=host, port=0))

    with place, socket.create_connection((host, address.port), timeout=10):
        assert (address.host, address.port) == (host, place.getsockname()[1])


def test_a_taken_port_is_an_error_that_names_it() -> None:
    place, address = listening(ANY_PORT)

    with place, pytest.raises(SettingsError, match=rf"http: cannot listen on 127\.0\.0\.1:{address.port}: "):
        listening(address)


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"http: cannot listen on 192\.0\.2\.1:0"):  # RFC 5737: nobody's
        listening(Address(host="192.0.2.1", port=0))


@pytest.mark.asyncio
async def test_a_unix_socket_serves_as_well_also_where_a_killed_server_has_left_one(tmp_path: Path) -> None:
    address = Address(socket=tmp_path / "health.sock")
    left, _ = listening(address)
    left.close()

    async with served(address) as found:
        assert found == address
        assert (await get(address, "/healthz"))[0] == 200


def test_a_file_in_a_sockets_place_is_left_alone_and_an_error(tmp_path: Path) -> None:
    path = tmp_path / "health.sock"
    path.write_text("somebody's notes")

    with pytest.raises(SettingsError, match="cannot listen on unix:"):
        listening(Address(socket=path))

    assert path.read_text() == "somebody's notes"
