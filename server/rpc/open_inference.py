"""The open inference protocol, version 2: what clients of other model servers speak.

`ModelInfer` takes `image` as uint8 (N, H, W, 3), prepared as the bundle says, or as BYTES (N): encoded pictures, which are
prepared here. Of an inspection model it gives the graph's `logits`, `embedding` and `cam`, and beside them what Loupe makes of these:
`probability` of defect, `decision` and `reason`. Of a catalog model, which is asked of pictures alone here, `logits_LEVEL` and `embedding`,
and the `category` at the finest level with its `probability` and the answer's `status`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from server.auth import Role
from server.batching import Lane
from server.cataloguing import Cataloguing, Placed, Product
from server.cataloguing import Order as Placing
from server.inspecting import Inspecting, Judged, Order
from server.loading import CatalogModel, InspectionModel, Loaded
from server.models import Models
from server.rpc.calls import Context, current_call
from server.rpc.rules import FieldsError, Violation
from vision import session
from vision.errors import NotFoundError
from vision.inspection.policy import Verdict
from vision.preprocess import Prepared
from vision.v1 import open_inference_pb2 as wire
from vision.v1 import open_inference_pb2_grpc

Array = npt.NDArray[Any]

_MAX_PICTURES: Final = 64
_PRIORITIES: Final = {"line": Lane.LINE, "catalog": Lane.CATALOG, "bulk": Lane.BULK}


def _probability(verdict: Verdict) -> float:
    return float("nan") if verdict.probability is None else verdict.probability


@dataclass(frozen=True, slots=True)
class _Output:
    """Its datatype, its shape after the batch, and its value in an answer (a `Judged`, or a `Placed`)."""

    datatype: str
    shape: tuple[int, ...]
    value: Callable[[Any], Any]


_Outputs = dict[str, _Output]


def _outputs(model: Loaded) -> _Outputs:
    """By name, in order."""
    return _of_products(model) if isinstance(model, CatalogModel) else _of_parts(model)


def _of_parts(model: InspectionModel) -> _Outputs:
    return {
        "logits": _Output(
            "FP32", (len(model.inspector.labels),), lambda one: one.inspection.prediction.logits
        ),
        "embedding": _Output("FP32", (-1,), lambda one: one.inspection.prediction.embedding),
        "cam": _Output("FP32", (-1, -1, -1), lambda one: one.inspection.prediction.cam),
        "probability": _Output("FP64", (), lambda one: _probability(one.inspection.verdict)),
        "decision": _Output("BYTES", (), lambda one: one.inspection.verdict.decision.value.encode()),
        "reason": _Output("BYTES", (), lambda one: one.inspection.verdict.reason.value.encode()),
    }


def _of_products(model: CatalogModel) -> _Outputs:
    def logits(name: str) -> Callable[[Placed], Any]:
        return lambda one: one.predictions[0][name]

    categorizer = model.categorizer
    levels = {
        f"logits_{level}": _Output("FP32", (size,), logits(f"logits_{level}"))
        for level, size in zip(categorizer.spec.levels, categorizer.sizes, strict=True)
    }
    return levels | {
        "embedding": _Output("FP32", (-1,), lambda one: one.answer.embedding),
        "category": _Output("BYTES", (), lambda one: one.answer.levels[-1].label.encode()),
        "probability": _Output("FP64", (), lambda one: one.answer.levels[-1].probability),
        "status": _Output("BYTES", (), lambda one: one.answer.status.value.encode()),
    }


class OpenInferenceRpc(open_inference_pb2_grpc.GRPCInferenceServiceServicer):
    """The protocol over the served models. Whoever is answered at all is answered by a server that is ready."""

    def __init__(
        self, models: Models, inspecting: Inspecting, cataloguing: Cataloguing, *, version: str
    ) -> None:
        self._models, self._version = models, version
        self._inspecting, self._cataloguing = inspecting, cataloguing

    @override
    async def ServerLive(self, request: wire.ServerLiveRequest, context: Context) -> wire.ServerLiveResponse:
        return wire.ServerLiveResponse(live=True)

    @override
    async def ServerReady(
        self, request: wire.ServerReadyRequest, context: Context
    ) -> wire.ServerReadyResponse:
        return wire.ServerReadyResponse(ready=True)

    @override
    async def ServerMetadata(
        self, request: wire.ServerMetadataRequest, context: Context
    ) -> wire.ServerMetadataResponse:
        return wire.ServerMetadataResponse(name="loupe", version=self._version)

    @override
    async def ModelReady(self, request: wire.ModelReadyRequest, context: Context) -> wire.ModelReadyResponse:
        try:
            self._find(request.name, request.version)
        except NotFoundError:
            return wire.ModelReadyResponse(ready=False)
        return wire.ModelReadyResponse(ready=True)

    @override
    async def ModelMetadata(
        self, request: wire.ModelMetadataRequest, context: Context
    ) -> wire.ModelMetadataResponse:
        model = self._find(request.name, request.version)
        width, height = model.bundle.manifest.preprocess.size_wh
        tensor = wire.ModelMetadataResponse.TensorMetadata
        return wire.ModelMetadataResponse(
            name=model.name,
            versions=[model.version],
            platform="onnxruntime_onnx",
            inputs=[tensor(name=session.INPUT, datatype="UINT8", shape=[-1, height, width, 3])],
            outputs=[
                tensor(name=name, datatype=one.datatype, shape=[-1, *one.shape])
                for name, one in _outputs(model).items()
            ],
        )

    @override
    async def ModelInfer(self, request: wire.ModelInferRequest, context: Context) -> wire.ModelInferResponse:
        model = self._find(request.model_name, request.model_version)
        roles = (Role.CATALOG,) if isinstance(model, CatalogModel) else (Role.INSPECT, Role.STATION)
        current_call().principal.require(*roles, what=f"ModelInfer of '{model.name}'")
        outputs = _outputs(model)
        asked = [output.name for output in request.outputs] or list(outputs)
        unknown = [name for name in asked if name not in outputs]
        if unknown:
            raise _wrong("outputs", f"expected names among {', '.join(outputs)}, found '{unknown[0]}'")
        lane, deadline = _lane(request), current_call().deadline
        pictures = await asyncio.to_thread(_pictures, request, model)  # megabytes, perhaps number by number
        answers = await _all(
            self._answer(model, picture, deadline=deadline, lane=lane) for picture in pictures
        )
        response = wire.ModelInferResponse(model_name=model.name, model_version=model.version, id=request.id)
        for name in asked:
            _append(response, name, outputs[name], answers)
        return response

    async def _answer(
        self, model: Loaded, picture: bytes | Prepared, *, deadline: float, lane: Lane
    ) -> Judged | Placed:
        if isinstance(model, CatalogModel):
            product = Product(photos=(picture,))
            return await self._cataloguing.place(
                model, Placing(product=product, deadline=deadline, lane=lane)
            )
        return await self._inspecting.judge(model, Order(image=picture, deadline=deadline, lane=lane))

    def _find(self, name: str, version: str) -> Loaded:
        model = self._models.get(name)
        if version not in {"", model.version}:
            raise NotFoundError(f"model '{name}': expected version {model.version}, found '{version}'")
        return model


async def _all(judging: Iterable[Coroutine[Any, Any, Judged | Placed]]) -> list[Judged | Placed]:
    """What comes of all; where one fails, the others are cancelled and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in judging]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [task.result() for task in tasks]


