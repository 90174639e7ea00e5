"""What there is to learn from: a manifest CSV or a folder of folders, as frozen items.

Takes a CSV with the columns `path` and `label` (and, where present, `split`, `group` and any others), or a folder
with one sub-folder a class. Gives a `Manifest`. Opens no picture: that is `training.audit` and `training.data`.
"""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from vision.errors import ManifestError
from vision.image import IMAGE_SUFFIXES

SPLITS: Final = ("train", "val", "test")
GOOD_LABELS: Final = ("good", "ok", "functional", "free")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One picture. `group` ties pictures that must stay together (one module, one part, one batch)."""

    path: Path
    label: str
    split: str
    group: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Items in file order; `labels` sorted, so that class indices do not depend on row order."""

    source: Path
    items: tuple[Item, ...]
    grouped: bool

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted({item.label for item in self.items}))

    def split(self, name: str) -> tuple[Item, ...]:
        """The items of one split.

        Raises:
            ManifestError: there is no such split.
        """
        chosen = tuple(item for item in self.items if item.split == name)
        if not chosen:
            found = ", ".join(sorted({item.split for item in self.items}))
            raise ManifestError(f"{self.source}: expected rows with split '{name}', found splits: {found}")
        return chosen

    def where(self, keep: Callable[[Item], bool]) -> "Manifest":
        """Only the items for which `keep` is true."""
        return replace(self, items=tuple(item for item in self.items if keep(item)))

    def digest(self) -> str:
        """SHA-256 over labels, splits, groups and file names: which data a model was made from."""
        rows = sorted(
            f"{item.columns.get('path', item.path.name)}|{item.label}|{item.split}|{item.group}"
            for item in self.items
        )
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def read_manifest(
    source: Path,
    *,
    images: Path | None = None,
    split_column: str = "split",
    group_column: str = "group",
    label_columns: Sequence[str] = ("label",),
    where: Iterable[str] = (),
) -> Manifest:
    """Read a manifest CSV, or a folder with one sub-folder a class (optionally below `train/`, `val/`, `test/`).

    Args:
        images: what the CSV's paths are relative to; the CSV's own folder when absent.
        label_columns: columns of labels, from the coarsest; an item's label is its last that is not empty.
        group_column: the column that ties pictures together; `none` when every picture stands alone.
        where: `COLUMN=VALUE` filters; all must hold.

    Raises:
        ManifestError: naming the file, the row and the column, with what was expected and found.
    """
    if source.is_dir():
        manifest = _read_folder(source)
    elif source.is_file():
        columns = _Columns(split=split_column, group=group_column, labels=tuple(label_columns))
        manifest = _read_csv(source, images or source.parent, columns)
    else:
        raise ManifestError(f"{source}: expected a manifest CSV or a folder of folders, found nothing")
    manifest = _filter(manifest, where)
    if not manifest.items:
        raise ManifestError(f"{source}: expected at least one picture, found none")
    return manifest


def good_label(manifest: Manifest, asked: str | None) -> str:
    """The label that means a good part: the one asked for, or the only usual one there is.

    Raises:
        ManifestError: one class only, an unknown label, or no single usual one.
    """
    labels = manifest.labels
    if len(labels) < 2:
        raise ManifestError(
            f"{manifest.source}: expected at least two labels, found {len(labels)}: {', '.join(labels)}"
        )
    if asked is not None:
        if asked not in labels:
            raise ManifestError(
                f"{manifest.source}: expected --good to be one of {', '.join(labels)}, found '{asked}'"
            )
        return asked
    usual = [label for label in labels if label.lower() in GOOD_LABELS]
    if len(usual) != 1:
        raise ManifestError(
            f"{manifest.source}: name the label of a good part with --good; expected exactly one of "
            f"{', '.join(GOOD_LABELS)}, found {', '.join(usual) or 'none of them'} among {', '.join(labels)}"
        )
    return usual[0]


def straddling_groups(items: Iterable[Item]) -> dict[str, list[str]]:
    """Groups that lie in more than one split, with those splits."""
    splits: dict[str, set[str]] = {}
    for item in items:
        splits.setdefault(item.group, set()).add(item.split)
    return {group: sorted(found) for group, found in splits.items() if len(found) > 1}


def refuse_straddling(manifest: Manifest) -> None:
    """Stop before a model is judged on pictures of parts it was trained on.

    Raises:
        ManifestError: a group lies in two splits.
    """
    straddling = straddling_groups(manifest.items)
    if straddling:
        group, splits = next(iter(straddling.items()))
        raise ManifestError(
            f"{manifest.source}: expected each group in one split, found group '{group}' in {' and '.join(splits)} "
            f"({len(straddling)} such groups); mend the split, or pass --group-column none to say that "
            "pictures are independent"
        )


def check_labels(items: Iterable[Item], labels: tuple[str, ...]) -> None:
    """Refuse pictures of a kind that a model does not know.

    Raises:
        ManifestError: a label is not among the model's.
    """
    unknown = {item.label for item in items} - set(labels)
    if unknown:
        raise ManifestError(f"expected the model's labels {', '.join(labels)}, found '{min(unknown)}'")


