"""The page's addresses: who may come, what is answered.

Everybody logs in with a token, also where calls need none. Forms are taken from our own pages alone: by the session's key in the form, by the
cookie's SameSite, and by the browser's own word on where the form was. Whoever calls by another name than ours is refused, so that no page from
elsewhere reads this one by a name of its own.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from server.auth import Principal, Role
from server.imagery.orders import Orders
from server.imagery.reviewing import Reviewing
from server.storage.imagery_jobs import Job, Wanted
from server.web.forms import decision_from, order_from, text
from server.web.sessions import COOKIE, LASTS_S, Session, Sessions
from server.web.views import Viewer, Views
from vision import errors
from vision.errors import AuthenticationError, InputError, LoupeError, NotFoundError, PermissionDeniedError
from vision.image import ImageLimits, read_header
from vision.imagery.review import State

PATH: Final = "/imagery"
_STATIC: Final = Path(__file__).parent / "static"
_FILES: Final = {"page.css": "text/css", "page.js": "text/javascript"}
_POLICY: Final = "; ".join(
    [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
    ]
)  # fmt: skip
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_KEPT: Final = {"Cache-Control": "private, max-age=3600, immutable"}  # a picture of a digest is that for good
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_ROOM: Final = 64 * 1024  # beside photo, mask and style picture
_PAGE: Final = 50
_FORM_FILES: Final = 3
_MANY: Final = 20  # fields of a form
_STATUS: Final[Sequence[tuple[type[LoupeError], int]]] = (
    (errors.NotFoundError, 404),
    (errors.PermissionDeniedError, 403),
    (errors.StateError, 409),
    (errors.InputError, 400),
    (errors.StorageError, 503),
    (errors.LoupeError, 500),
)
_PICTURES: Final = {
    "preview.jpg": ("preview_sha256", "image/jpeg"),
    "master.png": ("master_sha256", "image/png"),
    "difference.png": ("difference_sha256", "image/png"),
    "cutout.png": ("alpha_sha256", "image/png"),
}
_LOG: Final = structlog.get_logger("server.web")

Endpoint = Callable[[Request], Awaitable[Response]]
Identify = Callable[[str], Awaitable[Principal]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the page is served with.

    Attributes:
        identify: who holds a token; raises AuthenticationError where nobody does.
        max_bytes: of a photo, of a mask and of a style picture.
        hosts: names by which it may be called, beside those of this machine.
    """

    orders: Orders
    reviewing: Reviewing
    views: Views
    identify: Identify
    max_bytes: int
    hosts: Sequence[str] = ()


def site(page: Page) -> Starlette:
    """The application, to be mounted at `PATH`."""
    desk = _Desk(page)
    routes = [
        Route("/", desk.seen(desk.jobs)),
        Route("/login", desk.guarded(desk.login), methods=["GET", "POST"]),
        Route("/logout", desk.sent(desk.logout), methods=["POST"]),
        Route("/jobs", desk.sent(desk.order), methods=["POST"]),
        Route("/jobs/{job}", desk.seen(desk.job)),
        Route("/jobs/{job}/live", desk.seen(desk.live)),
        Route("/jobs/{job}/photo", desk.seen(desk.photo)),
        Route("/jobs/{job}/style", desk.seen(desk.style)),
        Route("/jobs/{job}/progress.jpg", desk.seen(desk.progress)),
        Route("/jobs/{job}/cancel", desk.sent(desk.cancel), methods=["POST"]),
        Route("/jobs/{job}/{number:int}/{picture}", desk.seen(desk.picture)),
        Route("/jobs/{job}/{number:int}/export", desk.sent(desk.export), methods=["POST"]),
        Route("/jobs/{job}/{number:int}/{act}", desk.sent(desk.decide), methods=["POST"]),
        *(Route(f"/{name}", _file(_STATIC / name, kind)) for name, kind in _FILES.items()),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[*_LOOPBACK, *page.hosts], www_redirect=False)
    return Starlette(routes=routes, middleware=[hosts])


