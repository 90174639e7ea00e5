"""Tables of products of the tests' shop, with their photos."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.catalog_bundles import KINDS, WORDS, photo
from vision.image import encode_png


def photos(folder: Path) -> Path:
    """A folder with a photo a kind, `KIND.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        (folder / f"{kind}.png").write_bytes(encode_png(photo(kind, 300)))
    return folder


def rows(count: int) -> list[dict[str, str]]:
    """Products of every kind in turn, with photo and title."""
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    return [
        {"id": f"item-{number}", "path": f"{kind}.png", "title": f"One {WORDS[kind][0]}"}
        for number, kind in enumerate(kinds)
    ]


def kind_of(number: int) -> str:
    return KINDS[number % len(KINDS)]


def table(path: Path, lines: Iterable[Mapping[str, str]]) -> Path:
    """A CSV of these rows; the first names the columns."""
    listed = list(lines)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, listed[0], restval="")
        writer.writeheader()
        writer.writerows(listed)
    return path


def results(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
