"""Products that people corrected, as items: what `loupe catalog lessons` took away from a server, its columns called as a model's.

Takes the exported manifest, beside which the photos lie. Gives a row a photo; the group is the product, and the split train where the export
says none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from training.data import check_files
from training.manifest import Item, Manifest, read_manifest, refuse_straddling
from vision.errors import ManifestError

_TITLE: Final = "title"  # as it is exported, whatever a model's own column was called


def read_corrections(
    file: Path, *, levels: Sequence[str], titles: Iterable[str] = (), attributes: Iterable[str] = ()
) -> tuple[Item, ...]:
    """The rows of an export, with every column that a model of these reads.

    Args:
        titles: columns of titles, which hold the exported ones where the file has no such columns.
        attributes: columns of attributes. The export has none for what no product told; it is empty then.

    Raises:
        ManifestError: the manifest cannot be used, has no titles where some are expected, or photos are missing.
    """
    titles, attributes = tuple(titles), tuple(attributes)
    items = read_manifest(file, label_columns=levels).items
    missing = [one for one in titles if not {one, _TITLE} & items[0].columns.keys()]
    if missing:
        raise ManifestError(
            f"{file}: expected a column '{_TITLE}' or '{missing[0]}', found: {', '.join(items[0].columns)}"
        )
    check_files(items)
    return tuple(
        replace(
            item,
            split=item.columns.get("split") or "train",
            columns=_called(item.columns, titles, attributes),
        )
        for item in items
    )


def _called(
    columns: Mapping[str, str], titles: Iterable[str], attributes: Iterable[str]
) -> Mapping[str, str]:
    return {**dict.fromkeys(attributes, ""), **dict.fromkeys(titles, columns.get(_TITLE, "")), **columns}


def to_learn(corrections: Iterable[Item], manifest: Manifest) -> tuple[Item, ...]:
    """Those of the train split, to be learned from beside the manifest's.

    Raises:
        ManifestError: one is of a product that the manifest keeps for another split.
    """
    found = tuple(item for item in corrections if item.split == "train")
    refuse_straddling(replace(manifest, items=(*manifest.items, *found)))
    return found
