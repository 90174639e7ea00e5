"""Health and metrics over HTTP, for whoever watches the server rather than uses it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typing_extensions import override

from server.address import Address


def application(registry: CollectorRegistry, health: Callable[[], Mapping[str, Any]]) -> Starlette:
    """`/healthz` (200 while `health()["ready"]`, else 503) and `/metrics`."""

    async def healthz(_: Request) -> Response:
        found = health()
        return JSONResponse(dict(found), status_code=200 if found["ready"] else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/healthz", healthz), Route("/metrics", metrics)])


class HttpServer(uvicorn.Server):
    """Uvicorn within another program's event loop, which keeps its own signal handlers."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def http_server(app: Starlette, address: Address) -> HttpServer:
    """A server that `serve()` runs until `should_exit` is set."""
    place: dict[str, Any] = (
        {"uds": str(address.socket)} if address.socket else {"host": address.host, "port": address.port}
    )
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", **place)
    return HttpServer(config)
