"""`ImageryService`: images ordered, watched, reviewed and exported."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from math import isqrt
from typing import Final

from typing_extensions import override

from server.batching import Lane
from server.decoding import DecodePool
from server.imagery.orders import Orders
from server.imagery.ports import Desk
from server.imagery.reviewing import Decision, Reviewing
from server.rpc import images
from server.rpc.calls import Context, current_call
from server.storage.imagery_jobs import Wanted
from vision.errors import NotFoundError
from vision.imagery.difference import smaller
from vision.v1 import imagery_pb2, imagery_pb2_grpc

_USUAL_JOBS: Final = 50
_MAPS_BYTES: Final = 6 * 2**20  # of all difference maps in a message, were they not compressed at all
_MAP_PX: Final = 768  # as previews are


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageryServices:
    """What the calls are carried out by.

    Attributes:
        checking: of one thread: text is read in one picture at a time, and those who wait for that keep no photo of a line waiting.
    """

    orders: Orders
    reviewing: Reviewing
    desk: Desk
    checking: DecodePool


class ImageryRpc(imagery_pb2_grpc.ImageryServiceServicer):
    """Over the orders of images; who makes them, it does not know."""

    def __init__(self, services: ImageryServices) -> None:
        self._do = services

    @override
    async def CreateJob(
        self, request: imagery_pb2.CreateJobRequest, context: Context
    ) -> imagery_pb2.CreateJobResponse:
        asked = images.asked_from_wire(request)
        shown, repeated = await self._do.orders.place(asked, current_call().principal)
        return imagery_pb2.CreateJobResponse(job=images.job_to_wire(shown), repeated_answer=repeated)

    @override
    async def GetJob(
        self, request: imagery_pb2.GetJobRequest, context: Context
    ) -> imagery_pb2.GetJobResponse:
        shown = await self._do.orders.show(request.job_id)
        message, alpha = images.job_to_wire(shown), b""
        if request.pictures:
            side_px = min(_MAP_PX, isqrt(_MAPS_BYTES // (3 * max(len(message.candidates), 1))))
            for candidate, told in zip(shown.candidates, message.candidates, strict=True):
                told.preview_jpeg = await self._picture(candidate.preview_sha256)
                told.difference_png = await self._map(candidate.difference_sha256, side_px)
            alpha = await self._picture(
                next((one.alpha_sha256 for one in shown.candidates if one.alpha_sha256), None)
            )
        events = images.events_to_wire(await self._do.orders.events(request.job_id))
        return imagery_pb2.GetJobResponse(job=message, events=events, alpha_png=alpha)

    @override
    async def ListJobs(
        self, request: imagery_pb2.ListJobsRequest, context: Context
    ) -> imagery_pb2.ListJobsResponse:
        wanted = Wanted(
            state=images.job_state_from_wire(request.state),
            requester=request.requester or None,
            holding=images.state_from_wire(request.holding),
            limit=request.limit or _USUAL_JOBS,
        )
        found = await self._do.orders.list(wanted, after=request.after)
        return imagery_pb2.ListJobsResponse(jobs=[images.listed_to_wire(*one) for one in found])

    @override
    async def WatchJob(
        self, request: imagery_pb2.WatchJobRequest, context: Context
    ) -> AsyncIterator[imagery_pb2.WatchJobResponse]:
        async with aclosing(self._do.orders.watch(request.job_id)) as changes:
            async for shown in changes:
                preview = await self._do.orders.preview(request.job_id) if request.previews else b""
                yield imagery_pb2.WatchJobResponse(job=images.job_to_wire(shown), preview_jpeg=preview)

    @override
    async def CancelJob(
        self, request: imagery_pb2.CancelJobRequest, context: Context
    ) -> imagery_pb2.CancelJobResponse:
        shown = await self._do.orders.cancel(request.job_id, current_call().principal)
        return imagery_pb2.CancelJobResponse(job=images.job_to_wire(shown))

    @override
    async def CheckCompliance(
        self, request: imagery_pb2.CheckComplianceRequest, context: Context
    ) -> imagery_pb2.CheckComplianceResponse:
        reports = await self._do.checking.run(
            lambda: self._do.desk.check(request.image, tuple(request.rule_sets)),
            deadline=current_call().deadline,
            lane=Lane.BULK,
        )
        return imagery_pb2.CheckComplianceResponse(reports=[images.report_to_wire(one) for one in reports])

    @override
    async def Review(
        self, request: imagery_pb2.ReviewRequest, context: Context
    ) -> imagery_pb2.ReviewResponse:
        decision = Decision(
            job_id=request.job_id,
            number=request.number,
            act=images.action_from_wire(request.action),
            reason=request.reason,
        )
        candidate = await self._do.reviewing.decide(decision, current_call().principal)
        shown = await self._do.orders.show(request.job_id)
        events = await self._do.orders.events(request.job_id, request.number)
        return imagery_pb2.ReviewResponse(
            candidate=images.candidate_to_wire(
                candidate,
                seed=shown.job.brief["seed"],
                seconds=shown.seconds.get(candidate.number, 0.0),
            ),
            events=images.events_to_wire(events),
        )

    @override
    async def Export(
        self, request: imagery_pb2.ExportRequest, context: Context
    ) -> imagery_pb2.ExportResponse:
        principal = current_call().principal
        sent = await self._do.reviewing.export(request.job_id, request.number, request.rule_set, principal)
        return images.sent_to_wire(sent)

    async def _picture(self, sha256: str | None) -> bytes:
        """None of a draft, and none where it is gone."""
        if sha256 is None:
            return b""
        try:
            return await self._do.orders.picture(sha256)
        except NotFoundError:
            return b""

    async def _map(self, sha256: str | None, most_px: int) -> bytes:
        """As small as a message can hold: of masters of 4096 px each takes megabytes."""
        picture = await self._picture(sha256)
        if not picture:
            return b""
        return await asyncio.to_thread(smaller, picture, most_px)
