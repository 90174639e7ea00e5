"""`InspectionService`: judging parts, and hearing what people found."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from server.auth import Role
from server.batching import Lane
from server.inspecting import Inspecting, Judged, Order, Outcome
from server.loading import Identity
from server.metrics import Metrics
from server.models import Models
from server.once import Question, payload_digest
from server.records import Records
from server.reviewing import Reviewing
from server.rpc import dispositions, rules
from server.rpc.calls import Context, current_call, log_fault
from server.rpc.models import reference
from server.rpc.status import status_of
from server.tracing import TRACER
from vision import wire
from vision.inspection.policy import fallback
from vision.v1 import inspection_pb2, inspection_pb2_grpc

_INSPECT: Final = "Inspect"  # one namespace of request ids for both forms of asking
_LANES: Final[Mapping[int, Lane]] = {
    inspection_pb2.PRIORITY_UNSPECIFIED: Lane.LINE,
    inspection_pb2.PRIORITY_LINE: Lane.LINE,
    inspection_pb2.PRIORITY_CATALOG: Lane.CATALOG,
    inspection_pb2.PRIORITY_BULK: Lane.BULK,
}
_USUAL_REVIEWS: Final = 50
_IN_FLIGHT: Final = 16  # of one stream; more are read from the socket only as answers leave


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
    metrics: Metrics
    reject_unjudged: bool


class InspectionRpc(inspection_pb2_grpc.InspectionServiceServicer):
    """Over the served models and the kept results."""

    def __init__(self, services: InspectionServices) -> None:
        self._models, self._inspecting = services.models, services.inspecting
        self._records, self._reviewing = services.records, services.reviewing
        self._metrics, self._reject_unjudged = services.metrics, services.reject_unjudged

    @override
    async def Inspect(
        self, request: inspection_pb2.InspectRequest, context: Context
    ) -> inspection_pb2.InspectResponse:
        return await self._inspect(request)

    @override
    async def InspectStream(
        self, request_iterator: AsyncIterator[inspection_pb2.InspectRequest], context: Context
    ) -> AsyncIterator[inspection_pb2.InspectStreamResponse]:
        answers: asyncio.Queue[inspection_pb2.InspectStreamResponse | None] = asyncio.Queue(1)
        places = asyncio.Semaphore(_IN_FLIGHT)

        async def one(request: inspection_pb2.InspectRequest) -> None:
            try:
                await answers.put(await self._outcome(request))
            finally:
                places.release()

        async def read() -> None:
            broken: Exception | None = None
            async with asyncio.TaskGroup() as group:
                try:
                    async for request in request_iterator:
                        await places.acquire()
                        group.create_task(one(request))
                except Exception as error:  # noqa: BLE001  (raised again when what came before it is answered)
                    broken = error
            await answers.put(None)
            if broken is not None:
                raise broken

        reading = asyncio.create_task(read())
        try:
            while (answer := await answers.get()) is not None:
                yield answer
            await reading
        finally:
            reading.cancel()  # the caller has left: what is under way costs nothing more

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
        call = current_call()
        payload = request.SerializeToString(deterministic=True) if request.request_id else b""
        question = Question(
            principal=call.principal.token_id or call.principal.user,
            method=_INSPECT,
            request_id=request.request_id,
            payload_sha256=payload_digest(payload) if payload else "",
        )

        async def answer() -> bytes:
            return (await self._judge(request, question, call.deadline)).SerializeToString()

        if not question.request_id:
            return await self._judge(request, question, call.deadline)
        given, repeated = await self._records.once(question, answer)
        response = inspection_pb2.InspectResponse.FromString(given)
        response.repeated_answer = repeated
        return response

    async def _judge(
        self, request: inspection_pb2.InspectRequest, question: Question, deadline: float
    ) -> inspection_pb2.InspectResponse:
        if not self._models.judging:
            verdict = fallback("no model is served", reject=self._reject_unjudged)
            return await self._kept(
                request, question, Outcome(model=Identity(), verdict=verdict, total_ms=0.0)
            )
        model = self._models.inspection(request.model)
        judged = await self._inspecting.judge(
            model,
            Order(
                image=request.image,
                deadline=deadline,
                lane=_LANES[request.priority],
                explain=request.explain,
                heatmap=request.heatmap,
            ),
        )
        self._time(judged)
        return await self._kept(request, question, judged.outcome, judged)

    async def _kept(
        self,
        request: inspection_pb2.InspectRequest,
        question: Question,
        outcome: Outcome,
        judged: Judged | None = None,
    ) -> inspection_pb2.InspectResponse:
        """The answer that holds, once it is kept; `judged` is absent where no model was there."""
        verdict = outcome.verdict
        self._metrics.verdict(
            outcome.model.name, decision=verdict.decision.value, reason=verdict.reason.value
        )
        keeping = self._records.choose(outcome)
        response = inspection_pb2.InspectResponse(
            request_id=request.request_id,
            result_id=keeping.result_id,
            verdict=wire.verdict_to_wire(verdict),
            model=reference(outcome.model),
        )
        if judged is not None:
            _add_evidence(response, request, judged)
        answer = response.SerializeToString() if question.request_id else b""
        with TRACER.start_as_current_span("keep"):
            holds = await self._records.keep(
                keeping, question, outcome, image=request.image, part=request.part, answer=answer
            )
        return response if holds == answer else inspection_pb2.InspectResponse.FromString(holds)

    def _time(self, judged: Judged) -> None:
        stages, name = judged.stages, judged.model.name
        self._metrics.batch(name, stages.batch)
        for stage, milliseconds in (
            ("queue", stages.queue_ms),
            ("decode", stages.decode_ms),
            ("model", stages.model_ms),
        ):
            self._metrics.stage(name, stage, milliseconds)


def _person(what: str) -> str:
    """The name of the person whose token this is; callers without a token are nobody."""
    principal = current_call().principal
    principal.require_user(Role.REVIEW, what=what)
    return principal.user


def _add_evidence(
    response: inspection_pb2.InspectResponse, request: inspection_pb2.InspectRequest, judged: Judged
) -> None:
    """What a model's answer has beside the verdict."""
    stages = judged.stages
    response.timings.CopyFrom(
        inspection_pb2.Timings(
            queue_ms=stages.queue_ms,
            decode_ms=stages.decode_ms,
            model_ms=stages.model_ms,
            total_ms=stages.total_ms,
            batch=stages.batch,
        )
    )
    response.heatmap_png = judged.heatmap_png
    if judged.explanation is not None:
        response.explanation.CopyFrom(wire.explanation_to_wire(judged.explanation))
    if request.embedding:
        response.embedding.extend(judged.inspection.prediction.embedding.tolist())
