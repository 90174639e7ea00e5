"""What is wrong with a data set, found on its files: the engine behind `loupe data check`.

Takes a `Manifest`, gives an `Audit` of frozen findings. Above all it looks for leaks: the same picture, nearly the
same picture or the same group in two splits, which make a test result worthless. It changes no file and does
not know how a finding is shown.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from training.duplicates import clusters, find_alike
from training.findings import Finding, and_more, worst_first
from training.looks import Look, look_at
from training.manifest import SPLITS, Item, Manifest, straddling_groups
from training.unusual import unusual_classes, unusual_pictures
from vision.errors import ImageError, ManifestError

Copy: TypeAlias = Literal["duplicate", "near-duplicate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The result, worst findings first.

    Attributes:
        pictures: rows of the manifest.
        readable: rows whose picture could be decoded.
        counts: rows by split and label, zeros included.
    """

    source: str
    pictures: int
    readable: int
    counts: Mapping[str, Mapping[str, int]]
    findings: tuple[Finding, ...]

    @property
    def leaks(self) -> bool:
        """Whether a picture, a near-duplicate or a group lies in two splits."""
        return any(finding.leak for finding in self.findings)

    @property
    def tally(self) -> dict[str, int]:
        """How many findings there are of each kind, in their order."""
        return dict(Counter(finding.kind for finding in self.findings))

    def to_json(self) -> dict[str, Any]:
        """The audit in JSON's types, every list whole."""
        return {
            "source": self.source,
            "leaks": self.leaks,
            "pictures": self.pictures,
            "readable": self.readable,
            "counts": {split: dict(labels) for split, labels in self.counts.items()},
            "tally": self.tally,
            "findings": [{**asdict(found), "paths": list(found.paths)} for found in self.findings],
        }


def audit(
    manifest: Manifest, *, good: str | None = None, advance: Callable[[int], None] = lambda _: None
) -> Audit:
    """Look at every picture once and say what is wrong with the set.

    Args:
        good: the label of a good part; the others are then held against it together.
        advance: called with the number of rows done since the last call.

    Raises:
        ManifestError: no picture carries the label `good`.
    """
    if good is not None and good not in manifest.labels:
        raise ManifestError(
            f"{manifest.source}: expected the good label to be one of {', '.join(manifest.labels)}, "
            f"found '{good}'"
        )
    paths = list(dict.fromkeys(item.path for item in manifest.items))
    results = dict(zip(paths, look_at(paths, advance), strict=True))
    advance(len(manifest.items) - len(paths))  # a path listed twice is looked at once
    looks = {path: result for path, result in results.items() if isinstance(result, Look)}
    seen = [item for item in manifest.items if item.path in looks]
    counts = _counts(manifest)
    findings = [
        *_unreadable(results),
        *_straddling(manifest),
        *_repeated(seen, looks),
        *unusual_classes(counts, good),
        *unusual_pictures(list(looks.values())),
    ]
    return Audit(
        source=str(manifest.source),
        pictures=len(manifest.items),
        readable=len(seen),
        counts=counts,
        findings=worst_first(findings),
    )


def _counts(manifest: Manifest) -> dict[str, dict[str, int]]:
    found = Counter((item.split, item.label) for item in manifest.items)
    splits = {item.split for item in manifest.items}
    order = [name for name in SPLITS if name in splits] + sorted(splits - set(SPLITS))
    return {split: {label: found[split, label] for label in manifest.labels} for split in order}


def _unreadable(results: Mapping[Path, Look | ImageError]) -> Iterator[Finding]:
    for path, result in results.items():
        if isinstance(result, ImageError):
            message = str(result) if str(path) in str(result) else f"{path}: {result}"
            yield Finding(kind="unreadable", severity="error", message=message, paths=(str(path),))


def _straddling(manifest: Manifest) -> Iterator[Finding]:
    """Groups in two splits. A picture that stands alone is its own group; listed twice, it is a duplicate."""
    straddling = straddling_groups(manifest.items) if manifest.grouped else {}
    members: dict[str, list[Item]] = {group: [] for group in straddling}
    for item in manifest.items:
        if item.group in members:
            members[item.group].append(item)
    for group, splits in straddling.items():
        paths = _paths(members[group])
        yield Finding(
            kind="straddling-group",
            severity="error",
            message=f"{paths[0]}: expected its group '{group}' in one split, found it in {' and '.join(splits)}"
            f"{and_more(paths)}",
            paths=paths,
            leak=True,
        )


