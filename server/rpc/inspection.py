"""`InspectionService`: judging parts, and hearing what people found."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from server.auth import Role
from server.batching import Lane
from server.inspecting import Inspecting, Order, Outcome
from server.loading import Identity
from server.models import Models
from server.once import Question
from server.records import Records
from server.reviewing import Reviewing
from server.rpc import dispositions, rules
from server.rpc.asking import in_order_of_completion, lane_of, question_of
from server.rpc.calls import Context, current_call, log_fault
from server.rpc.status import status_of
from server.rpc.verdicts import Verdicts
from vision.inspection.policy import fallback
from vision.v1 import inspection_pb2, inspection_pb2_grpc

_INSPECT: Final = "Inspect"  # one namespace of request ids for both forms of asking
_USUAL_REVIEWS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionServices:
    """What the calls are carried out by.

    Attributes:
        reject_unjudged: reject the parts that come while no model is served, instead of sending them to review.
    """

    models: Models
    inspecting: Inspecting
    records: Records
    reviewing: Reviewing
    verdicts: Verdicts
    reject_unjudged: bool


class InspectionRpc(inspection_pb2_grpc.InspectionServiceServicer):
    """Over the served models and the kept results."""

    def __init__(self, services: InspectionServices) -> None:
        self._models, self._inspecting = services.models, services.inspecting
        self._records, self._reviewing = services.records, services.reviewing
        self._verdicts = services.verdicts
        self._reject_unjudged = services.reject_unjudged

    @override
    async def Inspect(
        self, request: inspection_pb2.InspectRequest, context: Context
    ) -> inspection_pb2.InspectResponse:
        return await self._inspect(request)

    @override
    async def InspectStream(
        self, request_iterator: AsyncIterator[inspection_pb2.InspectRequest], context: Context
    ) -> AsyncIterator[inspection_pb2.InspectStreamResponse]:
        async with aclosing(in_order_of_completion(request_iterator, self._outcome)) as answers:
            async for answer in answers:
                yield answer

    @override
    async def SubmitDisposition(
        self, request: inspection_pb2.SubmitDispositionRequest, context: Context
    ) -> inspection_pb2.SubmitDispositionResponse:
        by = _person("SubmitDisposition")
        await self._reviewing.dispose(request.result_id, label=request.label, by=by, note=request.note)
        return inspection_pb2.SubmitDispositionResponse(by=by)

    @override
    async def ListReviews(
        self, request: inspection_pb2.ListReviewsRequest, context: Context
    ) -> inspection_pb2.ListReviewsResponse:
        _person("ListReviews")
        rows = await self._reviewing.pending(request.model, request.limit or _USUAL_REVIEWS)
        return inspection_pb2.ListReviewsResponse(reviews=map(dispositions.pending_to_wire, rows))

    @override
    async def ExportDispositions(
        self, request: inspection_pb2.ExportDispositionsRequest, context: Context
    ) -> AsyncIterator[inspection_pb2.ExportDispositionsResponse]:
        _person("ExportDispositions")
        async for row, found in self._reviewing.found(request.model):
            yield inspection_pb2.ExportDispositionsResponse(
                disposition=dispositions.disposition_to_wire(row, found)
            )
        rate = await self._reviewing.escape_rate(request.model)
        if rate is not None:
            yield inspection_pb2.ExportDispositionsResponse(
                escape_rate=dispositions.escape_rate_to_wire(rate)
            )

    async def _outcome(self, request: inspection_pb2.InspectRequest) -> inspection_pb2.InspectStreamResponse:
        try:
            rules.check(request)
            response = await self._inspect(request)
        except Exception as error:  # noqa: BLE001  (the boundary: one failed part does not end the stream)
            log_fault(error)
            return inspection_pb2.InspectStreamResponse(
                request_id=request.request_id, error=status_of(error, request_id=current_call().log_id)
            )
        return inspection_pb2.InspectStreamResponse(request_id=request.request_id, response=response)

    async def _inspect(self, request: inspection_pb2.InspectRequest) -> inspection_pb2.InspectResponse:
        question, deadline = question_of(_INSPECT, request), current_call().deadline

        async def answer() -> bytes:
            return (await self._judge(request, question, deadline)).SerializeToString()

        if not question.request_id:
            return await self._judge(request, question, deadline)
        given, repeated = await self._records.once(question, answer)
        response = inspection_pb2.InspectResponse.FromString(given)
        response.repeated_answer = repeated
        return response

    async def _judge(
        self, request: inspection_pb2.InspectRequest, question: Question, deadline: float
    ) -> inspection_pb2.InspectResponse:
        if not self._models.judging:
            verdict = fallback("no model is served", reject=self._reject_unjudged)
            outcome = Outcome(model=Identity(), verdict=verdict, total_ms=0.0)
            return await self._verdicts.kept(request, question, outcome)
        model = self._models.inspection(request.model)
        judged = await self._inspecting.judge(
            model,
            Order(
                image=request.image,
                deadline=deadline,
                lane=lane_of(request.priority, usual=Lane.LINE),
                explain=request.explain,
                heatmap=request.heatmap,
            ),
        )
        return await self._verdicts.kept(request, question, judged.outcome, judged)


def _person(what: str) -> str:
    """The name of the person whose token this is; callers without a token are nobody."""
    principal = current_call().principal
    principal.require_user(Role.REVIEW, what=what)
    return principal.user
