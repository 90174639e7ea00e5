"""The solved head: it separates what the features separate, and leaves the backbone alone."""

import numpy as np
import pytest
import torch

from training.model import Network
from training.probe import solve_head

pytestmark = pytest.mark.torch


def pictures(classes: int, each: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright square whose place is the class."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), each)
    pixels = rng.integers(0, 90, (len(labels), 48, 48, 3), np.uint8)
    for picture, label in zip(pixels, labels, strict=True):
        picture[:, 16 * label : 16 * label + 16] += 120
    return pixels, labels


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network("resnet18", 2)


@pytest.mark.parametrize("classes", [2, 3])
def test_classes_that_differ_are_told_apart_without_training(classes: int) -> None:
    torch.manual_seed(0)
    network, (pixels, labels) = Network("resnet18", classes), pictures(classes)

    solve_head(network, pixels, labels, strength=1.0)

    with torch.no_grad():
        found = network.eval().logits(torch.from_numpy(pixels)).argmax(1).numpy()
    assert (found == labels).mean() > 0.95


def test_a_rare_class_weighs_as_much_as_a_common_one(network: Network) -> None:
    pixels, labels = pictures(2)
    kept = np.flatnonzero((labels == 0) | (np.cumsum(labels) <= 2))  # all of one class, two of the other
    rare, truth = pixels[kept], labels[kept]

    solve_head(network, rare, truth, strength=1e-6)  # so regularised that only the balance speaks

    with torch.no_grad():
        logits = network.eval().logits(torch.from_numpy(pixels))
    assert float((logits[:, 1] - logits[:, 0]).mean().abs()) < 0.01


def test_the_backbone_stays_as_it_was(network: Network) -> None:
    network.train()
    before = {name: value.clone() for name, value in network.backbone.state_dict().items()}
    pixels, labels = pictures(2)
    counted: list[int] = []

    solve_head(network, pixels, labels, strength=0.01, advance=counted.append)

    assert network.training
    assert sum(counted) == len(pixels)
    for name, value in network.backbone.state_dict().items():
        assert torch.equal(value, before[name]), name
