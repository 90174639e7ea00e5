"""The catalog as a lesson: every subset of picture, title and attributes is asked at each step, from one pass over the picture.

Because the modalities' terms are added, the answers of all subsets cost no more than the whole's: where others drop modalities by
chance, here each step sees them all, weighted. `Branches` of the recipe holds the weights.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.catalog.heads import learn_heads
from training.catalog.loss import catalog_loss, path_log_probabilities
from training.catalog.network import CatalogNetwork, Shape, build_catalog, subset_masks
from training.catalog.run import CatalogRun, TitleColumn
from training.lesson import Advance, Role
from training.manifest import Item
from training.recipe import Branches
from vision.catalog.attributes import AttributeSpec
from vision.catalog.attributes import batch as attribute_ids
from vision.catalog.taxonomy import Taxonomy
from vision.catalog.text import batch as text_ids
from vision.errors import CatalogError


class CatalogLesson:
    """Paths through the tree, drawn as the data have them, judged by how many finest labels are right."""

    measure: Final = "accuracy"

    def __init__(self, run: CatalogRun) -> None:
        self._run, self._taxonomy = run, run.taxonomy
        self.shape = shape_of(run)
        self.paths = torch.from_numpy(self._taxonomy.paths.copy())
        parts: dict[Role, tuple[Item, ...]] = {"train": run.role("train"), "tune": run.role("tune")}
        self._beside = {role: beside(items, run.title, run.attributes) for role, items in parts.items()}
        self._allowed = {role: allowed_paths(items, self._taxonomy) for role, items in parts.items()}
        weights = subset_weights(len(self.shape.modalities), run.recipe.branches)
        self._row_weights = {
            role: row_weights(self._beside[role], weights).expand(len(items), -1)
            for role, items in parts.items()
        }

    def network(self) -> CatalogNetwork:
        return build_catalog(self._run.recipe.backbone, self.shape, self._run.weights)

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng((self._run.seed, epoch)).permutation(len(self._allowed["train"]))

    def beside(self, role: Role, rows: Tensor, step: int | None = None) -> tuple[Tensor, ...]:
        """Ids of title and attributes; at a training step some of them are hidden, by a function of seed and step."""
        given = tuple(ids[rows] for ids in self._beside[role])
        if step is None:
            return given
        draw = np.random.default_rng((self._run.seed, step))
        share = self._run.recipe.branches.text_dropout
        return tuple(ids * torch.from_numpy(draw.random(ids.shape) >= share) for ids in given)

    def answers(self, network: CatalogNetwork, image: Tensor, *beside: Tensor) -> Tensor:
        """Logits (N, subsets of modalities, classes)."""
        return network.fused(network.terms(network.features(image).mean((2, 3)), *beside))

    def loss(self, answers: Tensor, rows: Tensor) -> Tensor:
        return self._losses(answers, "train", rows, self._run.recipe.label_smoothing).mean()

    def _losses(self, answers: Tensor, role: Role, rows: Tensor, smoothing: float) -> Tensor:
        """(N,), weighted over those subsets of modalities that a row has."""
        device = answers.device
        allowed, weights = self._allowed[role][rows].to(device), self._row_weights[role][rows].to(device)
        each = catalog_loss(answers.float(), allowed, self.paths.to(device), self.shape.sizes, smoothing)
        return (each * weights).sum(1)

    def begin(self, network: CatalogNetwork, pixels: npt.NDArray[np.uint8], advance: Advance) -> None:
        decay = self._run.recipe.branches.decay
        learn_heads(
            network, pixels, self._loss_of_features, decay=decay, seed=self._run.seed, advance=advance
        )

    def _loss_of_features(self, network: CatalogNetwork, features: Tensor, rows: Tensor, step: int) -> Tensor:
        terms = network.terms(features, *self.beside("train", rows, step))
        return self.loss(network.fused(terms), rows)

    def judge(self, answers: Tensor) -> tuple[float, float]:
        """(share of right finest labels with all modalities, mean weighted log loss)."""
        likely = path_log_probabilities(answers[:, -1].float(), self.paths, self.shape.sizes).argmax(-1)
        finest = self.paths[:, -1]
        right = (self._allowed["tune"] & (finest == finest[likely].unsqueeze(1))).any(1)
        losses = self._losses(answers, "tune", torch.arange(len(answers)), 0.0)
        return float(right.float().mean()), float(losses.mean())

    def finished(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        return state


def shape_of(run: CatalogRun) -> Shape:
    """The network that a run asks for."""
    taxonomy = run.taxonomy
    return Shape(
        levels=tuple((level, len(taxonomy.labels(level))) for level in taxonomy.levels),
        buckets=run.title.spec.buckets if run.title else None,
        values=run.attributes.sizes if run.attributes else (),
        width=run.recipe.branches.text_width,
    )


def beside(
    items: Sequence[Item], title: TitleColumn | None, attributes: AttributeSpec | None
) -> tuple[Tensor, ...]:
    """Ids of the items' titles and attributes, as far as a model reads them.

    Raises:
        CatalogError: the items have no such column.
    """
    given = []
    if title:
        _check_columns(items, [title.column])
        given.append(text_ids([item.columns[title.column] for item in items], title.spec))
    if attributes:
        _check_columns(items, attributes.names)
        given.append(attribute_ids([item.columns for item in items], attributes))
    return tuple(torch.from_numpy(ids) for ids in given)


def _check_columns(items: Sequence[Item], wanted: Sequence[str]) -> None:
    for item in items:
        missing = [column for column in wanted if column not in item.columns]
        if missing:
            found = ", ".join(item.columns) or "none"
            raise CatalogError(
                f"{item.path}: expected a column '{missing[0]}' that the model learned from, found: {found}"
            )


def allowed_paths(items: Sequence[Item], taxonomy: Taxonomy) -> Tensor:
    """Which paths (N, P) each item's labels leave open; a level without a label leaves all of its classes open.

    Raises:
        CatalogError: a label is not the taxonomy's; the message tells of how many items that is so.
    """
    _check_columns(items, taxonomy.levels)
    _check_labels(items, taxonomy)
    open_paths = np.ones((len(items), len(taxonomy.paths)), np.bool_)
    for index, level in enumerate(taxonomy.levels):
        place = {label: position for position, label in enumerate(taxonomy.labels(level))}
        labels = [item.columns[level] for item in items]
        told = np.array([place[taxonomy.label(level, label)] if label else -1 for label in labels])
        open_paths &= (told[:, None] == taxonomy.paths[None, :, index]) | (told[:, None] < 0)
    return torch.from_numpy(open_paths)


def _check_labels(items: Sequence[Item], taxonomy: Taxonomy) -> None:
    def strange(item: Item) -> str | None:
        """The first level with a label that the taxonomy does not hold."""
        labels = ((level, item.columns[level]) for level in taxonomy.levels)
        return next(
            (level for level, label in labels if label and taxonomy.today(level, label) is None), None
        )

    strangers = [(item, level) for item in items if (level := strange(item)) is not None]
    if not strangers:
        return
    item, level = strangers[0]
    try:
        taxonomy.label(level, item.columns[level])
    except CatalogError as error:  # it has the nearest ids
        raise CatalogError(
            f"{item.path}: {error}; {len(strangers)} of {len(items)} items are of categories that the taxonomy does not "
            "hold: --where COLUMN=VALUE chooses rows"
        ) from None


def subset_weights(modalities: int, branches: Branches) -> Tensor:
    """The loss's weight of each row of `subset_masks`: all together, the picture alone, and the others in equal shares; the empty one 0."""
    masks = [tuple(mask) for mask in subset_masks(modalities).tolist()]
    whole, alone = masks[-1], masks[len(masks) // 2]
    if whole == alone:
        return torch.tensor([0.0, 1.0])
    others = (1 - branches.whole - branches.image) / max(len(masks) - 3, 1)
    known = {masks[0]: 0.0, whole: branches.whole, alone: branches.image}
    return torch.tensor([known.get(mask, others) for mask in masks])


def row_weights(given: Sequence[Tensor], weights: Tensor) -> Tensor:
    """The weights for each row (N, subsets), without the subsets that hold a modality which the row lacks.

    Args:
        given: ids (N, ...) of what is beside the picture; the picture itself is always there.
    """
    masks = subset_masks(1 + len(given))
    kept = weights.expand(len(given[0]) if given else 1, -1).clone()
    for index, ids in enumerate(given, start=1):
        lacking = (ids == 0).all(1)
        kept[lacking] *= 1 - masks[:, index]
    return kept / kept.sum(1, keepdim=True)