def _repeated(items: Sequence[Item], looks: Mapping[Path, Look]) -> Iterator[Finding]:
    """Pictures that are there more than once: the same pixels, nearly the same, or a family that looks alike."""
    by_pixels: dict[str, list[Item]] = {}
    for item in items:
        by_pixels.setdefault(looks[item.path].pixels, []).append(item)
    same = list(by_pixels.values())
    if not same:
        return
    alike = find_alike(np.stack([looks[members[0].path].grey for members in same]))

    def members_of(indices: Sequence[int]) -> list[Item]:
        return [item for index in indices for item in same[index]]

    yield from _copies("duplicate", [members for members in same if len(members) > 1], looks)
    yield from _copies(
        "near-duplicate", [members_of(found) for found in clusters(len(same), alike.near)], looks
    )
    for found in clusters(len(same), alike.family):
        yield from _family(members_of(found))


def _copies(kind: Copy, repeated: Sequence[list[Item]], looks: Mapping[Path, Look]) -> Iterator[Finding]:
    contained = []
    for members in repeated:
        one, other = _apart(members, lambda item: item.split)
        crosses_splits = other is not one
        if not crosses_splits:
            one, other = _apart(members, lambda item: item.group)
        if other is one:
            contained.append(members)
        else:
            where = f"its copies in one {'split' if crosses_splits else 'group'}"
            yield Finding(
                kind=kind,
                severity="error" if crosses_splits else "warning",
                message=f"{_named(one)}: expected {where}, found {_likeness(kind, one, other, looks)} as "
                f"{_named(other)}{and_more(members, 2)}",
                paths=_paths(members),
                leak=crosses_splits,
            )
        yield from _conflict(kind, members, looks)
    if contained:
        yield _contained(kind, contained, looks)


def _conflict(kind: Copy, members: Sequence[Item], looks: Mapping[Path, Look]) -> Iterator[Finding]:
    """Near-duplicates only warn: the same part may have been photographed again after it was damaged."""
    one, other = _apart(members, lambda item: item.label)
    if one is not other:
        yield Finding(
            kind="conflicting-labels",
            severity="error" if kind == "duplicate" else "warning",
            message=f"{one.path}: expected one label, found '{one.label}' and, for "
            f"{_likeness(kind, one, other, looks)} at {other.path}, '{other.label}'{and_more(members, 2)}",
            paths=_paths(members),
        )


def _contained(kind: Copy, repeated: Sequence[list[Item]], looks: Mapping[Path, Look]) -> Finding:
    one, other = repeated[0][:2]
    return Finding(
        kind=kind,
        severity="info",
        message=f"{one.path}: expected every picture once, found {_likeness(kind, one, other, looks)} as "
        f"{other.path} in its own group and split{and_more(repeated)}",
        paths=_paths([item for members in repeated for item in members]),
    )


def _family(members: Sequence[Item]) -> Iterator[Finding]:
    """A warning alone: parts of one type may lie in two splits, frames of one film may not."""
    one, other = _apart(members, lambda item: item.split)
    if one is not other:
        yield Finding(
            kind="look-alike",
            severity="warning",
            message=f"{_named(one)}: expected other pictures in other splits, found {len(members)} that look alike "
            f"as nothing else does, among them {_named(other)}; if they show one part, give them one group",
            paths=_paths(members),
        )


def _apart(members: Sequence[Item], trait: Callable[[Item], str]) -> tuple[Item, Item]:
    """The first item and the first that differs from it in the trait; the first twice when none does."""
    one = members[0]
    return one, next((item for item in members if trait(item) != trait(one)), one)


def _likeness(kind: Copy, one: Item, other: Item, looks: Mapping[Path, Look]) -> str:
    if one.path == other.path:
        return "the same path"
    if looks[one.path].sha256 == looks[other.path].sha256:
        return "the same file"
    return "the same pixels" if kind == "duplicate" else "nearly the same picture"


def _named(item: Item) -> str:
    return f"{item.path} ({item.split})"


def _paths(items: Sequence[Item]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(item.path) for item in items))
