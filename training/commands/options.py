"""Options of the commands that read a manifest, and the manifest they describe."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from training.data import check_files
from training.manifest import Item, Manifest, read_manifest, refuse_straddling

Data = Annotated[
    Path,
    typer.Option(help="A manifest CSV (path, label, split, group), or a folder with one sub-folder a class."),
]
Images = Annotated[
    Path | None, typer.Option(help="What the manifest's paths are relative to; its own folder by default.")
]
SplitColumn = Annotated[str, typer.Option(help="The column that says train, val or test.")]
GroupColumn = Annotated[
    str,
    typer.Option(
        help="The column that ties pictures of one part or batch; 'none': every picture stands alone."
    ),
]
Where = Annotated[list[str], typer.Option(help="COLUMN=VALUE: only these rows. May be given several times.")]
Good = Annotated[
    str | None,
    typer.Option(help="The label of a good part; by default the only one of good, ok, functional, free."),
]


def split_list(given: str | None) -> tuple[str, ...]:
    """The parts of an option such as `a,b,c`."""
    return tuple(part.strip() for part in (given or "").split(",") if part.strip())


def manifest_of(
    data: Path,
    images: Path | None,
    split_column: str,
    group_column: str,
    where: list[str],
    *,
    label_columns: Sequence[str] = ("label",),
    strict: bool = True,
) -> Manifest:
    """Read the manifest that the options describe.

    Raises:
        ManifestError: it cannot be used; with `strict` also when a group lies in two splits.
    """
    manifest = read_manifest(
        data,
        images=images,
        split_column=split_column,
        group_column=group_column,
        label_columns=label_columns,
        where=where,
    )
    if strict:
        refuse_straddling(manifest)
    return manifest


def items_of(manifest: Manifest, split: str) -> tuple[Item, ...]:
    """One split's items, their files there.

    Raises:
        ManifestError: no such split, or files are missing.
    """
    items = manifest.split(split)
    check_files(items)
    return items
