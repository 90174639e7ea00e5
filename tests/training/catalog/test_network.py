"""The network adds what each modality says, and says so in every form that it answers in."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from training.catalog.network import CatalogNetwork, Shape, build_catalog, subset_masks
from training.export import blank, to_onnx
from vision.catalog.outputs import ATTRIBUTES, NO_IMAGE, TEXT
from vision.session import Session

pytestmark = pytest.mark.torch

SHAPE = Shape(levels=(("family", 2), ("kind", 3)), buckets=50, values=(3, 4), width=8)
SIZE = (64, 64)
Answers = dict[str, npt.NDArray[np.float32]]


@pytest.fixture(scope="module")
def network() -> CatalogNetwork:
    torch.manual_seed(0)
    built = build_catalog("resnet18", SHAPE, "none").eval()
    for value in (built.trust, built.bias, built.attributes.weight):
        torch.nn.init.normal_(value, mean=1.0)
    return built


def pictures(count: int = 2) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 255, (count, 64, 64, 3), np.uint8))


def answers(network: CatalogNetwork, *beside: Tensor) -> Answers:
    with torch.no_grad():
        found = network(pictures(len(beside[0])), *beside)
    return {name: value.numpy() for name, value in zip(network.output_names, found, strict=True)}


def given(
    titles: Sequence[Sequence[int]] = ((3, 7, 0, 0), (0, 0, 0, 0)),
    values: Sequence[Sequence[int]] = ((1, 0), (2, 3)),
    no_image: Sequence[float] = (0.0, 0.0),
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.tensor(titles), torch.tensor(values), torch.tensor(no_image)


def test_logits_are_the_bias_and_the_terms_of_what_is_there(network: CatalogNetwork) -> None:
    found = answers(network, *given())
    for level in ("family", "kind"):
        terms = found[f"image_{level}"] + found[f"text_{level}"].sum(1) + found[f"attributes_{level}"].sum(1)
        bias = network.bias.detach().numpy()[[7, 5]]  # all three; picture and attributes
        cut = slice(0, 2) if level == "family" else slice(2, 5)
        assert found[f"logits_{level}"] == pytest.approx(terms + bias[:, cut], abs=1e-4)


def test_the_mean_of_a_map_is_the_pictures_term(network: CatalogNetwork) -> None:
    found = answers(network, *given())
    assert found["cam_kind"].mean((2, 3)) == pytest.approx(found["image_kind"], abs=1e-4)


def test_what_is_absent_says_nothing(network: CatalogNetwork) -> None:
    found = answers(network, *given(no_image=(1.0, 0.0)))
    assert not found["image_kind"][0].any()
    assert not found["cam_kind"][0].any()
    assert not found["text_kind"][1].any()
    assert not found["text_kind"][0, 2:].any(), "padding"
    assert not found["attributes_kind"][0, 1].any()


def test_every_subsets_logits_are_those_of_an_item_that_has_no_more(network: CatalogNetwork) -> None:
    text, values, here = given(titles=((3, 7, 0, 0),) * 2, values=((1, 2),) * 2)
    whole = answers(network, text, values, here)["subsets_kind"]
    for index, (image, title, told) in enumerate(subset_masks(3).int().tolist()):
        if not image + title + told:
            continue
        alone = answers(network, text * title, values * told, torch.full((2,), 1.0 - image))
        assert alone["logits_kind"] == pytest.approx(whole[:, index], abs=1e-4)


def test_the_terms_of_training_fuse_to_the_subsets_of_the_whole_pass(network: CatalogNetwork) -> None:
    text, values, here = given()
    with torch.no_grad():
        embedding = network.features(pictures()).mean((2, 3))
        fused = network.fused(network.terms(embedding, text, values)).numpy()
    found = answers(network, text, values, here)
    together = np.concatenate([found["subsets_family"], found["subsets_kind"]], axis=2)
    assert fused == pytest.approx(together, abs=1e-4)


def test_a_longer_title_weighs_by_the_root_of_its_length(network: CatalogNetwork) -> None:
    once = answers(network, *given(titles=((3, 0, 0, 0), (3, 3, 3, 3))))["text_kind"].sum(1)
    assert once[1] == pytest.approx(2 * once[0], abs=1e-4)


@pytest.mark.parametrize(
    "shape",
    [
        SHAPE,
        Shape(levels=SHAPE.levels),
        Shape(levels=SHAPE.levels, buckets=50, width=8),
        Shape(levels=SHAPE.levels, values=(3, 4)),
    ],
    ids=["all", "picture", "picture and title", "picture and attributes"],
)
def test_the_exported_graph_answers_like_the_network_for_any_batch(shape: Shape) -> None:
    torch.manual_seed(1)
    network = build_catalog("resnet18", shape, "none").eval()
    text, values, no_image = given(no_image=(0.0, 1.0))
    inputs = {TEXT: text, ATTRIBUTES: values}
    beside = {name: inputs[name] for name in shape.modalities[1:]}
    if beside:
        beside[NO_IMAGE] = no_image
    session = Session(to_onnx(network, {**blank(SIZE), **beside}, network.output_names))

    rows = {name: torch.cat([value, value[:1]]) for name, value in beside.items()}
    with torch.no_grad():
        expected = network(pictures(3), *rows.values())
    found = session.run(pictures(3).numpy(), beside={name: value.numpy() for name, value in rows.items()})

    assert tuple(found) == network.output_names
    for name, value in zip(network.output_names, expected, strict=True):
        assert found[name] == pytest.approx(value.numpy(), abs=1e-3), name
