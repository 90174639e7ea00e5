"""What the view answers over HTTP: the page, its state as JSON, the last part's picture, metrics and health.

It shows and changes nothing. Who asks must have called it by a loopback name, so that no page from elsewhere can read it by a name of its own.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from edge.view.metrics import registry
from edge.view.pace import Pace
from edge.view.pictures import Pictures
from edge.view.status import station_status
from edge.view.watch import State, Watch
from vision.errors import ImageError

_PAGE: Final = Path(__file__).parent / "page"
_FILES: Final = {"/": "index.html", "/view.css": "view.css", "/view.js": "view.js"}
_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")

Endpoint = Callable[[Request], Awaitable[Response]]


def site(watches: Sequence[Watch], pictures: Pictures, *, boot: str, host: str) -> Starlette:
    """The application.

    Args:
        boot: names this run of the program.
        host: where it listens; a name by which it may be called.
    """
    by_name = {watch.station.name: watch for watch in watches}
    routes = [Route(path, _file(_PAGE / name)) for path, name in _FILES.items()]
    routes += [
        Route("/status.json", _status(watches, pictures, boot)),
        Route("/stations/{name}/last.png", _picture(by_name, pictures)),
        Route("/metrics", _metrics(watches)),
        Route("/healthz", _healthz(watches)),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[*_LOOPBACK, host], www_redirect=False)
    return Starlette(routes=routes, middleware=[hosts, Middleware(Pace)])


def _file(path: Path) -> Endpoint:
    content, kind = path.read_bytes(), _TYPES[path.suffix]

    async def file(_: Request) -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)

    return file


def _status(watches: Sequence[Watch], pictures: Pictures, boot: str) -> Endpoint:
    about = {"boot": boot, "version": version("loupe")}

    async def status(_: Request) -> Response:
        for watch in watches:
            last = watch.board.tally.last
            if last is not None and last.draw is not None:
                pictures.tell(watch.station.name, last.ended.part, last.draw)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        stations = [station_status(watch) for watch in watches]
        return JSONResponse({**about, "at": now, "stations": stations}, headers=_HEADERS)

    return status


def _picture(watches: Mapping[str, Watch], pictures: Pictures) -> Endpoint:
    async def picture(request: Request) -> Response:
        watch = watches.get(request.path_params["name"])
        last = None if watch is None else watch.board.tally.last
        if watch is None or last is None:
            return _absent("no such station, or no part yet")
        asked = request.query_params.get("part", str(last.ended.part))
        if last.draw is not None:
            pictures.tell(watch.station.name, last.ended.part, last.draw)
        try:
            png = await pictures.png(watch.station.name, int(asked)) if asked.isdecimal() else None
        except ImageError as error:
            return _absent(str(error))
        if png is None:
            return _absent(f"part {asked} has no picture, or none any more")
        return Response(png, media_type="image/png", headers={**_HEADERS, "Loupe-Part": asked})

    return picture


def _absent(why: str) -> Response:
    return PlainTextResponse(why, status_code=404, headers=_HEADERS)


def _metrics(watches: Sequence[Watch]) -> Endpoint:
    found = registry(watches)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(found), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return metrics


def _healthz(watches: Sequence[Watch]) -> Endpoint:
    async def healthz(_: Request) -> Response:
        """200 while every station runs, else 503. A camera or PLC that is gone is the page's and the metrics' to tell."""
        states = {watch.station.name: watch.state() for watch in watches}
        well = all(state == State.RUNNING for state in states.values())
        return JSONResponse({"ready": well, "stations": states}, 200 if well else 503)

    return healthz
