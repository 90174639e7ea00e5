"""An index made anew from what is known of the items elsewhere, such as a database."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from vision.catalog.search import folder as places
from vision.catalog.search.base import Identity, empty
from vision.catalog.search.checkpoint import Source, write_base
from vision.catalog.search.entry import entry_of
from vision.catalog.search.index import Options
from vision.catalog.search.recent import Recent
from vision.catalog.search.values import Item
from vision.files import atomic_folder


def rebuild(
    folder: Path, items: Iterable[Item], *, model: str, dimension: int, options: Options | None = None
) -> None:
    """Make an index of items, and put it in the place of the one in the folder, of whatever model and damaged or not.

    The one that is there is kept until the new one is complete. All items are held in memory in compact form: about two gigabytes for a
    million. A graph takes about 0.3 ms a row.

    Args:
        items: of several with one id, the last counts.

    Raises:
        InputError: an item is not as it should be; it is named.
        SearchIndexError: the folder holds something else.
        StorageError: another process has it open, or the disk refused.
        MissingExtraError: a graph is due, and usearch is not installed.
    """
    options = options or Options()
    identity = Identity(model=model, dimension=dimension)
    places.refuse_other(folder)
    with ExitStack() as stack:
        if folder.exists():
            stack.enter_context(places.locked(folder))
        gathered = Recent(dimension)
        for item in items:
            gathered.put(entry_of(item, dimension))
        base = empty(dimension)
        source = Source(base=base, alive=base.alive, entries=tuple(gathered.entries()))
        unfinished = stack.enter_context(atomic_folder(folder))
        written = places.checkpoint_path(unfinished, 1)
        written.mkdir()
        write_base(written, source, identity, effort=options.effort, graph_from=options.graph_from)
        places.begin(unfinished, identity, 1)
