"""The items of a checkpoint: a folder of arrays, memory-mapped, and a graph over them where they are many.

    manifest.json       what this is, whose vectors, and each file's size and SHA-256
    ids.*, terms.*      the items' ids, and every term that is in use (`names`)
    of_items.*          each item's terms;  members.*: each term's items (`terms`)
    alive       which items count
    owners, lengths, signatures     each row's item, length, and picture's signature
    graph.usearch       the rows and the graph, or rows: the rows alone

Items are forgotten here by no longer counting. Nothing is written but by `checkpoint`.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vision.catalog.search.compact import Query
from vision.catalog.search.entry import Entry
from vision.catalog.search.graph import Effort, Graph
from vision.catalog.search.layer import Found, Photos, ordered
from vision.catalog.search.names import Bools, Names
from vision.catalog.search.signature import unknown
from vision.catalog.search.terms import Lists, Numbers, narrowed
from vision.catalog.search.values import Filter, Hit
from vision.errors import SearchIndexError
from vision.validation import first_fault

M = TypeVar("M", bound=BaseModel)

MANIFEST: Final = "manifest.json"
GRAPH: Final = "graph.usearch"
ROWS: Final = "rows"
FEW: Final = 20_000
"""Of so few items that a filter leaves, less than half of all, the nearest are found exactly: a graph would pass by most of what it meets."""
_MOST_LOOKED_AT: Final = 4096
_AHEAD: Final = (
    2  # rows asked for at first, for each that is expected to be needed: photos of one item lie together
)

Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Identity(_Value):
    """Whose vectors: two indexes of which one of these differs have nothing to say to each other."""

    format: Literal["loupe item index"] = "loupe item index"
    version: Literal[1] = 1
    model: Annotated[str, Field(min_length=1)]
    dimension: Annotated[int, Field(ge=1)]


class FileEntry(_Value):
    bytes: Count
    sha256: Digest


class BaseManifest(_Value):
    """`connectivity` is the graph's; absent where there is none."""

    identity: Identity
    items: Count
    rows: Count
    connectivity: int | None
    files: Mapping[str, FileEntry]