def _wrong(field: str, description: str) -> FieldsError:
    return FieldsError(Violation(field, description))


def _lane(request: wire.ModelInferRequest) -> Lane:
    found = request.parameters["priority"].string_param if "priority" in request.parameters else "line"
    if found not in _PRIORITIES:
        raise _wrong("parameters.priority", f"expected one of {', '.join(_PRIORITIES)}, found '{found}'")
    return _PRIORITIES[found]


def _pictures(request: wire.ModelInferRequest, model: Loaded) -> Sequence[bytes | Prepared]:
    """The pictures of the one input, encoded or prepared."""
    if len(request.inputs) != 1 or request.inputs[0].name != session.INPUT:
        found = ", ".join(one.name for one in request.inputs) or "none"
        raise _wrong("inputs", f"expected one input '{session.INPUT}', found {found}")
    given, raw = request.inputs[0], request.raw_input_contents
    shape = tuple(given.shape)
    if not shape or not 1 <= shape[0] <= _MAX_PICTURES:
        raise _wrong("inputs[0].shape", f"expected 1 to {_MAX_PICTURES} pictures first, found {shape}")
    if given.datatype == "BYTES":
        encoded = _byte_strings(raw[0]) if raw else list(given.contents.bytes_contents)
        if shape not in {(len(encoded),), (len(encoded), 1)}:
            raise _wrong("inputs[0].shape", f"expected ({len(encoded)},) for as many pictures, found {shape}")
        return encoded
    width, height = model.bundle.manifest.preprocess.size_wh
    expected = (shape[0], height, width, 3)
    if given.datatype != "UINT8" or shape != expected:
        raise _wrong(
            "inputs[0]", f"expected UINT8 {expected} or BYTES ({shape[0]},), found {given.datatype} {shape}"
        )
    data = raw[0] if raw else _levels(given.contents.uint_contents)
    if len(data) != np.prod(expected):
        raise _wrong("raw_input_contents[0]", f"expected {np.prod(expected)} bytes, found {len(data)}")
    pixels = np.frombuffer(data, np.uint8).reshape(expected)
    return [Prepared.given(one) for one in pixels]


def _levels(given: Sequence[int]) -> bytes:
    """Levels that came as numbers; the wire has room for larger ones, which would come out as others."""
    largest = max(given, default=0)
    if largest > 255:
        raise _wrong("inputs[0].contents.uint_contents", f"expected 0 to 255, found {largest}")
    return bytes(given)


def _byte_strings(data: bytes) -> list[bytes]:
    """The protocol's form of BYTES tensors: each element after its length in four bytes, little-endian."""
    found, position = list[bytes](), 0
    while position < len(data):
        start = position + 4
        end = start + int.from_bytes(data[position:start], "little")
        if end > len(data):
            raise _wrong(
                "raw_input_contents[0]", f"expected {end} bytes, as the lengths say, found {len(data)}"
            )
        found.append(data[start:end])
        position = end
    return found


def _append(
    response: wire.ModelInferResponse, name: str, output: _Output, answers: Sequence[Judged | Placed]
) -> None:
    datatype, values = output.datatype, [output.value(one) for one in answers]
    if datatype == "BYTES":
        shape: Sequence[int] = (len(values),)
        raw = b"".join(len(value).to_bytes(4, "little") + value for value in values)
    else:
        array: Array = np.array(values, np.float64 if datatype == "FP64" else np.float32)
        shape, raw = array.shape, array.tobytes()
    response.outputs.add(name=name, datatype=datatype, shape=shape)
    response.raw_output_contents.append(raw)
