"""What a model said of one picture, and what that means as probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.session import Outputs

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One picture's outputs.

    Attributes:
        logits: float32 (C,), before temperature.
        embedding: float32 (D,), pooled features.
        cam: float32 (C, h, w), class activation maps.
    """

    logits: Floats
    embedding: Floats
    cam: Floats


def split_batch(outputs: Outputs) -> list[Prediction]:
    """A batch's outputs picture by picture."""
    return [
        Prediction(logits=logits, embedding=embedding, cam=cam)
        for logits, embedding, cam in zip(
            outputs["logits"], outputs["embedding"], outputs["cam"], strict=True
        )
    ]


def probabilities(logits: npt.NDArray[np.floating], temperature: float) -> npt.NDArray[np.float64]:
    """Softmax of `logits / temperature` over the last axis, in float64."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def defect_probability(
    logits: npt.NDArray[np.floating], temperature: float, good: int
) -> npt.NDArray[np.float64]:
    """One minus the probability of the good class, over the last axis of `logits` (..., C)."""
    return np.asarray(1 - probabilities(logits, temperature)[..., good])


def worst_defect(logits: Floats, labels: Sequence[str], good: str) -> int:
    """The index of the most probable class that is not good."""
    order = np.argsort(-logits, kind="stable")
    return next(int(index) for index in order if labels[int(index)] != good)
