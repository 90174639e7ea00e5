"""Verdicts as answers, counted and kept, whichever service gives them."""

from server.inspecting import Judged, Outcome, Stages
from server.metrics import Metrics
from server.once import Question
from server.records import Records
from server.rpc.models import reference
from server.tracing import TRACER
from vision import wire
from vision.v1 import inspection_pb2


class Verdicts:
    """Over what is kept."""

    def __init__(self, records: Records, metrics: Metrics) -> None:
        self._records, self._metrics = records, metrics

    async def kept(
        self,
        request: inspection_pb2.InspectRequest,
        question: Question,
        outcome: Outcome,
        judged: Judged | None = None,
    ) -> inspection_pb2.InspectResponse:
        """The answer that holds, once it is kept; `judged` is absent where no model was there."""
        verdict = outcome.verdict
        if judged is not None:
            count_stages(self._metrics, judged.model.name, judged.stages)
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


def count_stages(metrics: Metrics, model: str, stages: Stages) -> None:
    metrics.batch(model, stages.batch)
    for stage, milliseconds in (
        ("queue", stages.queue_ms),
        ("decode", stages.decode_ms),
        ("model", stages.model_ms),
    ):
        metrics.stage(model, stage, milliseconds)


def timings(stages: Stages) -> inspection_pb2.Timings:
    return inspection_pb2.Timings(
        queue_ms=stages.queue_ms,
        decode_ms=stages.decode_ms,
        model_ms=stages.model_ms,
        total_ms=stages.total_ms,
        batch=stages.batch,
    )


def _add_evidence(
    response: inspection_pb2.InspectResponse, request: inspection_pb2.InspectRequest, judged: Judged
) -> None:
    """What a model's answer has beside the verdict."""
    response.timings.CopyFrom(timings(judged.stages))
    response.heatmap_png = judged.heatmap_png
    if judged.explanation is not None:
        response.explanation.CopyFrom(wire.explanation_to_wire(judged.explanation))
    if request.embedding:
        response.embedding.extend(judged.inspection.prediction.embedding.tolist())
