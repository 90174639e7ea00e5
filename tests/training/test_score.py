"""Pictures through a model: what comes back, in which order, and what is said of one that cannot be read."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.bundles import LABELS, PREPROCESS, onnx_model
from tests.training.certifiable import parts
from training.manifest import Item
from training.score import BATCH, Scored, score
from vision.errors import ImageError
from vision.image import Pixels
from vision.inspection.quality import measure
from vision.preprocess import prepare_file
from vision.session import Outputs, Session

COUNT = 2 * BATCH + 3  # two full batches and a short one


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(onnx_model(), threads=1)


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    found = parts(tmp_path_factory.mktemp("parts"), good=COUNT - COUNT // 2, defective=COUNT // 2, group_of=3)
    return [found[index] for index in np.random.default_rng(0).permutation(COUNT)]


@pytest.fixture(scope="module")
def scored(session: Session, items: list[Item]) -> Scored:
    return score(session.run, items, PREPROCESS)


def test_every_item_comes_back_in_its_place(scored: Scored, items: list[Item]) -> None:
    assert scored.items == tuple(items)
    assert scored.digests == tuple(hashlib.sha256(item.path.read_bytes()).hexdigest() for item in items)
    assert scored.groups == [item.group for item in items]
    assert [LABELS[index] for index in scored.logits.argmax(1)] == [item.label for item in items]
    assert scored.classes(LABELS).tolist() == [LABELS.index(item.label) for item in items]
    assert (scored.logits.shape, scored.embeddings.shape) == ((COUNT, 3), (COUNT, 5))


def test_a_picture_gets_the_same_answer_in_a_batch_as_alone(
    scored: Scored, session: Session, items: list[Item]
) -> None:
    for item, together in zip(items, scored.predictions, strict=True):
        alone = score(session.run, [item], PREPROCESS).predictions[0]
        np.testing.assert_allclose(together.logits, alone.logits, atol=1e-4)
        np.testing.assert_allclose(together.embedding, alone.embedding, atol=1e-6)
        np.testing.assert_allclose(together.cam, alone.cam, atol=1e-4)


def test_quality_is_measured_on_what_the_model_sees(scored: Scored, items: list[Item]) -> None:
    prepared = [prepare_file(item.path, PREPROCESS).image_hwc for item in items]
    assert scored.qualities == tuple(measure(picture) for picture in prepared)


def counting(inner: Callable[[Pixels], Outputs], seen: list[int]) -> Callable[[Pixels], Outputs]:
    def run(images_nhwc: Pixels) -> Outputs:
        seen.append(len(images_nhwc))
        return inner(images_nhwc)

    return run


def test_progress_adds_up_to_all_pictures(session: Session, items: list[Item]) -> None:
    batches, told = list[int](), list[int]()
    score(counting(session.run, batches), items, PREPROCESS, advance=told.append)
    assert batches == told == [BATCH, BATCH, 3]


@pytest.mark.parametrize("data", [b"", b"no picture", None])
def test_a_picture_that_cannot_be_read_is_named(
    tmp_path: Path, session: Session, items: list[Item], data: bytes | None
) -> None:
    broken = tmp_path / "broken.png"
    if data is not None:
        broken.write_bytes(data)
    item = Item(path=broken, label="good", split="val", group="one", columns={})
    with pytest.raises(ImageError, match=r"broken\.png"):
        score(session.run, [*items[:5], item], PREPROCESS)


@pytest.mark.torch
def test_a_network_is_scored_as_it_judges_not_as_it_trains(items: list[Item]) -> None:
    import torch

    from training.model import build
    from training.score import torch_scorer

    torch.manual_seed(0)
    network = build("resnet18", 3, "none")
    network.train()
    scorer = torch_scorer(network)
    one, again = (score(scorer, items[:3], PREPROCESS) for _ in range(2))
    assert one.logits.dtype == np.float32
    np.testing.assert_array_equal(one.logits, again.logits)  # batch statistics would have moved in between
    np.testing.assert_allclose(
        score(scorer, items[:1], PREPROCESS).logits, one.logits[:1], rtol=1e-4, atol=1e-4
    )
