"""The catalog's network: picture, title and attributes each add their term to the logits of every level.

Because the terms are added, each one's share of an answer is exact: a class activation map explains the picture's term, and a title's term
is the sum over its n-grams. How far a term is trusted, and the bias, depend on which of the modalities are there (docs/decisions/0021).
All levels lie side by side on one class axis, the coarsest first.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, product
from typing import Final

import torch
from torch import Tensor, nn
from typing_extensions import override

from training.model import Seeing, start_from
from vision.catalog.outputs import ATTRIBUTES, IMAGE, NO_IMAGE, TEXT, output_names

_INITIAL_SPREAD: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a catalog network tells apart, and what it reads.

    Attributes:
        levels: names of the levels with their numbers of classes, from the coarsest.
        buckets: rows of the table of n-grams; absent without a text branch.
        values: how many values each attribute has, 'absent' among them; empty without that branch.
        width: of an n-gram's vector.
    """

    levels: tuple[tuple[str, int], ...]
    buckets: int | None = None
    values: tuple[int, ...] = ()
    width: int = 64

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(size for _, size in self.levels)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The branches, the picture's first."""
        return (IMAGE, *([TEXT] if self.buckets else []), *([ATTRIBUTES] if self.values else []))


class CatalogNetwork(Seeing):
    """`image: uint8 (N, H, W, 3)`, then, as `shape` has them, `text: int64 (N, L)`, `attributes: int64 (N, A)`, `no_image: float (N,)`.

    Zeros mean: no text, no attribute, a picture that is there.
    """

    offsets: Tensor

    def __init__(self, backbone: str, shape: Shape) -> None:
        super().__init__(backbone)
        self.shape = shape
        classes, subsets = sum(shape.sizes), 2 ** len(shape.modalities)
        self.head = nn.Linear(self.channels, classes, bias=False)
        self.trust = nn.Parameter(torch.ones(subsets, len(shape.modalities)))
        self.bias = nn.Parameter(torch.zeros(subsets, classes))
        if shape.buckets:
            self.text = nn.EmbeddingBag(shape.buckets, shape.width, mode="sum", padding_idx=0)
            nn.init.normal_(self.text.weight, std=_INITIAL_SPREAD)
            self.text.weight.data[0] = 0
            self.text_head = nn.Linear(shape.width, classes, bias=False)
        if shape.values:
            first = [0, *accumulate(shape.values)][:-1]
            self.attributes = nn.Embedding(sum(shape.values), classes)
            nn.init.zeros_(self.attributes.weight)
            self.register_buffer("offsets", torch.tensor(first), persistent=False)

    def terms(self, embedding: Tensor, *beside: Tensor) -> Tensor:
        """What each modality says, before any trust: (N, modalities, classes), in the order of `shape.modalities`.

        In float32 whatever the precision of the rest: terms of several hundred cancel to logits of a few.
        """
        given = dict(zip(self.shape.modalities[1:], beside, strict=True))
        with torch.autocast(embedding.device.type, enabled=False):
            parts = [self.head(embedding.float())]
            if TEXT in given:
                parts.append(self.text_head(self.text(given[TEXT])) * _over_root(given[TEXT]))
            if ATTRIBUTES in given:
                parts.append(self._values(given[ATTRIBUTES]).sum(1))
            return torch.stack(parts, 1)

    def fused(self, terms: Tensor) -> Tensor:
        """Logits (N, subsets, classes) for every subset of the modalities, from their terms; `subset_masks` is the order."""
        masks = subset_masks(len(self.shape.modalities)).to(terms.device)
        with torch.autocast(terms.device.type, enabled=False):
            return torch.einsum("nmc,sm->nsc", terms, masks * self.trust) + self.bias

    def _values(self, attributes: Tensor) -> Tensor:
        """What each attribute says, (N, A, classes); an absent one nothing."""
        told = (attributes > 0).unsqueeze(2)
        return self.attributes.weight[attributes + self.offsets] * told

    def _words(self, ids: Tensor) -> Tensor:
        """What each n-gram says, (N, L, classes), as `EmbeddingBag` and `text_head` make it in one stroke."""
        found = self.text.weight[ids]  # the exporter would call `embedding`'s result like the output
        spoken: Tensor = self.text_head(found) * _over_root(ids).unsqueeze(2) * (ids > 0).unsqueeze(2)
        return spoken

    @override
    def forward(self, image: Tensor, *beside: Tensor) -> tuple[Tensor, ...]:
        """All outputs, in the order of `output_names`."""
        features = self.features(image)
        embedding = features.mean((2, 3))
        given = dict(zip((*self.shape.modalities[1:], NO_IMAGE), beside, strict=False))
        seen = self.head(embedding)
        parts = [nn.functional.conv2d(features, self.head.weight[:, :, None, None])]
        parts += [self._words(given[TEXT])] if TEXT in given else []
        parts += [self._values(given[ATTRIBUTES])] if ATTRIBUTES in given else []
        every = self.fused(torch.stack([seen, *(part.sum(1) for part in parts[1:])], 1))
        subset = self._subset(image, given)
        trust = (self.trust * subset_masks(len(self.shape.modalities)).to(image.device))[subset]
        parts = [part * trust[:, index].view(-1, *[1] * (part.dim() - 1)) for index, part in enumerate(parts)]
        logits = every.gather(1, subset.view(-1, 1, 1).expand(-1, 1, every.shape[2])).squeeze(1)
        by_level = [self._by_level(part) for part in (logits, every, seen * trust[:, :1], *parts)]
        return (embedding, *(one for levels in zip(*by_level, strict=True) for one in levels))

    def _subset(self, image: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        """Which modalities each row has, (N,), as the index into `subset_masks`."""
        there = [
            1 - given[NO_IMAGE].long() if NO_IMAGE in given else torch.ones_like(image[:, 0, 0, 0]).long()
        ]
        there += [(given[name] > 0).any(1).long() for name in self.shape.modalities[1:]]
        index = there[0]
        for one in there[1:]:
            index = 2 * index + one
        return index

    def _by_level(self, part: Tensor) -> tuple[Tensor, ...]:
        """Cut the class axis: the second of logits and maps, the last of what n-grams and attributes say."""
        return torch.split(part, list(self.shape.sizes), 2 if part.dim() == 3 else 1)

    @property
    def output_names(self) -> tuple[str, ...]:
        return output_names([name for name, _ in self.shape.levels], self.shape.modalities)


def subset_masks(modalities: int) -> Tensor:
    """Every subset as a row of zeros and ones (2^M, M), counted up in binary: the empty one first, all together last."""
    return torch.tensor(list(product((0.0, 1.0), repeat=modalities)))


def _over_root(ids: Tensor) -> Tensor:
    """One over the root of how many n-grams there are, (N, 1): a long title says more than a short one, but not as many times more."""
    return (ids > 0).sum(1, keepdim=True).clamp(min=1).to(torch.float32).rsqrt()


def build_catalog(backbone: str, shape: Shape, weights: str) -> CatalogNetwork:
    """A catalog network with its backbone's weights, or all of them where the file holds a whole state.

    Raises:
        SettingsError: the weights are not there, or do not fit.
    """
    network = CatalogNetwork(backbone, shape)
    nn.init.normal_(network.head.weight, std=1 / math.sqrt(network.channels))
    start_from(network, backbone, weights)
    return network
