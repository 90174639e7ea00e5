"""Run pictures through a model, whichever form it is in, and keep what it said.

Takes items and a scorer: an ONNX session, or a network in torch. Each picture is read once; its SHA-256, quality
and outputs come back together, in the order of the items.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from training.data import classes_of, digest_and_prepare
from training.manifest import Item
from training.model import Network
from training.processor import kind_here
from vision.image import Pixels
from vision.inspection.prediction import Prediction, split_batch
from vision.inspection.quality import Quality, measure
from vision.preprocess import PreprocessSpec
from vision.session import Outputs

Scorer = Callable[[Pixels], Outputs]
BATCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Items with what a model said of each."""

    items: tuple[Item, ...]
    predictions: tuple[Prediction, ...]
    qualities: tuple[Quality, ...]
    digests: tuple[str, ...]

    @property
    def logits(self) -> npt.NDArray[np.float32]:
        """float32 (N, C)."""
        return np.stack([one.logits for one in self.predictions])

    @property
    def embeddings(self) -> npt.NDArray[np.float32]:
        """float32 (N, D)."""
        return np.stack([one.embedding for one in self.predictions])

    @property
    def groups(self) -> list[str]:
        return [item.group for item in self.items]

    def classes(self, labels: Sequence[str]) -> npt.NDArray[np.int64]:
        """The index of each item's label."""
        return classes_of(self.items, labels)


def score(
    scorer: Scorer,
    items: Sequence[Item],
    spec: PreprocessSpec,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> Scored:
    """Prepare and score every item.

    Raises:
        ImageError: a picture cannot be read; the file is named.
    """
    predictions: list[Prediction] = []
    qualities: list[Quality] = []
    digests: list[str] = []
    for start in range(0, len(items), BATCH):
        batch = []
        for item in items[start : start + BATCH]:
            digest, image_hwc = digest_and_prepare(item.path, spec)
            digests.append(digest)
            qualities.append(measure(image_hwc))
            batch.append(image_hwc)
        predictions.extend(split_batch(scorer(np.stack(batch))))
        advance(len(batch))
    return Scored(
        items=tuple(items), predictions=tuple(predictions), qualities=tuple(qualities), digests=tuple(digests)
    )


def torch_scorer(network: Network, *, device: str | None = None) -> Scorer:
    """A network as a scorer, in float32; it is moved to `device`, a GPU by default where there is one."""
    device = device or kind_here()
    network.eval().to(device)

    @torch.inference_mode()
    def run(images_nhwc: Pixels) -> Outputs:
        outputs = network(torch.from_numpy(images_nhwc).to(device))
        return {name: value.cpu().numpy() for name, value in outputs._asdict().items()}

    return run
