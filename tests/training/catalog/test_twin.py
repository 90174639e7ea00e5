"""The graph that the tests' shop is made of, written by hand, is the graph that training exports: the same weights say the same in both."""

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from tests.catalog_network import (
    ALL,
    ATTRIBUTE_SPEC,
    CELL,
    DEPTH,
    KINDS,
    LEVELS,
    SIZES,
    TEXT_SPEC,
    WORDS,
    onnx_model,
    photo,
    prepared,
    stranger,
)
from training.catalog.network import CatalogNetwork, Shape
from training.export import to_onnx
from vision.catalog import attributes, text
from vision.catalog.outputs import ATTRIBUTES, IMAGE, NO_IMAGE, TEXT
from vision.session import Session

pytestmark = [pytest.mark.torch, pytest.mark.slow]

TITLES = (f"One {WORDS['tees'][0]}", "", f"{WORDS['sandals'][1]} {WORDS['belts'][0]}", "", "Gift card")
TOLD: tuple[dict[str, str], ...] = ({"season": "winter"}, {"wearer": "men"}, {}, {}, {"season": "Summer"})


def trained(modalities: tuple[str, ...]) -> CatalogNetwork:
    """Training's network with the hand-written graph's weights."""
    graph = onnx.load_from_string(onnx_model(modalities)).graph
    weights = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    shape = Shape(
        levels=tuple(zip(LEVELS, SIZES, strict=True)),
        buckets=TEXT_SPEC.buckets if TEXT in modalities else None,
        values=ATTRIBUTE_SPEC.sizes if ATTRIBUTES in modalities else (),
        width=len(KINDS),
    )
    network = CatalogNetwork("resnet18", shape)
    network.mean.zero_()
    network.scale.fill_(1 / 255)
    colour = nn.Conv2d(3, DEPTH, 1)
    network.backbone = nn.Sequential(colour, nn.ReLU(), nn.AvgPool2d(CELL))
    network.head = nn.Linear(DEPTH, sum(SIZES), bias=False)
    given = {
        colour.weight: weights["colour"],
        colour.bias: weights["colour_bias"],
        network.head.weight: weights["head"].T,
        network.trust: weights["trust"],
        network.bias: weights["bias"],
    }
    if TEXT in modalities:
        given |= {
            network.text.weight: weights["table"],
            network.text_head.weight: weights["text_head"].T,
        }
    if ATTRIBUTES in modalities:
        given[network.attributes.weight] = weights["values"]
    with torch.no_grad():
        for place, value in given.items():
            assert place is not None
            assert place.shape == value.shape
            place.copy_(value)
    return network.eval()


def asked(modalities: tuple[str, ...]) -> dict[str, npt.NDArray[np.generic]]:
    """Five products, each with another part of what can be told; the second last has a photo alone, the last has none."""
    pictures = [photo("tees"), photo("wool_socks", 1), photo("belts", 2), stranger(), photo("tees", 9)]
    given: dict[str, npt.NDArray[np.generic]] = {
        IMAGE: np.stack([prepared(one).image_hwc for one in pictures]),
        TEXT: text.batch(TITLES, TEXT_SPEC),
        ATTRIBUTES: attributes.batch(TOLD, ATTRIBUTE_SPEC),
    }
    given = {name: values for name, values in given.items() if name in modalities}
    if len(modalities) > 1:
        given[NO_IMAGE] = np.array([0, 0, 0, 0, 1], np.float32)
    return given


@pytest.mark.parametrize("modalities", [ALL, (IMAGE,)], ids="+".join)
def test_the_hand_written_graph_says_what_trainings_export_says(modalities: tuple[str, ...]) -> None:
    network, given = trained(modalities), asked(modalities)
    example = {name: torch.from_numpy(values[:2]) for name, values in given.items()}
    exported = Session(to_onnx(network, example, network.output_names), name="exported")
    by_hand = Session(onnx_model(modalities), name="by hand")
    pictures = np.asarray(given.pop(IMAGE), np.uint8)
    expected, found = (one.run(pictures, beside=given) for one in (exported, by_hand))
    assert set(found) == set(expected) == set(network.output_names)
    for name, values in expected.items():
        assert found[name].shape == values.shape
        assert found[name] == pytest.approx(values, abs=2e-4), name
