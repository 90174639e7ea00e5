"""What people know better: kept with who and when, and taken out as rows to learn from.

Takes labels for kept products, checks them against the tree of the model that placed these, and fills in the levels that follow. Gives
corrections and hard cases, and never a product of the frozen test set. It knows nothing of the wire.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from server.models import Models
from server.storage.catalog_items import TEST, CatalogItems, ItemRow
from server.storage.catalog_tables import FeedbackState
from server.storage.feedback import FeedbackBook, Word
from vision.catalog.taxonomy import Taxonomy
from vision.errors import CatalogError, SettingsError


class Kind(StrEnum):
    """What a word says of the model: its best path is another one; it is right, but was not answered for; it was right."""

    CORRECTION = "correction"
    HARD_CASE = "hard_case"
    CONFIRMATION = "confirmation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A kept product with what a person says it is."""

    item: ItemRow
    word: Word
    kind: Kind

    @property
    def labels(self) -> Mapping[str, str]:
        """What all who agree say together; of a dispute this one's."""
        accepted = self.word.state is FeedbackState.ACCEPTED
        return (self.item.corrected if accepted else None) or self.word.labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What was taken out, and how many products were of which kind or left out."""

    lessons: tuple[Lesson, ...]
    kinds: Mapping[Kind, int]
    frozen: int
    disputed: int


class Correcting:
    """People's side of the catalog.

    Args:
        frozen: digests of the test set's photos, of which nothing may be learned.
    """

    def __init__(
        self, models: Models, items: CatalogItems, book: FeedbackBook, *, frozen: Set[str] = frozenset()
    ) -> None:
        self._models, self._items, self._book, self._frozen = models, items, book, frozen

    async def submit(
        self, item_id: str, labels: Mapping[str, str], *, comment: str, by: str, reviewer: bool
    ) -> Word:
        """Keep what somebody says; gives it with what it counts for.

        Raises:
            NotFoundError: no such item, or the model that placed it is not served.
            CatalogError: a label is not in the taxonomy, or no way through the tree holds all of them.
            StorageError: it was not kept.
        """
        item = await asyncio.to_thread(self._items.find, item_id)
        taxonomy = self._models.catalog(item.model_name).categorizer.taxonomy
        word = Word(
            item_id=item_id,
            labels=await asyncio.to_thread(completed, taxonomy, labels),
            said=item.said,
            depth=item.depth,
            comment=comment,
            by=by,
            reviewer=reviewer,
            at=datetime.now(UTC),
        )
        state = await asyncio.to_thread(self._book.add, word)
        return word.counting(state)

    async def take(self, *, model: str = "", disputed: bool = False) -> Taken:
        """What there is to learn, each product once; or what waits for a reviewer, each word of it.

        Args:
            model: the name of the model that has placed the products; empty: any. The labels are of its tree.

        Raises:
            StorageError: the database does not answer.
        """
        return await asyncio.to_thread(self._take, model, disputed=disputed)

    def _take(self, model: str, *, disputed: bool) -> Taken:
        waiting = list(self._lessons(FeedbackState.REVIEW, model))
        newest = {one.item.id: one for one in self._lessons(FeedbackState.ACCEPTED, model)}
        free = [one for one in newest.values() if not self._is_frozen(one.item)]
        useful = [one for one in free if one.kind is not Kind.CONFIRMATION]
        return Taken(
            lessons=tuple(waiting if disputed else useful),
            kinds=Counter(one.kind for one in free),
            frozen=len(newest) - len(free),
            disputed=len({one.item.id for one in waiting}),
        )

    def _lessons(self, state: FeedbackState, model: str) -> Iterator[Lesson]:
        for item, word in self._book.words(state):
            if not model or item.model_name == model:
                yield _lesson(item, word)

    def _is_frozen(self, item: ItemRow) -> bool:
        digests = item.sent | {photo.sha256 for photo in item.photos}
        return item.split == TEST or not digests.isdisjoint(self._frozen)


def completed(taxonomy: Taxonomy, labels: Mapping[str, str]) -> dict[str, str]:
    """By level: today's ids of these labels, and of the levels that follow from them; the others are left open.

    Raises:
        CatalogError: one is not in the taxonomy, or no way through the tree holds all of them.
    """
    ways = taxonomy.paths
    named = {level: taxonomy.label(level, name) for level, name in labels.items()}
    for level, label in named.items():
        column = taxonomy.levels.index(level)
        ways = ways[ways[:, column] == taxonomy.labels(level).index(label)]
    if not len(ways):
        said = ", ".join(f"{level} '{label}'" for level, label in named.items())
        raise CatalogError(f"labels: expected labels on one way through the tree, found {said}")
    return dict(_common(taxonomy, ways))


def of_today(taxonomy: Taxonomy, labels: Mapping[str, str]) -> dict[str, str]:
    """Labels that were right in an earlier tree, in this one: by today's ids, and where a category has other ones above it now, by these.

    What has no id today, or is of a level that is no more, stays as it was said.
    """
    known = {
        level: found
        for level in taxonomy.levels
        if level in labels and (found := taxonomy.today(level, labels[level]))
    }
    while known:
        try:
            return dict(labels) | completed(taxonomy, known)
        except CatalogError:  # the deeper ones say more
            known.pop(next(iter(known)))
    return dict(labels)


def _common(taxonomy: Taxonomy, ways: npt.NDArray[np.int64]) -> Iterator[tuple[str, str]]:
    for level, column in zip(taxonomy.levels, ways.T, strict=True):
        if (column == column[0]).all():
            yield level, taxonomy.labels(level)[int(column[0])]


def _lesson(item: ItemRow, word: Word) -> Lesson:
    if any(word.said.get(level) != label for level, label in word.labels.items()):
        kind = Kind.CORRECTION
    else:
        kind = Kind.HARD_CASE if word.depth < len(word.said) else Kind.CONFIRMATION
    return Lesson(item=item, word=word, kind=kind)


def read_frozen(path: Path | None) -> frozenset[str]:
    """The digests in a file, one a line; what stands behind a blank is for people.

    Raises:
        SettingsError: it cannot be read, or a line is no SHA-256 in hex.
    """
    if path is None:
        return frozenset()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"catalog.frozen: {path}: cannot be read: {error}") from error
    digests = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            digests[line.split()[0].lower()] = number
    for digest, number in digests.items():
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise SettingsError(
                f"catalog.frozen: {path}: line {number}: expected a SHA-256 in hex, found '{digest[:80]}'"
            )
    return frozenset(digests)
