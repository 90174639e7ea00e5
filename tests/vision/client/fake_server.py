"""A server that answers from a script, over real gRPC on loopback.

Each request takes the next step of the script; where the script has ended, it is judged. `received` and `metadata` hold what came,
in its order.
"""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from typing_extensions import override

from vision.v1 import common_pb2, inspection_pb2, models_pb2, models_pb2_grpc
from vision.v1.inspection_pb2_grpc import InspectionServiceServicer, add_InspectionServiceServicer_to_server

Context = Any
MODEL = models_pb2.ModelRef(name="plates", version="1.0", digest="d" * 64, file="model.onnx")
CERTIFICATE = "at most 1% of defective parts are accepted"


def verdict(label: str = "good") -> common_pb2.Verdict:
    good = label == "good"
    return common_pb2.Verdict(
        decision=common_pb2.DECISION_ACCEPT if good else common_pb2.DECISION_REJECT,
        reason=common_pb2.REASON_CONFIDENT,
        detail=f"it looks {label}",
        probability=0.01 if good else 0.99,
        label=label,
        probabilities={label: 0.99, "other": 0.01},
        novelty=0.5,
        certified=True,
    )


def judged(
    request: inspection_pb2.InspectRequest, *, repeated: bool = False
) -> inspection_pb2.InspectResponse:
    """A picture is what its bytes say: `good`, `red`, ..."""
    label = request.image[:8].decode("ascii", "replace")
    response = inspection_pb2.InspectResponse(
        request_id=request.request_id,
        result_id=f"result of {label}",
        verdict=verdict(label),
        model=MODEL,
        timings=inspection_pb2.Timings(queue_ms=1, decode_ms=2, model_ms=3, total_ms=7, batch=4),
        embedding=[0.5, 1.5] if request.embedding else [],
        heatmap_png=b"\x89PNG of " + request.image if request.heatmap else b"",
        repeated_answer=repeated,
    )
    if request.explain:
        response.explanation.CopyFrom(
            common_pb2.Explanation(
                defect="red",
                region=common_pb2.Box(left=1, top=2, right=3, bottom=4),
                log_odds=4.5,
                contribution=4.25,
                counterfactual=verdict(),
            )
        )
    return response


@dataclass(frozen=True)
class Judge:
    """Answer, after a while where one is given."""

    repeated: bool = False
    after_s: float = 0.0

    def unary(
        self, request: inspection_pb2.InspectRequest, context: Context
    ) -> inspection_pb2.InspectResponse:
        if self.after_s:
            threading.Event().wait(self.after_s)
        return judged(request, repeated=self.repeated)

    def stream(
        self, request: inspection_pb2.InspectRequest, context: Context
    ) -> Iterator[inspection_pb2.InspectStreamResponse]:
        response = self.unary(request, context)
        yield inspection_pb2.InspectStreamResponse(request_id=request.request_id, response=response)


@dataclass(frozen=True)
class Refuse:
    """An error: of the call, or in a stream of this picture alone."""

    code: grpc.StatusCode
    message: str = "no"
    retry_after_s: float | None = None
    violations: tuple[tuple[str, str], ...] = ()

    def status(self) -> status_pb2.Status:
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        details: list[Any] = [error_details_pb2.RequestInfo(request_id="in the log")]
        if self.retry_after_s is not None:
            delay = Duration()
            delay.FromNanoseconds(round(1e9 * self.retry_after_s))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        if self.violations:
            details.append(
                error_details_pb2.BadRequest(
                    field_violations=[
                        error_details_pb2.BadRequest.FieldViolation(field=name, description=why)
                        for name, why in self.violations
                    ]
                )
            )
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status

    def unary(self, request: Any, context: Context) -> Any:
        context.set_trailing_metadata((("grpc-status-details-bin", self.status().SerializeToString()),))
        context.abort(self.code, self.message)

    def stream(self, request: Any, context: Context) -> Iterator[inspection_pb2.InspectStreamResponse]:
        yield inspection_pb2.InspectStreamResponse(request_id=request.request_id, error=self.status())


@dataclass(frozen=True)
class HangUp:
    """End the whole stream; without a code as if all were well."""

    code: grpc.StatusCode | None = grpc.StatusCode.UNAVAILABLE
    message: str = "going down"

    def stream(self, request: Any, context: Context) -> Iterator[inspection_pb2.InspectStreamResponse | None]:
        if self.code is not None:
            context.abort(self.code, self.message)
        yield None


@dataclass(frozen=True)
class Silence:
    """Say nothing to this picture, ever."""

    def unary(self, request: Any, context: Context) -> Any:
        gone = threading.Event()
        if context.add_callback(gone.set):
            gone.wait(30)

    def stream(self, request: Any, context: Context) -> Iterator[inspection_pb2.InspectStreamResponse]:
        yield from ()