@dataclass(slots=True, kw_only=True)
class Base:
    """Items by number. `alive` bool (I,) says which of them count."""

    ids: Names
    terms: Names
    of_items: Lists
    members: Lists
    alive: Bools
    photos: Photos
    graph: Graph | None = None
    connectivity: int | None = None
    folder: Path | None = None

    def __len__(self) -> int:
        """How many items count."""
        return int(np.count_nonzero(self.alive))

    def find(self, item_id: str) -> int | None:
        number = self.ids.find(item_id)
        return number if number is not None and self.alive[number] else None

    def forget(self, item_id: str) -> None:
        if (number := self.find(item_id)) is not None:
            self.alive[number] = False

    def get(self, item_id: str) -> Entry | None:
        number = self.find(item_id)
        if number is None:
            return None
        terms = tuple(self.terms[int(term)] for term in self.of_items[number])
        its = self.photos.of(number)
        return Entry(
            item_id=item_id, rows=self.photos.rows[its], signatures=self.photos.signatures[its], terms=terms
        )

    def search(self, query: Query, count: int, chosen: Filter, *, exact: bool) -> tuple[Hit, ...]:
        """The most similar items, `count` of them where there are so many."""
        left = narrowed(self.alive, chosen, self._having)
        excluded = [number for one in chosen.exclude if (number := self.find(one)) is not None]
        if excluded:
            left = left.copy()
            left[excluded] = False
        found = None if exact else self._by_graph(query, count, left)
        if found is None:
            found = self.photos.nearest(query, count, left)
        return ordered(found.hits(self.photos, [self.ids[int(item)] for item in found.items]), count)

    def _by_graph(self, query: Query, count: int, left: Bools) -> Found | None:
        """By the graph, looking further until enough items are left; nothing where it cannot tell them all."""
        usable = int(np.count_nonzero(left))
        if self.graph is None or usable <= min(FEW, len(left) // 2):
            return None
        wanted = math.ceil(_AHEAD * count * len(self.photos) / usable)
        while wanted <= _MOST_LOOKED_AT:
            rows = self.graph.nearest(query.coarse, wanted)
            which = rows[left[self.photos.owners[rows]]]
            if len(np.unique(self.photos.owners[which])) >= count:
                return self.photos.ranked(query, count, which)
            wanted *= 4
        return None

    def _having(self, term: str) -> Numbers:
        number = self.terms.find(term)
        return np.empty(0, np.int32) if number is None else self.members[number]


def empty(dimension: int) -> Base:
    """Before the first checkpoint."""
    rows, owners = np.empty((0, dimension), np.int8), np.empty(0, np.int32)
    photos = Photos(rows, np.empty(0, np.float32), owners, unknown(0))
    nothing = Lists.of(())
    return Base(
        ids=Names.none(),
        terms=Names.none(),
        of_items=nothing,
        members=nothing,
        alive=np.empty(0, np.bool_),
        photos=photos,
    )


def open_base(folder: Path, identity: Identity, effort: Effort, *, verify: bool) -> Base:
    """A checkpoint, viewed.

    Args:
        verify: read each file once and compare its digest. A damaged graph that is not looked for may end the process.

    Raises:
        SearchIndexError: a file is missing, truncated, damaged, or of another model or dimension.
        MissingExtraError: it has a graph, and usearch is not installed.
    """
    manifest = read_value(folder / MANIFEST, BaseManifest)
    if manifest.identity != identity:
        raise SearchIndexError(f"{folder / MANIFEST}: expected {identity}, found {manifest.identity}")
    for name, entry in manifest.files.items():
        _check(folder / name, entry, verify=verify)
    arrays = {Path(name).stem: _array(folder / name) for name in manifest.files if name.endswith(".npy")}
    graph = None
    if manifest.connectivity is not None:
        chosen = Effort(connectivity=manifest.connectivity, adding=effort.adding, searching=effort.searching)
        graph = Graph(folder / GRAPH, (manifest.rows, identity.dimension), chosen)
    try:
        rows = arrays[ROWS] if graph is None else graph.rows
        return Base(
            ids=Names.from_arrays(arrays, "ids"),
            terms=Names.from_arrays(arrays, "terms"),
            of_items=Lists.from_arrays(arrays, "of_items"),
            members=Lists.from_arrays(arrays, "members"),
            alive=arrays["alive"].copy(),
            photos=Photos(rows, arrays["lengths"], arrays["owners"], arrays["signatures"]),
            graph=graph,
            connectivity=manifest.connectivity,
            folder=folder,
        )
    except KeyError as error:
        raise SearchIndexError(
            f"{folder / MANIFEST}: expected a file '{error.args[0]}.npy', found none"
        ) from error


def read_value(path: Path, kind: type[M]) -> M:
    """A JSON file of an index as what it holds.

    Raises:
        SearchIndexError: it cannot be read, or a field is wrong.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SearchIndexError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise SearchIndexError(f"{path}: {first_fault(error, 'content')}") from error


def _check(path: Path, entry: FileEntry, *, verify: bool) -> None:
    try:
        found = path.stat().st_size
        if found != entry.bytes:
            raise SearchIndexError(f"{path}: expected {entry.bytes} bytes, found {found}")
        if verify and (digest := file_digest(path)) != entry.sha256:
            raise SearchIndexError(f"{path}: expected SHA-256 {entry.sha256}, found {digest}")
    except OSError as error:
        raise SearchIndexError(f"{path}: cannot be read: {error.strerror}") from error


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _array(path: Path) -> npt.NDArray[Any]:
    """A plain view: numpy's own memory-mapped arrays are slow in small pieces."""
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
