"""The number to beat: a plain fine-tuned torchvision loop, as a tutorial would write it.

float32, NCHW, shuffled batches, random flips, Adam at 1e-4, the last epoch's weights; the same warm start, pictures, number of epochs
and final size as ours.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from typing_extensions import override

from training.data import cached
from training.manifest import Item
from training.model import IMAGENET_MEAN, IMAGENET_STD, build
from training.run import Run
from vision.preprocess import PreprocessSpec


@dataclass(frozen=True, slots=True)
class Plain:
    """A network and how fast it was trained."""

    network: nn.Module
    images_per_s: float


def tensors(items: Sequence[Item], spec: PreprocessSpec, folder: Path) -> Tensor:
    """Pictures as float32 (N, 3, H, W), normalised beforehand."""
    pixels = torch.from_numpy(np.array(cached(items, spec, folder).pixels)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in (IMAGENET_MEAN, IMAGENET_STD))
    return ((pixels - mean) / std).contiguous()


class Classifier(nn.Module):
    """The same backbone and head without anything of ours around them."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        network = build("resnet50", classes, "warmstart")
        self.backbone, self.head = network.backbone, network.head

    @override
    def forward(self, images: Tensor) -> Tensor:
        scored: Tensor = self.head(self.backbone(images).mean((2, 3)))
        return scored


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    order = rng.permutation(count)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def train(run: Run, folder: Path, *, epochs: int, steps: int | None = None) -> Plain:
    """Train on a run's train part; `steps` after one to warm up end it early, to measure its speed alone."""
    torch.manual_seed(run.seed)
    rng = np.random.default_rng(run.seed)
    images = tensors(run.role("train"), run.recipe.preprocess, folder)
    labels = torch.tensor([run.labels.index(item.label) for item in run.role("train")])
    network = Classifier(len(run.labels)).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    seen, started = -run.recipe.batch_size, time.monotonic()  # the first batch warms up
    for _ in range(epochs):
        for rows in batches(len(images), run.recipe.batch_size, rng):
            batch = images[torch.from_numpy(rows)]
            batch = batch.flip(3) if rng.random() < 0.5 else batch
            loss = nn.functional.cross_entropy(network(batch), labels[torch.from_numpy(rows)])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            seen += len(rows)
            if seen == 0:
                started = time.monotonic()
            if steps is not None and seen >= steps * run.recipe.batch_size:
                return Plain(network, seen / (time.monotonic() - started))
    return Plain(network.eval(), seen / (time.monotonic() - started))


@torch.inference_mode()
def defect_probability(
    plain: Plain, items: Sequence[Item], run: Run, folder: Path
) -> npt.NDArray[np.float64]:
    """One minus the probability of the good class."""
    images = tensors(items, run.recipe.preprocess, folder)
    plain.network.eval()
    logits = torch.cat([plain.network(images[start : start + 32]) for start in range(0, len(images), 32)])
    return np.asarray(1 - logits.double().softmax(1)[:, run.labels.index(run.good)].numpy())