@dataclass(frozen=True)
class Say:
    """These very messages, and then perhaps an error of the whole call."""

    messages: tuple[Any, ...]
    then: Refuse | None = None

    def unary(self, request: Any, context: Context) -> Any:
        return self.messages[0]

    def stream(self, request: Any, context: Context) -> Iterator[Any]:
        yield from self.messages
        if self.then is not None:
            self.then.unary(request, context)


Step = Judge | Refuse | HangUp | Silence | Say


@dataclass
class Script:
    """What will be said, and what was heard."""

    steps: deque[Any] = field(default_factory=deque)
    received: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    streams: int = 0
    refusal: Refuse | None = None  # of every stream, before its first picture

    def then(self, *steps: Step) -> None:
        self.steps.extend(steps)

    def next(self, request: Any) -> Any:
        self.received.append(request)
        return self.steps.popleft() if self.steps else Judge()

    def call(self, context: Context) -> None:
        self.metadata.append(dict(context.invocation_metadata()))


class _Inspection(InspectionServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    @override
    def Inspect(self, request: Any, context: Context) -> Any:
        self.script.call(context)
        return self.script.next(request).unary(request, context)

    @override
    def InspectStream(self, request_iterator: Iterator[Any], context: Context) -> Iterator[Any]:
        self.script.call(context)
        self.script.streams += 1
        if self.script.refusal is not None:
            self.script.refusal.unary(None, context)
        for request in request_iterator:
            for message in self.script.next(request).stream(request, context):
                if message is None:
                    return
                yield message

    @override
    def SubmitDisposition(self, request: Any, context: Context) -> Any:
        self.script.call(context)
        return self.script.next(request).unary(request, context)

    @override
    def ListReviews(self, request: Any, context: Context) -> Any:
        return self.script.next(request).unary(request, context)

    @override
    def ExportDispositions(self, request: Any, context: Context) -> Iterator[Any]:
        step = self.script.next(request)
        if isinstance(step, Refuse):
            step.unary(request, context)
        yield from step.stream(request, context)


def served_model(
    name: str = "plates",
    *,
    certificate: str = CERTIFICATE,
    state: models_pb2.ModelState = models_pb2.MODEL_STATE_READY,
    detail: str = "",
) -> models_pb2.Model:
    return models_pb2.Model(
        ref=models_pb2.ModelRef(name=name, version="1.0", digest="d" * 64, file="model.onnx"),
        state=state,
        detail=detail,
        labels=["good", "red"],
        good="good",
        width=64,
        height=32,
        certificate=certificate,
    )


class _Models(models_pb2_grpc.ModelServiceServicer):
    """Knows the models of the `models` list; the script is for refusals alone."""

    def __init__(self, script: Script, models: list[models_pb2.Model]) -> None:
        self.script, self.models = script, models

    def _refused(self, request: Any, context: Context) -> None:
        if self.script.steps and isinstance(self.script.steps[0], Refuse):
            self.script.next(request).unary(request, context)

    @override
    def ListModels(self, request: Any, context: Context) -> models_pb2.ListModelsResponse:
        self._refused(request, context)
        return models_pb2.ListModelsResponse(models=self.models)

    @override
    def LoadModel(self, request: Any, context: Context) -> models_pb2.LoadModelResponse:
        self._refused(request, context)
        self.models.append(served_model(request.name))
        return models_pb2.LoadModelResponse(model=self.models[-1])

    @override
    def UnloadModel(self, request: Any, context: Context) -> models_pb2.UnloadModelResponse:
        self._refused(request, context)
        self.models[:] = [model for model in self.models if model.ref.name != request.name]
        return models_pb2.UnloadModelResponse()


class FakeServer:
    """A running server.

    Args:
        credentials: for TLS; plain text where absent.
    """

    max_bytes = 17 * 1024 * 1024

    def __init__(self, *, credentials: grpc.ServerCredentials | None = None) -> None:
        self.script = Script()
        self.models = [served_model()]
        self._credentials = credentials
        self.port = 0
        self.start()

    def start(self) -> None:
        options = [("grpc.max_receive_message_length", self.max_bytes)]
        self._server = grpc.server(ThreadPoolExecutor(8), options=options)
        add_InspectionServiceServicer_to_server(_Inspection(self.script), self._server)  # type: ignore[no-untyped-call]  # generated
        models_pb2_grpc.add_ModelServiceServicer_to_server(_Models(self.script, self.models), self._server)  # type: ignore[no-untyped-call]  # as above
        where = f"127.0.0.1:{self.port}"
        if self._credentials is None:
            self.port = self._server.add_insecure_port(where)
        else:
            self.port = self._server.add_secure_port(where, self._credentials)
        self._server.start()

    def stop(self) -> None:
        self._server.stop(grace=None).wait()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"
