"""What an answer rests on: how much each modality said for it, where the photo shows it, and which words and attributes counted.

All of it is read off the model's sum, so nothing is estimated: with the runner-up's logit taken off, the shares of bias, photo, title and
attributes add up to the distance between the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.catalog.categorize import Asked, Categorization, Categorizer, RowPrediction, pooled_logits
from vision.catalog.outputs import ATTRIBUTES, IMAGE, TEXT
from vision.catalog.text import tokenise

BIAS = "bias"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Why `label` rather than `rival` at `level`.

    Attributes:
        shares: by modality and `bias`, what each adds to the difference of the two logits; their sum is that difference.
        words: the title's words with what their n-grams add, the weightiest first.
        attributes: column, value and what it adds, the weightiest first; without those that the model has not learned.
        evidence_hw: float32 (h, w) for each photo; its mean is the photo's share, before averaging over photos.
    """

    level: str
    label: str
    rival: str
    shares: Mapping[str, float]
    words: tuple[tuple[str, float], ...]
    attributes: tuple[tuple[str, str, float], ...]
    evidence_hw: tuple[npt.NDArray[np.float32], ...]


def reasons(
    categorizer: Categorizer,
    asked: Asked,
    predictions: Sequence[RowPrediction],
    answer: Categorization,
    level: str | None = None,
) -> Reasons:
    """Why the answer's label at a level: the deepest that is answered for by default, the first where none is."""
    index = categorizer.spec.levels.index(level) if level else max(answer.depth, 1) - 1
    level, labels = categorizer.spec.levels[index], categorizer.labels[index]
    logits = np.asarray(pooled_logits(predictions, categorizer.spec.levels)[index], np.float64)
    chosen = labels.index(answer.levels[index].label)
    others = [place for place in range(len(labels)) if place != chosen] or [chosen]
    rival = max(others, key=logits.__getitem__)

    def against(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """For the chosen class against its rival; the classes are the last axis."""
        return np.asarray(values[..., chosen] - values[..., rival], np.float64)

    first = predictions[0]
    shares = {IMAGE: float(np.mean([against(one[f"image_{level}"]) for one in predictions]))}
    words: tuple[tuple[str, float], ...] = ()
    valued: tuple[tuple[str, str, float], ...] = ()
    if categorizer.spec.text:
        said = against(first[f"{TEXT}_{level}"])
        shares[TEXT] = float(said.sum())
        tokens = tokenise(asked.item.title, categorizer.spec.text)
        words = _by_word(tokens.words, tokens.word_of, said)
    if categorizer.spec.attributes:
        added = against(first[f"{ATTRIBUTES}_{level}"])
        shares[ATTRIBUTES] = float(added.sum())
        told = [
            (name, asked.item.attributes[name], float(one))
            for name, one in zip(categorizer.spec.attributes.names, added, strict=True)
            if categorizer.spec.attributes.index(name, asked.item.attributes.get(name))
        ]
        valued = tuple(sorted(told, key=lambda one: -abs(one[2])))
    shares[BIAS] = float(logits[chosen] - logits[rival]) - sum(shares.values())
    maps = [one[f"cam_{level}"] for one in predictions] if IMAGE in asked.modalities else []
    return Reasons(
        level=level,
        label=labels[chosen],
        rival=labels[rival],
        shares=shares,
        words=words,
        attributes=valued,
        evidence_hw=tuple(np.asarray(one[chosen] - one[rival], np.float32) for one in maps),
    )


def _by_word(
    words: Sequence[str], word_of: npt.NDArray[np.int64], said: npt.NDArray[np.float64]
) -> tuple[tuple[str, float], ...]:
    """Each word with the sum over the n-grams that speak for it; words that occur again are taken together."""
    totals: dict[str, float] = {}
    for place, share in zip(word_of.tolist(), said.tolist(), strict=True):
        if place >= 0:
            totals[words[place]] = totals.get(words[place], 0.0) + share
    return tuple(sorted(totals.items(), key=lambda one: -abs(one[1])))
