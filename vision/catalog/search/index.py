"""An index of items by their vectors: added to, searched and saved at the same time, and whole again after a kill.

Three layers: the base, what the next checkpoint is being made of, and what came since that was begun. A change is in the journal, on the
disk, before it is seen. Nothing here starts a thread: `checkpoint` runs in whichever the caller gives it, and searches and changes go on.
"""

import threading
from collections.abc import Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from vision.catalog.search import folder as places
from vision.catalog.search import journal
from vision.catalog.search.base import Base, Identity, empty, open_base
from vision.catalog.search.changes import Change, in_parts, packed, unpacked
from vision.catalog.search.checkpoint import Source, write_base
from vision.catalog.search.compact import Query
from vision.catalog.search.entry import Entry, entry_of, item_of
from vision.catalog.search.graph import Effort
from vision.catalog.search.layer import ordered
from vision.catalog.search.recent import Recent
from vision.catalog.search.signature import Signatures, unknown
from vision.catalog.search.values import Filter, Hit, Item, Removal, checked, of_terms
from vision.errors import InputError
from vision.files import atomic_folder

MAX_HITS: Final = 1000
_NO_ATTRIBUTES: Final[Mapping[str, Set[str]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an index is kept.

    Attributes:
        graph_from: from so many rows on a checkpoint has a graph; below, every search is exact. 0: always.
        due_after: a checkpoint is due after so many recent rows; at twice as many, whoever changes something makes it first.
        verify: compare the files' digests when the index is opened (`base.open_base`).
    """

    graph_from: int = 50_000
    due_after: int = 10_000
    effort: Effort = field(default_factory=Effort)
    verify: bool = True


@dataclass(frozen=True, slots=True)
class _Layers:
    """Searched from the base on: what a newer layer replaces is there before it is gone below."""

    base: Base
    frozen: Recent
    recent: Recent

    def __contains__(self, item_id: str) -> bool:
        return self.base.find(item_id) is not None or item_id in self.frozen or item_id in self.recent

    def take(self, change: Change) -> None:
        if isinstance(change, Entry):
            self.recent.put(change)
        else:
            self.recent.remove(change.item_id)
        if change.item_id in self.frozen:
            self.frozen.remove(change.item_id)
        self.base.forget(change.item_id)


class ItemIndex:
    """Opened by `open`; any number of threads may search while any number change it, and those take turns.

    Attributes:
        folder: where it lies.
        dimension: of its vectors.
    """

    def __init__(self, folder: Path, identity: Identity, options: Options) -> None:
        self.folder, self.dimension = folder, identity.dimension
        self._identity, self._options, self._lock = identity, options, ExitStack()
        self._writing, self._checkpointing = threading.Lock(), threading.Lock()
        newest, journals = places.numbers(folder)
        base = empty(self.dimension)
        if newest:
            path = places.checkpoint_path(folder, newest)
            base = open_base(path, identity, options.effort, verify=options.verify)
        self._layers = _Layers(base, Recent(self.dimension), Recent(self.dimension))
        ends = [self._replay(number, last=number == journals[-1]) for number in journals]
        self._number = journals[-1]
        self._journal = journal.Journal(places.journal_path(folder, self._number), ends[-1])
        places.tidy(folder, newest)

    @classmethod
    def open(cls, folder: Path, *, model: str, dimension: int, options: Options | None = None) -> Self:
        """Open an index, or begin one in a folder that is empty or not there yet.

        Args:
            model: the digest of the bundle whose embeddings these are.

        Raises:
            SearchIndexError: the folder is something else's, or of another model or dimension, or damaged; the file is named.
            StorageError: another process has it open, or the disk refused.
            MissingExtraError: it has a graph, and usearch is not installed.
        """
        identity = Identity(model=model, dimension=dimension)
        places.refuse_other(folder)
        with ExitStack() as lock:
            lock.enter_context(places.locked(folder))
            places.claim(folder, identity)
            index = cls(folder, identity, options or Options())
            index._lock = lock.pop_all()
        return index

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder, once a change or checkpoint under way has ended. What was acknowledged is on the disk."""
        with self._checkpointing, self._writing:
            self._journal.close()
            self._lock.close()

    def _replay(self, number: int, *, last: bool) -> int:
        """Take up what a journal holds; where it ends."""
        path = places.journal_path(self.folder, number)
        frames, end = journal.read(path, last=last)
        for frame in frames:
            for change in unpacked(frame.payload, self.dimension, f"{path}: offset {frame.at}"):
                self._layers.take(change)
        return end

    def __len__(self) -> int:
        layers = self._layers
        return len(layers.base) + len(layers.frozen) + len(layers.recent)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._layers

    def get(self, item_id: str) -> Item | None:
        """An item as it is kept, with unit vectors as its compact ones have them."""
        entry = self._get(item_id)
        return None if entry is None else item_of(entry)

    def categories(self, item_id: str) -> Set[str]:
        """What an item is found under; nothing where there is no such item."""
        entry = self._get(item_id)
        return frozenset() if entry is None else of_terms(entry.terms)[0]

    def signatures(self, item_id: str) -> Signatures:
        """Its photos' signatures, uint8 (P, 32); none where there is no such item."""
        entry = self._get(item_id)
        return unknown(0) if entry is None else entry.signatures

    def _get(self, item_id: str) -> Entry | None:
        layers = self._layers
        entry = layers.base.get(item_id)
        entry = layers.frozen.get(item_id) or entry
        # the newest is read last: what replaces an item is there before that is gone
        return layers.recent.get(item_id) or entry

    def search(
        self,
        vector: npt.NDArray[np.floating],
        count: int,
        *,
        categories: Set[str] = frozenset(),
        kinds: Set[str] = frozenset(),
        attributes: Mapping[str, Set[str]] = _NO_ATTRIBUTES,
        exclude: Set[str] = frozenset(),
        exact: bool = False,
    ) -> tuple[Hit, ...]:
        """The most similar items, the best first and equals by their ids; `count` of them where so many are left.

        Args:
            vector: (D,), of any length but 0.
            count: 1 to `MAX_HITS`.
            categories: in any of these; none: anywhere.
            kinds: and in any of these as well.
            attributes: for each name, with one of its values.
            exclude: not these items.
            exact: compare all, though there is a graph.

        Raises:
            InputError: a vector of another dimension, or a count out of its range.
        """
        if not 1 <= count <= MAX_HITS:
            raise InputError(f"count: expected 1 to {MAX_HITS}, found {count}")
        if vector.shape != (self.dimension,):
            raise InputError(f"vector: expected shape ({self.dimension},), found {vector.shape}")
        query = Query.of(vector)
        chosen = Filter(categories=categories, kinds=kinds, attributes=attributes, exclude=exclude)
        layers = self._layers
        base = layers.base.search(query, count, chosen, exact=exact)
        frozen, recent = (one.search(query, count, chosen) for one in (layers.frozen, layers.recent))
        return ordered(chain(recent, frozen, base), count)

    def put(self, item: Item) -> None:
        """Add an item, or replace the one with its id; as `apply` of it alone."""
        self.apply([item])

    def remove(self, item_id: str) -> bool:
        """Remove an item; as `apply`.

        Returns:
            False where there is none.
        """
        self._make_room()
        with self._writing:
            if item_id not in self:
                return False
            self._commit([Removal(item_id=item_id)])
            return True

    def apply(self, changes: Sequence[Item | Removal]) -> None:
        """Make changes in their order, in one commit: all of them are on the disk when this returns, or none.

        A commit waits for the disk once, so many changes at a time are much faster than one by one.

        Raises:
            InputError: an id, term or vector is not as it should be; the item is named.
            StorageError: the disk refused; nothing was changed.
        """
        if changes:
            self._take([self._kept(one) for one in changes])

    def apply_all(self, changes: Sequence[Item | Removal]) -> None:
        """As `apply`, in as many commits as it takes for the journal: what was committed before one fails stays."""
        for part in in_parts([self._kept(one) for one in changes], journal.MAX_PAYLOAD):
            self._take(part)

    def _kept(self, change: Item | Removal) -> Change:
        return entry_of(change, self.dimension) if isinstance(change, Item) else checked(change)

    def _take(self, changes: Sequence[Change]) -> None:
        self._make_room()
        with self._writing:
            self._commit(changes)

    def _commit(self, changes: Sequence[Change]) -> None:
        payload = packed(changes)
        if len(payload) > journal.MAX_PAYLOAD:
            raise InputError(
                f"changes: expected at most {journal.MAX_PAYLOAD} bytes at once, found {len(payload)}"
            )
        self._journal.append(payload)
        for change in changes:
            self._layers.take(change)

    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        layers = self._layers
        return layers.recent.pending >= self._options.due_after or self._graph_is_due(layers.base)

    def _graph_is_due(self, base: Base) -> bool:
        return base.graph is None and 0 < len(base.photos) >= self._options.graph_from

    def _make_room(self) -> None:
        """So that memory and the journal stay bounded though nobody calls `checkpoint`."""
        if self._layers.recent.pending >= 2 * self._options.due_after:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Write all items as the next base, and let go of the journal up to here. One at a time; others wait.

        With a graph of a million rows this takes ten seconds for as many thousand new ones, and about two gigabytes of memory.

        Raises:
            StorageError: the disk refused. Nothing is lost: the journals are kept, and the next checkpoint has it all.
            MissingExtraError: a graph is due, and usearch is not installed.
        """
        with self._checkpointing:
            source = self._freeze()
            if source is None:
                return
            path = places.checkpoint_path(self.folder, self._number)
            try:
                with atomic_folder(path) as unfinished:
                    write_base(
                        unfinished,
                        source,
                        self._identity,
                        effort=self._options.effort,
                        graph_from=self._options.graph_from,
                    )
                base = open_base(path, self._identity, self._options.effort, verify=False)
            except BaseException:
                self._thaw()
                raise
            with self._writing:
                for item_id in self._layers.recent.touched:
                    base.forget(item_id)
                self._layers = _Layers(base, Recent(self.dimension), self._layers.recent)
            places.tidy(self.folder, self._number)

    def _freeze(self) -> Source | None:
        """Begin the next journal and layer; what a checkpoint is to be made of, nothing where there is no need."""
        with self._writing:
            layers = self._layers
            if not layers.recent.pending and not self._graph_is_due(layers.base):
                return None
            self._journal = self._journal.followed_by(places.journal_path(self.folder, self._number + 1))
            self._number += 1
            self._layers = _Layers(layers.base, layers.recent, Recent(self.dimension))
            return Source(
                base=layers.base, alive=layers.base.alive.copy(), entries=tuple(layers.recent.entries())
            )

    def _thaw(self) -> None:
        """Two layers in one again, in the order in which they came."""
        with self._writing:
            layers = self._layers
            for item_id in layers.recent.touched:
                entry = layers.recent.get(item_id)
                layers.frozen.put(entry) if entry else layers.frozen.remove(item_id)
            self._layers = _Layers(layers.base, Recent(self.dimension), layers.frozen)
