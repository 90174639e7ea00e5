"""Orders of images as the server takes them: checked, placed once, looked at, watched, cancelled.

It knows neither the wire nor the page; who asks, its caller says.
"""

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from typing import Any, Final

from sqlalchemy import Connection

from server.auth import Principal
from server.imagery.ports import Desk
from server.imagery.waivers import waiver_of
from server.storage.blobs import Blobs
from server.storage.imagery_books import ImageryBooks, waived
from server.storage.imagery_books import Waiver as WaiverRow
from server.storage.imagery_events import ImageryEvents
from server.storage.imagery_jobs import Candidate, ImageryJobs, Job, Order, Wanted
from vision.errors import PermissionDeniedError
from vision.image import ImageLimits, read_header
from vision.imagery.brief import Brief, check_style
from vision.imagery.cutout.mask import check_mask
from vision.imagery.labels.waiver import Waiver
from vision.imagery.review import Event, State

_LOOK_EVERY_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody orders; empty fields as `vision.v1.CreateJobRequest` has them."""

    brief: Brief
    photo: bytes = field(repr=False)
    mask: bytes | None = field(default=None, repr=False)
    style: bytes | None = field(default=None, repr=False)
    name: str = ""
    policy: str = ""
    waiver: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A job as people see it.

    Attributes:
        seconds: device-seconds by candidate.
    """

    job: Job
    candidates: Sequence[Candidate]
    seconds: Mapping[int, float]


class Orders:
    """The server's side of the queue.

    Args:
        limits: of photos, masks and style pictures.
    """

    def __init__(
        self,
        jobs: ImageryJobs,
        events: ImageryEvents,
        books: ImageryBooks,
        blobs: Blobs,
        desk: Desk,
        limits: ImageLimits,
    ) -> None:
        self._jobs, self._events, self._books = jobs, events, books
        self._blobs, self._desk, self._limits = blobs, desk, limits

    async def place(self, asked: Asked, by: Principal) -> tuple[Shown, bool]:
        """Place an order; gives it, and whether it had been placed before under its request id.

        Raises:
            ImageError: photo, mask or style picture is no picture, or outside the limits.
            InputError: the mask does not fit the photo; the style picture is not the brief's; a rule set, label policy or scene model is unknown, or they contradict each other; or the id
                was used for another order.
            PermissionDeniedError: a waiver is asked for by nobody in particular.
            StorageError: it was not kept.
        """
        job, repeated = await asyncio.to_thread(self._place, asked, by)
        return await self.show(job.id), repeated

    def _place(self, asked: Asked, by: Principal) -> tuple[Job, bool]:
        brief = asked.brief.carried_out()
        photo = read_header(asked.photo, name="photo", limits=self._limits)
        if asked.mask is not None:
            read_header(asked.mask, name="mask", limits=self._limits)
            check_mask(asked.mask, photo.size_wh)
        check_style(brief, asked.style)
        if asked.style is not None:
            read_header(asked.style, name="style", limits=self._limits)
        requester, now = user_of(by), datetime.now(UTC)
        if asked.waiver and not requester:
            raise PermissionDeniedError("design", "a waiver of the visible label", found="no token")
        waiver = waiver_of(requester, asked.waiver, now) if asked.waiver else None
        policy = self._desk.policy(asked.policy, waiver)
        self._desk.check_order(brief, policy, asked.photo)
        order = Order(
            id=uuid.uuid4().hex,
            requester=requester,
            request_id=asked.request_id,
            payload_sha256=_digest(asked),
            name=asked.name.strip() or brief.title[:60],
            brief=brief.model_dump(mode="json"),
            generator=brief.generator,
            count=brief.count,
            policy=policy,
            photo_sha256=self._blobs.put(asked.photo),
            mask_sha256=None if asked.mask is None else self._blobs.put(asked.mask),
            style_sha256=None if asked.style is None else self._blobs.put(asked.style),
            created_at=now,
        )

        def beside(connection: Connection) -> None:
            if waiver is not None:
                waived(connection, _row(order.id, waiver))

        return self._jobs.place(order, beside)

    async def show(self, job_id: str) -> Shown:
        """One job.

        Raises:
            NotFoundError: there is none of that id.
        """
        return await asyncio.to_thread(self._show, job_id)

    def _show(self, job_id: str) -> Shown:
        # the job first: what is read after it is at least as new, so that a watcher misses nothing
        job = self._jobs.find(job_id)
        return Shown(job=job, candidates=self._jobs.candidates(job_id), seconds=self._books.seconds(job_id))

    async def list(self, wanted: Wanted, *, after: str = "") -> Sequence[tuple[Job, Sequence[State]]]:
        """Some jobs, the newest first, with their candidates' states.

        Args:
            after: the last job of the page before.

        Raises:
            NotFoundError: there is no such job.
        """
        return await asyncio.to_thread(self._list, wanted, after)

    def _list(self, wanted: Wanted, after: str) -> Sequence[tuple[Job, Sequence[State]]]:
        if after:
            last = self._jobs.find(after)
            wanted = replace(wanted, before=(last.created_at, last.id))
        jobs = self._jobs.all(wanted)
        states = self._jobs.states([job.id for job in jobs])
        return [(job, states[job.id]) for job in jobs]

    async def watch(self, job_id: str) -> AsyncGenerator[Shown, None]:
        """A job as it is, and again whenever it has changed, until it has ended.

        Raises:
            NotFoundError: there is none of that id.
        """
        seen = 0
        while True:
            if await asyncio.to_thread(self._jobs.revision, job_id) != seen:
                shown = await self.show(job_id)
                seen = shown.job.revision
                yield shown
                if shown.job.state.ended:
                    return
            elif seen == 0:
                await self.show(job_id)  # raises: there is none
            await asyncio.sleep(_LOOK_EVERY_S)

    async def cancel(self, job_id: str, by: Principal) -> Shown:
        """Have a job stopped.

        Raises:
            NotFoundError: there is none of that id.
        """
        await asyncio.to_thread(self._jobs.cancel, job_id, user_of(by), datetime.now(UTC))
        return await self.show(job_id)

    async def events(self, job_id: str, number: int | None = None) -> Sequence[tuple[int, Event]]:
        """What happened to a job's candidates, the oldest first."""
        return await asyncio.to_thread(self._events.of, job_id, number)

    async def picture(self, sha256: str) -> bytes:
        """A kept picture.

        Raises:
            NotFoundError: it is not here, or no longer.
        """
        return await asyncio.to_thread(self._blobs.get, sha256)

    async def preview(self, job_id: str) -> bytes:
        """Of the candidate that is being made; empty where nothing was shown yet."""
        return await asyncio.to_thread(self._jobs.preview, job_id)


def user_of(by: Principal) -> str:
    """The user by whom an order is placed or an image reviewed; empty where nobody in particular asks."""
    return by.user if by.token_id is not None else ""


def _row(job_id: str, waiver: Waiver) -> WaiverRow:
    return WaiverRow(
        job_id=job_id,
        at=waiver.at,
        by_user=waiver.user,
        reason=waiver.reason,
        keep_until=datetime.combine(waiver.keep_until, time.max, UTC),
    )


def _digest(asked: Asked) -> str:
    told: dict[str, Any] = {
        "brief": asked.brief.model_dump(mode="json"),
        "photo": hashlib.sha256(asked.photo).hexdigest(),
        "mask": None if asked.mask is None else hashlib.sha256(asked.mask).hexdigest(),
        **{name: getattr(asked, name) for name in ("name", "policy", "waiver")},
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
