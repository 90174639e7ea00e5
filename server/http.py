"""Health and metrics over HTTP, for whoever watches the server rather than uses it, and what else is handed in to be shown there."""

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from typing_extensions import override

from vision.address import Address
from vision.errors import SettingsError

_BACKLOG: Final = 128


def application(
    registry: CollectorRegistry,
    health: Callable[[], Mapping[str, Any]],
    others: Sequence[BaseRoute] = (),
) -> Starlette:
    """`/healthz` (200 while `health()["ready"]`, else 503), `/metrics`, and others."""

    async def healthz(_: Request) -> Response:
        found = health()
        return JSONResponse(dict(found), status_code=200 if found["ready"] else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/healthz", healthz), Route("/metrics", metrics), *others])


class HttpServer(uvicorn.Server):
    """Uvicorn within another program's event loop, which keeps its own signal handlers."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def http_server(app: Starlette) -> HttpServer:
    """A server that `serve(sockets=[...])` runs until `should_exit` is set."""
    return HttpServer(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))


def listening(address: Address) -> tuple[socket.socket, Address]:
    """A socket that takes connections from now on, and the address with the port that was taken.

    Uvicorn, which could open it as well, ends the whole process where it cannot.

    Raises:
        SettingsError: the address is taken, or is none of this machine's.
    """
    try:
        if address.socket is not None:
            return _unix_socket(address), address
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        found = socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(f"http: cannot listen on {address}: {error.strerror or error}") from error
    return found, Address(host=address.host, port=found.getsockname()[1])


def _unix_socket(address: Address) -> socket.socket:
    path = address.socket
    if path is not None and path.is_socket():  # a server that was killed has left it
        path.unlink()
    found = socket.socket(socket.AF_UNIX)
    try:
        found.bind(str(path))
        found.listen(_BACKLOG)
    except OSError:
        found.close()
        raise
    return found
