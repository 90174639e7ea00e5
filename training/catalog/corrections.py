"""Products that people corrected, as items: what `loupe catalog lessons` took away from a server, its columns called as a model's.

Takes the exported manifest, beside which the photos lie. Gives a row a photo; the group is the product.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from training.data import check_files
from training.manifest import Item, read_manifest

_TITLE: Final = "title"  # as it is exported, whatever a model's own column was called


def read_corrections(
    file: Path, *, levels: Sequence[str], titles: Iterable[str] = (), attributes: Iterable[str] = ()
) -> tuple[Item, ...]:
    """The rows of an export, with every column that a model of these reads.

    Args:
        titles: columns of titles, which hold the exported ones where the export has not those columns.
        attributes: columns of attributes. The export has none for what no product told; it is empty then.

    Raises:
        ManifestError: the manifest cannot be used, or photos are missing.
    """
    items = read_manifest(file, label_columns=levels).items
    check_files(items)
    titles, attributes = tuple(titles), tuple(attributes)
    return tuple(replace(item, columns=_called(item.columns, titles, attributes)) for item in items)


def _called(
    columns: Mapping[str, str], titles: Iterable[str], attributes: Iterable[str]
) -> Mapping[str, str]:
    told = dict.fromkeys(titles, columns[_TITLE]) if _TITLE in columns else {}
    return {**dict.fromkeys(attributes, ""), **told, **columns}