def _file(path: Path, kind: str) -> Endpoint:
    content = path.read_bytes()

    async def file(_: Request) -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)

    return file


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request by somebody who is logged in; `form` where one was sent."""

    request: Request
    session: Session
    principal: Principal
    form: FormData

    @property
    def job(self) -> str:
        return str(self.request.path_params["job"])

    @property
    def number(self) -> int:
        return int(self.request.path_params["number"])

    @property
    def viewer(self) -> Viewer:
        return Viewer(principal=self.principal, form_key=self.session.form_key)


_Answer = Callable[[_Asked], Awaitable[Response]]


class _Desk:
    """The answers."""

    def __init__(self, page: Page) -> None:
        self._page, self._views = page, page.views
        self._orders, self._reviewing = page.orders, page.reviewing
        self._sessions = Sessions()

    # --- who may come

    def guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Endpoint:
        """What is refused is said on a page."""

        async def guarded(request: Request) -> Response:
            try:
                return await answer(request)
            except AuthenticationError:
                return self._to("login")
            except LoupeError as error:
                status = next(code for kind, code in _STATUS if isinstance(error, kind))
                if status >= 500:
                    _LOG.error("not answered", path=request.url.path, why=str(error))
                return _html(self._views.complaint(self._viewer(request), status, str(error)), status)

        return guarded

    def seen(self, answer: _Answer) -> Endpoint:
        """For those who design or review."""

        async def seen(request: Request) -> Response:
            session, principal = await self._known(request)
            return await answer(_Asked(request, session, principal, FormData()))

        return self.guarded(seen)

    def sent(self, answer: _Answer) -> Endpoint:
        """For forms of our own pages."""

        async def sent(request: Request) -> Response:
            session, principal = await self._known(request)
            async with self._form(request) as form:
                if not session.fits(text(form, "form_key", most=128)):
                    raise PermissionDeniedError(
                        "design or review", "form", found="a form of another page or session"
                    )
                return await answer(_Asked(request, session, principal, form))

        return self.guarded(sent)

    async def _known(self, request: Request) -> tuple[Session, Principal]:
        session = self._sessions.find(request.cookies.get(COOKIE, ""))
        if session is None:
            raise AuthenticationError("page: expected a login, found none")
        principal = await self._page.identify(session.credential)
        principal.require_user(Role.DESIGN, Role.REVIEW, what="page")
        return session, principal

    @asynccontextmanager
    async def _form(self, request: Request) -> AsyncIterator[FormData]:
        """A form of our own, of a size that is known before it is read."""
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            raise PermissionDeniedError("design or review", "form", found="a form of another site")
        length = request.headers.get("content-length", "")
        most = _FORM_FILES * self._page.max_bytes + _ROOM
        if not length.isdecimal() or int(length) > most:
            raise InputError(f"form: expected at most {most} bytes, found {length or 'no length'}")
        async with request.form(max_files=_FORM_FILES, max_fields=_MANY, max_part_size=_ROOM) as form:
            yield form

    def _viewer(self, request: Request) -> Viewer:
        session = self._sessions.find(request.cookies.get(COOKIE, ""))
        return Viewer(form_key="" if session is None else session.form_key)

    async def login(self, request: Request) -> Response:
        if request.method == "GET":
            return _html(self._views.login())
        async with self._form(request) as form:
            credential = text(form, "token", most=256)
        try:
            principal = await self._page.identify(credential)
            principal.require_user(Role.DESIGN, Role.REVIEW, what="page")
        except (AuthenticationError, PermissionDeniedError) as error:
            return _html(self._views.login(str(error)), 403)
        session = self._sessions.open(credential)
        response = self._to("")
        secure = (
            request.headers.get("x-forwarded-proto") == "https"
        )  # a proxy on this machine, see `Page.hosts`
        response.set_cookie(
            COOKIE,
            session.id,
            max_age=int(LASTS_S),
            path=PATH,
            httponly=True,
            samesite="strict",
            secure=secure,
        )
        return response

    async def logout(self, asked: _Asked) -> Response:
        self._sessions.close(asked.session.id)
        response = self._to("login")
        response.delete_cookie(COOKIE, path=PATH)
        return response

    # --- what is shown

    async def jobs(self, asked: _Asked) -> Response:
        chosen = asked.request.query_params.get("show", "")
        wanted = Wanted(
            requester=asked.principal.user if chosen == "mine" else None,
            holding=State.IN_REVIEW if chosen == "review" else None,
            limit=_PAGE,
        )
        found = await self._orders.list(wanted, after=asked.request.query_params.get("after", ""))
        return _html(
            self._views.jobs(
                asked.viewer, found, chosen=chosen, request_id=uuid.uuid4().hex, more=len(found) == _PAGE
            )
        )

    async def job(self, asked: _Asked) -> Response:
        shown = await self._orders.show(asked.job)
        return _html(self._views.job(asked.viewer, shown, await self._orders.events(asked.job)))

    async def live(self, asked: _Asked) -> Response:
        shown = await self._orders.show(asked.job)
        if asked.request.query_params.get("seen") == str(shown.job.revision):
            return Response(status_code=204, headers=_HEADERS)
        return _html(self._views.live(asked.viewer, shown, await self._orders.events(asked.job)))

    async def photo(self, asked: _Asked) -> Response:
        job: Job = (await self._orders.show(asked.job)).job
        return await self._handed_in(job.photo_sha256)

    async def style(self, asked: _Asked) -> Response:
        job: Job = (await self._orders.show(asked.job)).job
        if job.style_sha256 is None:
            raise NotFoundError("style: expected a style picture of this order, found none")
        return await self._handed_in(job.style_sha256)

    async def _handed_in(self, sha256: str) -> Response:
        data = await self._orders.picture(sha256)
        kind = read_header(data, limits=ImageLimits(max_bytes=len(data))).format
        return Response(data, media_type=f"image/{kind.lower()}", headers=_HEADERS | _KEPT)

    async def progress(self, asked: _Asked) -> Response:
        preview = await self._orders.preview(asked.job)
        if not preview:
            raise NotFoundError("preview: expected one, found that nothing is being made")
        return Response(preview, media_type="image/jpeg", headers=_HEADERS)

    async def picture(self, asked: _Asked) -> Response:
        field, kind = _PICTURES.get(str(asked.request.path_params["picture"]), ("", ""))
        shown = await self._orders.show(asked.job)
        found = next((one for one in shown.candidates if one.number == asked.number), None)
        sha256 = getattr(found, field, None) if field else None
        if not isinstance(sha256, str):
            raise NotFoundError("picture: expected one of a candidate that was made, found none")
        return Response(await self._orders.picture(sha256), media_type=kind, headers=_HEADERS | _KEPT)

    # --- what is done

    async def order(self, asked: _Asked) -> Response:
        asked.principal.require(Role.DESIGN, what="order")
        shown, _ = await self._orders.place(await order_from(asked.form), asked.principal)
        return self._to(f"jobs/{shown.job.id}")

    async def cancel(self, asked: _Asked) -> Response:
        asked.principal.require(Role.DESIGN, what="cancel")
        await self._orders.cancel(asked.job, asked.principal)
        return self._to(f"jobs/{asked.job}")

    async def decide(self, asked: _Asked) -> Response:
        decision = decision_from(asked.form, asked.job, asked.number, str(asked.request.path_params["act"]))
        if decision is None:
            raise NotFoundError("decision: expected propose, approve or reject, found none of these")
        await self._reviewing.decide(decision, asked.principal)
        return self._to(f"jobs/{asked.job}#candidate-{asked.number}")

    async def export(self, asked: _Asked) -> Response:
        rule_set = text(asked.form, "rule_set", most=64)
        sent = await self._reviewing.export(asked.job, asked.number, rule_set, asked.principal)
        suffix = {"JPEG": "jpg", "TIFF": "tif"}.get(sent.format, sent.format.lower())
        name = f"{asked.job[:8]}-{asked.number}-{rule_set or 'image'}.{suffix}"
        disposition: Mapping[str, str] = {"Content-Disposition": f'attachment; filename="{_plain(name)}"'}
        return Response(
            sent.data, media_type=f"image/{sent.format.lower()}", headers={**_HEADERS, **disposition}
        )

    def _to(self, place: str) -> Response:
        return RedirectResponse(f"{PATH}/{place}", status_code=303, headers=_HEADERS)


def _html(content: str, status: int = 200) -> Response:
    return HTMLResponse(content, status_code=status, headers=_HEADERS)


def _plain(name: str) -> str:
    return "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in ".-") else "-" for letter in name
    )
