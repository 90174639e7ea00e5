"""From a manifest's columns to a catalog run: which tree, which titles, which attributes, which rows."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from training.catalog.lesson import allowed_paths
from training.catalog.run import CatalogRun, TitleColumn
from training.manifest import Item, Manifest, carve
from training.model import check_weights
from training.recipe import Recipe
from training.run import Picture
from vision.catalog.attributes import AttributeSpec
from vision.catalog.taxonomy import Taxonomy
from vision.errors import CatalogError, ManifestError


def plan_catalog(  # noqa: PLR0913  (a run is told this much)
    manifest: Manifest,
    items: tuple[Item, ...],
    recipe: Recipe,
    *,
    levels: Sequence[str],
    text: str | None = None,
    attributes: Sequence[str] = (),
    taxonomy: Taxonomy | None = None,
    corrected: Sequence[Item] = (),
    weights: str = "warmstart",
    minutes: float | None = None,
    seed: int = 0,
    split_column: str = "split",
) -> CatalogRun:
    """A run that learns from `items` of the manifest, less the tune part that is carved out of them by whole groups.

    Args:
        levels: columns of labels, from the coarsest; without a taxonomy they span the tree.
        text: the column of titles. `attributes`: columns of values, of which those in `items` are learned.
        taxonomy: the shop's own tree, whose level names are the columns; labels of the past become those of today.
        corrected: further items to learn from. Few of a kind as they are, none is carved out, unless its group is.

    Raises:
        ManifestError: a column is not there, or the labels are not the tree's.
        SettingsError: there are no such weights.
    """
    check_weights(weights)
    whole = replace(manifest, items=(*manifest.items, *corrected))
    keep = (*levels, *([text] if text else []), *attributes)
    _check_columns(whole, keep)
    try:
        tree = taxonomy or _spanned(manifest.items, corrected, levels)
        _check_labels(whole, tree)
        told = (item.columns for item in (*items, *corrected))
        spec = AttributeSpec.from_items(told, attributes) if attributes else None
    except CatalogError as error:
        raise ManifestError(f"{manifest.source}: {error}") from error
    kept, tune = carve(items, recipe.tune_fraction, seed=seed)
    carved = {item.group for item in tune}
    kept += tuple(item for item in corrected if item.group not in carved)
    tune += tuple(item for item in corrected if item.group in carved)
    pictures = [Picture.of(item, "train", keep=keep) for item in kept]
    pictures += [Picture.of(item, "tune", keep=keep) for item in tune]
    return CatalogRun(
        recipe=recipe,
        weights=weights,
        seed=seed,
        minutes=minutes,
        labels=tree.labels(levels[-1]),
        data_digest=whole.digest(),
        split_column=split_column,
        pictures=tuple(pictures),
        tree=json.loads(tree.to_json()),
        title=TitleColumn(column=text) if text else None,
        attributes=spec,
    )


def _labels(levels: Sequence[str]) -> Callable[[Item], tuple[str, ...]]:
    return lambda item: tuple(item.columns[level] for level in levels)


def _spanned(items: Sequence[Item], corrected: Sequence[Item], levels: Sequence[str]) -> Taxonomy:
    """The labels' tree. A correction may leave a level open above one that it tells, where the tree has several ways; it adds none."""
    further = [labels for labels in map(_labels(levels), corrected) if all(labels[: sum(map(bool, labels))])]
    return Taxonomy.from_paths(levels, [*map(_labels(levels), items), *further])


def _check_labels(manifest: Manifest, tree: Taxonomy) -> None:
    lost = ~allowed_paths(manifest.items, tree).any(1)
    if lost.any():
        item = manifest.items[int(lost.int().argmax())]
        raise CatalogError(
            f"{item.path}: expected labels along one way through the tree, found {', '.join(_labels(tree.levels)(item))} "
            f"({int(lost.sum())} such rows)"
        )


def _check_columns(manifest: Manifest, wanted: Sequence[str]) -> None:
    found = manifest.items[0].columns
    missing = [column for column in wanted if column not in found]
    if missing:
        raise ManifestError(
            f"{manifest.source}: expected a column '{missing[0]}', found: {', '.join(found) or 'none'}"
        )
    twice = [column for column in wanted if wanted.count(column) > 1]
    if twice:
        raise ManifestError(
            f"--levels, --text, --attributes: expected each column once, found '{twice[0]}' again"
        )
