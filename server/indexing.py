"""The search index of each catalog model, kept in step with the database.

The database is what counts; an index follows it from revision to revision, and whoever searches or changes something has it catch up
first. So a kill between the two costs nothing, and several servers on one database each have an index of their own. One that is missing,
damaged, of another model or too far behind is made anew from the database, while a server runs as well. Calls of `Follower` block;
`Indexing` makes them in threads.
"""

import asyncio
import re
import shutil
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from server.loading import CatalogModel
from server.storage.catalog_items import CatalogItems, Head, ItemRow
from vision.catalog.folding import fold
from vision.catalog.search import folder as places
from vision.catalog.search.entry import entry_of
from vision.catalog.search.index import ItemIndex
from vision.catalog.search.rebuild import rebuild
from vision.catalog.search.signature import BYTES
from vision.catalog.search.values import Item, Removal
from vision.errors import InputError, SearchIndexError, StorageError
from vision.files import write_bytes

_SAY_EVERY_S: Final = 1.0
_DIGITS: Final = 16  # of a model's digest, by which its index's folder is called
_INDEX: Final = re.compile(f"[0-9a-f]{{{_DIGITS}}}")
_LOG: Final = structlog.get_logger("server.index")


class _Seen(BaseModel):
    """How far an index has come, kept beside it; one that was killed before this was written hears of some changes again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: int


class Follower:
    """One index; opened by `open`."""

    def __init__(self, items: CatalogItems, folder: Path, model_digest: str, dimension: int) -> None:
        self._items, self._folder = items, folder
        self._digest, self._dimension = model_digest, dimension
        self._turn = threading.Lock()
        self._said_at = float("-inf")
        self._seen, self._closed = 0, False
        self.index = self._opened()

    def follow(self) -> None:
        """Take up what the database holds by now; once it is closed, whoever is still searching finds what was there.

        Raises:
            StorageError: the database does not answer, or the disk refused.
        """
        with self._turn:
            if self._closed:
                return
            self._follow()
            if time.monotonic() - self._said_at > _SAY_EVERY_S:
                self._say()

    def checkpoint(self) -> None:
        """Fold what is recent into the index's base, where it is time."""
        if self.index.due():
            self.index.checkpoint()

    def close(self) -> None:
        with self._turn:
            self._closed = True
            self._say()
            self.index.close()

    def _opened(self) -> ItemIndex:
        """The index that is there, brought up to date, or a new one."""
        head, seen = self._items.head(), self._read_seen()
        why = ""
        if not self._folder.is_dir() or seen is None:
            why = "there is none"
        elif seen < head.forgotten or seen > head.revision:
            why = _too_old(seen, head)
        else:
            try:
                self.index = self._open()
            except SearchIndexError as error:
                why = str(error)
            else:
                self._seen = seen
                self._follow()
                expected, found = self._items.count(self._digest), len(self.index)
                if expected == found:
                    return self.index
                self.index.close()
                why = f"expected {expected} items, found {found}"
        return self._made_anew(why)

    def _made_anew(self, why: str) -> ItemIndex:
        started, revision = time.monotonic(), self._items.head().revision
        items = (item for row in self._items.all() if (item := self._item(row)) is not None)
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        rebuild(self._folder, items, model=self._digest, dimension=self._dimension)
        index = self._open()
        say = _LOG.warning if len(index) else _LOG.info
        say(
            "index made anew", index=str(self._folder), why=why, items=len(index),
            seconds=round(time.monotonic() - started, 3),
        )  # fmt: skip
        self._seen = revision
        self._say()
        return index

    def _open(self) -> ItemIndex:
        return ItemIndex.open(self._folder, model=self._digest, dimension=self._dimension)

    def _follow(self) -> None:
        while True:
            page = self._items.changes(self._seen)
            head = self._items.head()  # read after the page: what that lacks is forgotten by now
            if not head.forgotten <= self._seen <= head.revision:
                self.index.close()
                self.index = self._made_anew(_too_old(self._seen, head))
            elif page:
                self._take(page)
            else:
                return

    def _take(self, page: Sequence[ItemRow]) -> None:
        changes: list[Item | Removal] = []
        for row in page:
            item = None if row.removed else self._item(row)
            if item is not None:
                changes.append(item)
            elif row.id in self.index:
                changes.append(Removal(item_id=row.id))
        self.index.apply_all(changes)
        self._seen = page[-1].revision

    def _item(self, row: ItemRow) -> Item | None:
        """An item of this model; a damaged row must not keep the others from being found."""
        if row.model_digest != self._digest:
            return None
        try:
            item = searched(row)
            entry_of(item, self._dimension)
        except InputError as error:
            _LOG.error("not in the index", item=row.id, why=str(error))
            return None
        return item

    def _read_seen(self) -> int | None:
        try:
            return _Seen.model_validate_json(_seen_path(self._folder).read_bytes()).revision
        except (OSError, ValidationError):
            return None

    def _say(self) -> None:
        seen = _Seen(revision=self._seen).model_dump_json().encode()
        write_bytes(_seen_path(self._folder), seen, sync=False)
        self._said_at = time.monotonic()


