"""A part's way through the server ends at the verdict that the core gives, or at an error that takes no place along."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from server.batching import Batcher, Cost, Lane, Runs
from server.decoding import DecodePool
from server.inspecting import Inspecting, Judged, Order
from server.loading import InspectionModel, Opening
from server.models import Models
from tests.bundles import RED, SIDE, make_bundle, part, spotted, stranger
from tests.pictures import hollow_png
from vision.errors import DeadlineError, ImageError, OverloadedError
from vision.image import ImageLimits, decode, encode_png
from vision.inspection.explain import explain
from vision.inspection.inspect import Inspection
from vision.inspection.policy import Decision, Reason
from vision.inspection.prediction import Prediction
from vision.preprocess import Prepared, prepare_bytes

pytestmark = pytest.mark.asyncio

LIMITS = ImageLimits(max_bytes=200_000, max_pixels=100_000)
PICTURES = {
    "a good part": encode_png(part(3)),
    "a red spot": encode_png(spotted(3, colour=RED)),
    "something else": encode_png(stranger()),
}


@pytest.fixture
def pool() -> Iterator[DecodePool]:
    found = DecodePool(2)
    yield found
    found.close()


@pytest.fixture
def inspecting(pool: DecodePool) -> Inspecting:
    return Inspecting(pool, LIMITS)


def order(image: Any, *, within_s: float = 60.0, **asked: Any) -> Order:
    return Order(image=image, deadline=time.monotonic() + within_s, **asked)


def local(model: InspectionModel, image: bytes) -> Inspection:
    """What the core says without a server."""
    return model.inspector.inspect(prepare_bytes(image, model.inspector.bundle.manifest.preprocess))


def _runs(model: InspectionModel) -> Runs[Prepared, Prediction]:
    return Runs(alone=model.inspector.predict, beside=model.inspector.predict, workers=1)


@contextmanager
def busy(pool: DecodePool) -> Iterator["list[asyncio.Task[bool]]"]:
    """Have every decoder occupied until the block ends."""
    may_run = threading.Event()
    until = time.monotonic() + 60
    tasks = [
        asyncio.create_task(pool.run(lambda: may_run.wait(60), deadline=until, lane=Lane.LINE))
        for _ in range(2)
    ]
    try:
        yield tasks
    finally:
        may_run.set()


# --- the same as without a server


@pytest.mark.parametrize("image", PICTURES.values(), ids=PICTURES)
async def test_the_verdict_is_the_cores_to_the_last_digit(
    image: bytes, inspecting: Inspecting, model: InspectionModel
) -> None:
    judged = await inspecting.judge(model, order(image))

    assert judged.inspection.verdict == local(model, image).verdict
    assert judged.model is model
    assert judged.explanation is None
    assert judged.heatmap_png == b""


async def test_pictures_that_share_a_run_are_judged_as_if_each_were_alone(
    inspecting: Inspecting, model: InspectionModel
) -> None:
    images = [encode_png(part(seed)) for seed in range(4)] + [encode_png(spotted(seed)) for seed in range(4)]

    judged = await asyncio.gather(*(inspecting.judge(model, order(image)) for image in images))

    for one, image in zip(judged, images, strict=True):
        alone = local(model, image).verdict
        assert (one.inspection.verdict.decision, one.inspection.verdict.label) == (
            alone.decision,
            alone.label,
        )
        assert one.inspection.verdict.probability == pytest.approx(alone.probability, abs=1e-6)
    assert {one.stages.batch for one in judged} <= {1, 2}


async def test_the_evidence_is_the_cores_and_comes_where_it_is_asked_for(
    inspecting: Inspecting, model: InspectionModel
) -> None:
    image = PICTURES["a red spot"]

    judged = await inspecting.judge(model, order(image, explain=True, heatmap=True))

    expected = explain(model.inspector, local(model, image))
    assert judged.explanation is not None
    assert judged.explanation.sentence() == expected.sentence()
    assert decode(judged.heatmap_png).size_wh == (SIDE, SIDE)


async def test_a_heatmap_alone_brings_no_explanation(inspecting: Inspecting, model: InspectionModel) -> None:
    judged = await inspecting.judge(model, order(PICTURES["a red spot"], heatmap=True))

    assert judged.heatmap_png.startswith(b"\x89PNG")
    assert judged.explanation is None


async def test_a_prepared_picture_is_not_decoded_and_judged_the_same(
    inspecting: Inspecting, model: InspectionModel
) -> None:
    image = PICTURES["a red spot"]
    prepared = prepare_bytes(image, model.inspector.bundle.manifest.preprocess)

    judged = await inspecting.judge(model, order(prepared))

    assert judged.inspection.verdict == local(model, image).verdict
    assert np.array_equal(judged.inspection.prepared.image_hwc, prepared.image_hwc)


async def test_the_stages_add_up_to_the_whole(inspecting: Inspecting, model: InspectionModel) -> None:
    stages = (await inspecting.judge(model, order(PICTURES["a good part"]))).stages

    assert stages.batch == 1
    assert min(stages.queue_ms, stages.decode_ms, stages.model_ms) >= 0
    assert stages.queue_ms + stages.decode_ms + stages.model_ms <= stages.total_ms


# --- errors


async def test_what_is_no_picture_is_refused_and_leaves_no_place_taken(
    inspecting: Inspecting, model: InspectionModel
) -> None:
    for image in (b"", b"no picture", PICTURES["a good part"][:-20]):
        with pytest.raises(ImageError):
            await inspecting.judge(model, order(image))

    assert model.batcher.inside == 0


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (hollow_png(1000, 101), "expected at most 100000 pixels, found 1000x101"),
        (bytes(200_001), "expected at most 200000 bytes, found 200001"),
    ],
    ids=["pixels", "bytes"],
)
async def test_the_servers_own_limits_are_kept(
    image: bytes, expected: str, inspecting: Inspecting, model: InspectionModel
) -> None:
    with pytest.raises(ImageError, match=expected):
        await inspecting.judge(model, order(image))


async def test_a_deadline_in_the_past_is_refused_before_anything_is_decoded(
    inspecting: Inspecting, model: InspectionModel
) -> None:
    with pytest.raises(DeadlineError, match="passed"):
        await inspecting.judge(model, order(b"not even looked at", within_s=-0.5))


async def test_a_deadline_that_cannot_be_kept_is_refused_before_anything_is_decoded(
    inspecting: Inspecting, model: InspectionModel
) -> None:
    cost = Cost(per_item_s=50, per_batch_s=50)
    slow = Batcher(_runs(model), cost=cost, max_batch=1, max_waiting=9)

    with pytest.raises(OverloadedError) as refused:
        await inspecting.judge(replace(model, batcher=slow), order(b"not even looked at"))

    assert refused.value.retry_after_s >= 30
    await slow.close()


async def test_who_waits_for_a_decoder_too_long_is_told_and_leaves_its_place(
    pool: DecodePool, inspecting: Inspecting, model: InspectionModel
) -> None:
    with busy(pool) as tasks:
        late = asyncio.create_task(inspecting.judge(model, order(PICTURES["a good part"], within_s=0.2)))
        await asyncio.sleep(0.3)

    with pytest.raises(DeadlineError, match="before the picture could be decoded"):
        await late
    await asyncio.gather(*tasks)
    assert model.batcher.inside == 0


async def test_a_caller_who_leaves_takes_no_place_along(
    pool: DecodePool, inspecting: Inspecting, model: InspectionModel
) -> None:
    with busy(pool) as tasks:
        asked = [
            asyncio.create_task(inspecting.judge(model, order(PICTURES["a good part"]))) for _ in range(5)
        ]
        await asyncio.sleep(0.01)
        inside = model.batcher.inside
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    assert (inside, model.batcher.inside) == (5, 0)
    await asyncio.gather(*tasks)
    assert (await inspecting.judge(model, order(PICTURES["a good part"]))).stages.batch == 1


# --- what the drift test sees


@pytest_asyncio.fixture
async def watching(tmp_path: Path) -> AsyncIterator[InspectionModel]:
    """A model whose drift test is on."""
    (tmp_path / "watched").mkdir()
    make_bundle(tmp_path / "watched" / "plates.loupe")
    models = Models(tmp_path / "watched", Opening(max_batch=4, drift_alpha=0.01))
    await models.load_all()
    yield models.inspection("plates")
    await models.close()


async def test_parts_that_have_drifted_are_accepted_no_more(
    inspecting: Inspecting, watching: InspectionModel
) -> None:
    async def judged(image: bytes) -> Judged:
        return await inspecting.judge(watching, order(image))

    known = (await judged(encode_png(part(5)))).inspection.verdict
    for seed in range(60):
        await judged(
            encode_png(spotted(seed, cell_xy=(0, 0)))
        )  # none of them is like the parts it was certified with
    after = (await judged(encode_png(part(5)))).inspection.verdict

    assert (known.decision, known.certified) == (Decision.ACCEPT, True)
    assert (after.decision, after.reason, after.certified) == (Decision.REVIEW, Reason.UNCERTAIN, False)
    assert "drifted" in after.detail


async def test_the_drift_test_sees_each_part_once_however_it_is_explained(
    inspecting: Inspecting, watching: InspectionModel
) -> None:
    await inspecting.judge(watching, order(PICTURES["a red spot"], explain=True, heatmap=True))
    await inspecting.judge(watching, order(PICTURES["a good part"]))

    drift = watching.inspector.drift
    assert drift is not None
    assert drift.parts == 2