def carve(
    items: tuple[Item, ...], fraction: float, *, seed: int = 0
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Split items into (kept, carved) by whole groups, the carved part near `fraction` of each label.

    Groups are visited in an order fixed by a hash of their name, so adding a group moves no other. A group is
    carved while that brings the carved label counts nearer to the wanted ones.

    Raises:
        ManifestError: no whole group can be carved and leave every label on both sides.
    """
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    wanted = {label: fraction * count for label, count in Counter(item.label for item in items).items()}
    order = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).hexdigest())
    carved: set[str] = set()
    have: Counter[str] = Counter()
    for name in order:
        counts = Counter(item.label for item in groups[name])
        if _distance(have + counts, wanted) < _distance(have, wanted):
            carved.add(name)
            have += counts
    kept = tuple(item for item in items if item.group not in carved)
    taken = tuple(item for item in items if item.group in carved)
    for part, role in ((kept, "train"), (taken, "tune")):
        missing = set(wanted) - {item.label for item in part}
        if missing:
            raise ManifestError(
                f"expected every label in the {role} part, found no '{min(missing)}'; "
                f"{len(items)} pictures in {len(groups)} groups are too few to carve {fraction:.0%} by group"
            )
    return kept, taken


def _distance(have: Mapping[str, int], wanted: Mapping[str, float]) -> float:
    return sum(abs(have.get(label, 0) - target) / target for label, target in wanted.items())


def _read_folder(root: Path) -> Manifest:
    children = {child.name for child in root.iterdir() if child.is_dir() and not child.name.startswith(".")}
    has_splits = bool(children & set(SPLITS))
    if has_splits and not children <= set(SPLITS):
        raise ManifestError(
            f"{root}: expected folders named {', '.join(SPLITS)} alone, or a folder a class, "
            f"found both: {', '.join(sorted(children))}"
        )
    items = []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        parts = Path(name).parts
        depth = 2 if has_splits else 1
        if any(part.startswith(".") for part in parts):
            continue  # .ipynb_checkpoints/, and ._NAME.jpg as macOS leaves them
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and len(parts) > depth:
            split = parts[0] if has_splits else _split_of(name)
            columns = {"path": name}
            items.append(Item(path=path, label=parts[depth - 1], split=split, group=name, columns=columns))
    return Manifest(source=root, items=tuple(items), grouped=False)


def _split_of(name: str) -> str:
    """A lasting split for a picture, or a group of them, that has none: 60 % train, 20 % val, 20 % test, by a hash."""
    tenth = hashlib.sha256(name.encode()).digest()[0] % 10
    return "train" if tenth < 6 else "val" if tenth < 8 else "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """What a CSV's columns are called; a missing group column means that every picture stands alone."""

    split: str
    group: str | None
    labels: tuple[str, ...]


def _read_csv(source: Path, images: Path, columns: _Columns) -> Manifest:
    try:
        text = source.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{source}: cannot be read as UTF-8 text: {error}") from error
    # strict: or an open quote swallows the rows after it
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        return _read_rows(source, reader, images, columns)
    except csv.Error as error:
        raise ManifestError(
            f"{source}: line {reader.reader.line_num}: cannot be read as CSV: {error}"
        ) from error


def _read_rows(source: Path, reader: "csv.DictReader[str]", images: Path, columns: _Columns) -> Manifest:
    found = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = found
    required = ["path", *columns.labels, *([columns.split] if columns.split != "split" else [])]
    if columns.group is not None and columns.group not in {"group", "none"}:
        required.append(columns.group)
    for column in required:
        if column not in found:
            raise ManifestError(
                f"{source}: expected a column '{column}', found: {', '.join(found) or 'no header'}"
            )
    grouped = columns.group in found
    known = columns if grouped else replace(columns, group=None)
    items = tuple(_item(source, reader.line_num, row, images, known) for row in reader)
    return Manifest(source=source, items=items, grouped=grouped)


def _item(
    source: Path, line: int, row: Mapping[str | None, str | None], images: Path, columns: _Columns
) -> Item:
    values = {key: (value or "").strip() for key, value in row.items() if key is not None}
    label = next((values[column] for column in reversed(columns.labels) if values[column]), "")
    for column, value in (("path", values["path"]), (columns.labels[0], label)):
        if not value:
            raise ManifestError(f"{source}: line {line}: expected a value in '{column}', found none")
    group = values.get(columns.group or "") or values["path"]
    split = values.get(columns.split) or _split_of(group)
    if columns.split == "split" and split not in SPLITS:
        raise ManifestError(
            f"{source}: line {line}: expected split to be one of {', '.join(SPLITS)}, found '{split}'"
        )
    return Item(
        path=images / values["path"],
        label=label,
        split=split,
        group=group,
        columns=values,
    )


def _filter(manifest: Manifest, where: Iterable[str]) -> Manifest:
    for condition in where:
        column, equals, value = condition.partition("=")
        if not equals:
            raise ManifestError(f"--where: expected COLUMN=VALUE, found '{condition}'")
        if manifest.items and column not in manifest.items[0].columns:
            found = ", ".join(manifest.items[0].columns) or "none"
            raise ManifestError(f"{manifest.source}: expected a column '{column}', found: {found}")
        manifest = manifest.where(lambda item, c=column, v=value: item.columns.get(c) == v)  # type: ignore[misc]
    return manifest
