"""A real server's models, health and counters, as those see them who run it."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from server.auth import Role
from tests.bundles import make_bundle, part, spotted
from tests.e2e.conftest import Workplace
from tests.e2e.serving import PATIENCE_S, Server, ask, details, eventually, serving, shown, token
from vision.bundle import open_bundle
from vision.image import encode_png
from vision.v1 import inspection_pb2, models_pb2

GOOD: Final = encode_png(part(7))
SERVING: Final = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def server(workplace: Workplace) -> Iterator[Server]:
    """Its folder holds a corrupt bundle beside the good one."""
    folder = workplace()
    broken = folder / "models" / "broken-2.1.loupe"
    make_bundle(broken, name="broken")
    broken.write_bytes(broken.read_bytes()[:-200])
    with serving(folder) as found:
        yield found


@pytest.fixture(scope="module")
def admin(server: Server) -> tuple[tuple[str, str], ...]:
    return shown(token(server.folder, "root", Role.ADMIN))


# --- models


def test_the_served_model_is_listed_with_its_certificate_and_cost(models: Any) -> None:
    listed = {model.ref.name: model for model in models.ListModels(models_pb2.ListModelsRequest()).models}
    model = models.GetModel(models_pb2.GetModelRequest(name="plates")).model

    assert listed["plates"] == model
    assert model.state == models_pb2.MODEL_STATE_READY
    assert (list(model.labels), model.good) == (["good", "red", "blue"], "good")
    assert (model.width, model.height) == (64, 64)
    assert "at most 1% of defective parts are accepted" in model.certificate
    assert model.load_seconds > 0
    assert model.cost_per_image_ms > 0


def test_a_bundle_can_be_fetched_and_is_the_same_one(models: Any, plates: Path, tmp_path: Path) -> None:
    pieces = list(models.FetchBundle(models_pb2.FetchBundleRequest(name="plates")))

    fetched = tmp_path / "fetched.loupe"
    fetched.write_bytes(b"".join(piece.piece for piece in pieces))
    assert {piece.total_bytes for piece in pieces} == {fetched.stat().st_size}
    assert open_bundle(fetched).digest() == open_bundle(plates).digest()


def test_a_corrupt_bundle_beside_a_good_one_is_listed_as_failed_and_the_good_one_is_served(
    server: Server, models: Any, inspection: Any
) -> None:
    listed = {model.ref.name: model for model in models.ListModels(models_pb2.ListModelsRequest()).models}

    assert ask(inspection, GOOD).model.name == "plates"
    assert server.announced["models"] == ["plates"]
    assert list(server.announced["failures"]) == ["broken-2.1"]
    assert listed["broken-2.1"].state == models_pb2.MODEL_STATE_FAILED
    assert "broken-2.1.loupe" in listed["broken-2.1"].detail
    assert server.health()["failed"].keys() == {"broken-2.1"}
    with pytest.raises(grpc.RpcError) as missing:
        ask(inspection, GOOD, model="broken")
    assert missing.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_model_comes_and_goes_and_whoever_watches_its_health_is_told(
    server: Server, channel: grpc.Channel, models: Any, admin: Any, inspection: Any
) -> None:
    make_bundle(server.folder / "models" / "cells", name="cells")
    health = health_pb2_grpc.HealthStub(channel)
    seen: list[int] = []
    watched = health.Watch(health_pb2.HealthCheckRequest(service="cells"), timeout=PATIENCE_S)
    watching = threading.Thread(target=_note, args=(watched, seen))
    watching.start()

    loaded = models.LoadModel(models_pb2.LoadModelRequest(name="cells"), metadata=admin).model
    judged = ask(inspection, GOOD, model="cells")
    eventually(lambda: SERVING in seen)
    models.UnloadModel(models_pb2.UnloadModelRequest(name="cells"), metadata=admin)
    eventually(lambda: seen[-1:] == [NOT_SERVING])
    watched.cancel()
    watching.join(PATIENCE_S)

    assert (loaded.ref.name, judged.model.name) == ("cells", "cells")
    with pytest.raises(grpc.RpcError) as gone:
        ask(inspection, GOOD, model="cells")
    assert gone.value.code() == grpc.StatusCode.NOT_FOUND


def _note(watched: Any, seen: list[int]) -> None:
    with suppress(grpc.RpcError):  # the end that the test makes
        for answer in watched:
            seen.append(answer.status)  # noqa: PERF401  (the test sees them as they come)


def test_a_bundle_that_became_corrupt_is_refused_and_the_loaded_one_goes_on(
    server: Server, models: Any, admin: Any, inspection: Any
) -> None:
    path = server.folder / "models" / "rings.loupe"
    make_bundle(path, name="rings")
    models.LoadModel(models_pb2.LoadModelRequest(name="rings"), metadata=admin)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(grpc.RpcError) as refused:
        models.LoadModel(models_pb2.LoadModelRequest(name="rings"), metadata=admin)

    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert ask(inspection, GOOD, model="rings").model.name == "rings"
    listed = [
        one for one in models.ListModels(models_pb2.ListModelsRequest()).models if one.ref.name == "rings"
    ]
    assert [one.state for one in listed] == [models_pb2.MODEL_STATE_READY]
    assert "rings.loupe" in listed[0].detail, "what went wrong is told beside what is served"
    assert "rings" in server.health()["failed"]
    models.UnloadModel(models_pb2.UnloadModelRequest(name="rings"), metadata=admin)
    path.unlink()


# --- health, reflection, metrics


@pytest.mark.parametrize(
    "service",
    [
        "",
        "plates",
        "vision.v1.InspectionService",
        "vision.v1.CatalogService",
        "vision.v1.ModelService",
        "vision.v1.FleetService",
        "vision.v1.ImageryService",
        "inference.GRPCInferenceService",
    ],
)
def test_the_server_each_service_and_each_model_is_healthy(service: str, channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)

    answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)

    assert answer.status == SERVING


def test_of_what_is_not_served_no_health_is_known(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)

    with pytest.raises(grpc.RpcError) as unknown:
        health.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=PATIENCE_S)

    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND


def test_reflection_lists_the_services_and_describes_them(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = reflection_pb2.ServerReflectionRequest

    listed, described = stub.ServerReflectionInfo(
        iter([asked(list_services="*"), asked(file_containing_symbol="vision.v1.InspectionService")]),
        timeout=PATIENCE_S,
    )

    assert {one.name for one in listed.list_services_response.service} == {
        "vision.v1.InspectionService",
        "vision.v1.CatalogService",
        "vision.v1.ModelService",
        "vision.v1.FleetService",
        "vision.v1.ImageryService",
        "inference.GRPCInferenceService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    files = described.file_descriptor_response.file_descriptor_proto
    assert any(b"vision/v1/inspection.proto" in one for one in files)


def test_what_is_asked_and_answered_is_counted(server: Server, inspection: Any) -> None:
    calls = 'loupe_call_seconds_count{code="%s",method="/vision.v1.InspectionService/Inspect"}'
    verdicts = 'loupe_verdicts_total{decision="reject",model="plates",reason="confident"}'
    names = (calls % "OK", calls % "INVALID_ARGUMENT", verdicts)
    before = [server.metric(name) for name in names]

    ask(inspection, encode_png(spotted(8)))
    with pytest.raises(grpc.RpcError):
        ask(inspection, b"no picture")

    assert [server.metric(name) for name in names] == [count + 1 for count in before]
    assert server.metric('loupe_model_loads_total{outcome="ready"}') >= 1
    assert server.metric("loupe_results_unkept_total") == 0


def test_health_over_http_names_the_models(server: Server) -> None:
    status, page = server.http("/healthz")

    found = json.loads(page)
    assert status == 200
    assert (found["ready"], found["degraded"]) == (True, False)
    assert "plates" in found["models"]
    assert server.http("/nowhere")[0] == 404


def test_an_error_carries_the_callers_own_log_id(inspection: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        inspection.Inspect(
            inspection_pb2.InspectRequest(image=b"no picture"),
            metadata=(("x-request-id", "line-7/881"),),
            timeout=PATIENCE_S,
        )

    assert "line-7/881" in [getattr(one, "request_id", None) for one in details(refused.value)]