def _seen_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.seen")


def _too_old(seen: int, head: Head) -> str:
    return f"it has seen revision {seen}, and the database remembers {head.forgotten} to {head.revision}"


class Indexing:
    """The followers of the served models."""

    def __init__(self, items: CatalogItems, folder: Path) -> None:
        self._items, self._folder = items, folder
        self._followers: dict[str, Follower] = {}
        self._opening = asyncio.Lock()
        self._folding: set[asyncio.Task[None]] = set()

    async def of(self, model: CatalogModel) -> ItemIndex:
        """A model's index, up to date.

        Raises:
            StorageError: the database does not answer, or the disk refused.
            MissingExtraError: usearch is not installed, and the items are many.
        """
        async with self._opening:
            if model.digest not in self._followers:
                place = self._folder / model.digest[:_DIGITS]
                dimension = model.categorizer.projection.dimension
                self._followers[model.digest] = await asyncio.to_thread(
                    Follower, self._items, place, model.digest, dimension
                )
        follower = self._followers[model.digest]
        await asyncio.to_thread(follower.follow)
        if follower.index.due() and not self._folding:
            task = asyncio.create_task(asyncio.to_thread(follower.checkpoint))
            self._folding.add(task)
            task.add_done_callback(self._folding.discard)
        return follower.index

    async def tidy(self, served: Iterable[CatalogModel]) -> None:
        """Close the indexes of models that are not served any more, and remove those of models that no item belongs to.

        Raises:
            StorageError: the database does not answer.
        """
        digests = {model.digest for model in served}
        async with self._opening:  # whoever still asks for one of them opens it again once it is closed
            for digest in self._followers.keys() - digests:
                await asyncio.to_thread(self._followers.pop(digest).close)
        others = {path.name for path in self._folder.glob("*") if _INDEX.fullmatch(path.name)}
        if others - {digest[:_DIGITS] for digest in digests}:
            belonging = await asyncio.to_thread(self._items.models)
            async with self._opening:
                kept = {digest[:_DIGITS] for digest in digests | belonging | self._followers.keys()}
                await asyncio.to_thread(self._remove, others - kept)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            folder = self._folder / name
            _seen_path(folder).unlink(missing_ok=True)
            with suppress(StorageError), places.locked(folder):  # else another process is at work there
                shutil.rmtree(folder, ignore_errors=True)
                _LOG.info("index removed", index=str(folder), why="no item is of its model")

    async def close(self) -> None:
        """Let go of every index, once what is under way has ended."""
        await asyncio.gather(*self._folding, return_exceptions=True)
        for follower in self._followers.values():
            await asyncio.to_thread(follower.close)


def searched(row: ItemRow) -> Item:
    """An item of the database as it is searched for.

    Raises:
        InputError: its vectors are not as many as its photos.
    """
    photos = len(row.photos)
    try:
        vectors = np.frombuffer(row.vectors, np.int8).reshape(photos, -1).astype(np.float32)
        signatures = np.frombuffer(row.signatures, np.uint8).reshape(photos, BYTES)
    except ValueError as error:
        raise InputError(
            f"item '{row.id}': expected vectors for {photos} photos, found {len(row.vectors)} bytes"
        ) from error
    return Item(
        item_id=row.id,
        vectors=vectors,
        categories=frozenset(row.labels.values()),
        attributes=folded(row.attributes),
        signatures=signatures,
    )


def folded(attributes: Mapping[str, str]) -> dict[str, str]:
    """Names and values as they are compared; those of which nothing is left are not there."""
    pairs = ((fold(name), fold(value)) for name, value in attributes.items())
    return {name: value for name, value in pairs if name and value}
