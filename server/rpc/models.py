"""`ModelService`: which models are served, and changing that."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from typing_extensions import override

from server.loading import CatalogModel, Identity, Loaded
from server.models import Models, name_of
from server.rpc.calls import Context
from vision.archive import MAX_BYTES, Source, write_zip
from vision.v1 import models_pb2, models_pb2_grpc

_PIECE: Final = 1 << 20


def reference(model: Identity) -> models_pb2.ModelRef:
    """How answers name the model."""
    return models_pb2.ModelRef(name=model.name, version=model.version, digest=model.digest, file=model.file)


def describe(model: Loaded, failure: str = "") -> models_pb2.Model:
    """A model that is served; `failure`: why its bundle could not be loaded anew."""
    manifest = model.bundle.manifest
    width, height = manifest.preprocess.size_wh
    good, certificate = _terms(model)
    return models_pb2.Model(
        ref=reference(model.identity),
        state=models_pb2.MODEL_STATE_READY,
        detail=failure,
        labels=manifest.labels,
        good=good,
        width=width,
        height=height,
        certificate=certificate,
        load_seconds=model.load_s,
        cost_per_image_ms=1e3 * model.cost.per_item_s,
        cost_per_batch_ms=1e3 * model.cost.per_batch_s,
        task=manifest.task,
        catalog=_catalog(model) if isinstance(model, CatalogModel) else None,
    )


def _catalog(model: CatalogModel) -> models_pb2.CatalogTerms:
    spec = model.categorizer.spec
    return models_pb2.CatalogTerms(
        levels=spec.levels, title_columns=spec.title_columns, attributes=spec.attribute_names
    )


def _terms(model: Loaded) -> tuple[str, str]:
    """The label of a good part, and the certificate in force in one line; empty where there is none."""
    if isinstance(model, CatalogModel):
        promised = model.categorizer.reading.certificate
        return "", promised.line() if promised else ""
    issued = model.inspector.decision.certificate
    return model.inspector.spec.good, issued.line() if issued else ""


class ModelRpc(models_pb2_grpc.ModelServiceServicer):
    """Over the served models; what failed to load is listed as well."""

    def __init__(self, models: Models) -> None:
        self._models = models

    @override
    async def ListModels(
        self, request: models_pb2.ListModelsRequest, context: Context
    ) -> models_pb2.ListModelsResponse:
        served = self._models.served()
        known = {name_of(model.path) for model in served}
        failed = [
            models_pb2.Model(
                ref=models_pb2.ModelRef(name=name), state=models_pb2.MODEL_STATE_FAILED, detail=why
            )
            for name, why in sorted(self._models.failures.items())
            if name not in known
        ]
        return models_pb2.ListModelsResponse(models=[*map(self._described, served), *failed])

    @override
    async def GetModel(
        self, request: models_pb2.GetModelRequest, context: Context
    ) -> models_pb2.GetModelResponse:
        return models_pb2.GetModelResponse(model=self._described(self._models.get(request.name)))

    @override
    async def LoadModel(
        self, request: models_pb2.LoadModelRequest, context: Context
    ) -> models_pb2.LoadModelResponse:
        return models_pb2.LoadModelResponse(model=describe(await self._models.load(request.name)))

    @override
    async def UnloadModel(
        self, request: models_pb2.UnloadModelRequest, context: Context
    ) -> models_pb2.UnloadModelResponse:
        await self._models.unload(request.name)
        return models_pb2.UnloadModelResponse()

    @override
    async def FetchBundle(
        self, request: models_pb2.FetchBundleRequest, context: Context
    ) -> AsyncIterator[models_pb2.FetchBundleResponse]:
        data = await asyncio.to_thread(_zipped, self._models.get(request.name).path)
        for start in range(0, len(data), _PIECE):
            yield models_pb2.FetchBundleResponse(piece=data[start : start + _PIECE], total_bytes=len(data))

    def _described(self, model: Loaded) -> models_pb2.Model:
        return describe(model, self._models.failures.get(name_of(model.path), ""))


def _zipped(bundle: Path) -> bytes:
    """A bundle as one `.loupe` file; its receiver verifies it as any other."""
    if bundle.is_file():
        return bundle.read_bytes()
    with Source(bundle) as source, tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "bundle.loupe"
        write_zip(target, {name: source.read(name, MAX_BYTES) for name in source.members()})
        return target.read_bytes()
