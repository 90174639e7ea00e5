"""Candidates in a folder, as `vision.imagery.kept` reads them and people look at them; nothing that is there already is written over.

    index.html                  the page to look at
    photo.jpg, alpha.png        what every candidate is made from
    style.jpg                   likewise, where there is a style picture
    candidate-1.png .json       master and manifest
    candidate-1-preview.jpg     for the page
    candidate-1-difference.png  black where the product was left alone

Takes candidates and a path. It makes no pixels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vision.errors import ImageryError
from vision.files import write_bytes
from vision.image import read_header
from vision.imagery.brief import Brief
from vision.imagery.create import Candidate
from vision.imagery.cutout.photo import PHOTO_LIMITS
from vision.imagery.kept import ALPHA, PHOTO, STYLE, SUFFIXES
from vision.imagery.sheet import DIFFERENCE, MANIFEST, MASTER, PREVIEW, file_name, page

INDEX: Final = "index.html"


def check_free(folder: Path, count: int) -> None:
    """Refuse a folder that holds what would be written there, or a photo that would be taken for that of the candidates.

    Other files in it are left alone.

    Raises:
        ImageryError: the message names the first such file.
    """
    own = [INDEX, ALPHA, *(f"{stem}{suffix}" for stem in (PHOTO, STYLE) for suffix in SUFFIXES.values())]
    own += [
        file_name(number, suffix)
        for number in range(1, count + 1)
        for suffix in (MASTER, MANIFEST, PREVIEW, DIFFERENCE)
    ]
    for name in own:
        if (folder / name).exists():
            raise ImageryError(
                f"{folder}: expected a folder without {name}, found one; nothing is written over, choose another folder"
            )


def write_inputs(folder: Path, photo: bytes, alpha_png: bytes, style: bytes | None = None) -> None:
    """Write what all candidates share; pictures are called by their format.

    Raises:
        ImageError: one is no picture.
        StorageError: the disk refused.
    """
    write_bytes(folder / _named(PHOTO, photo), photo, sync=False)
    write_bytes(folder / ALPHA, alpha_png, sync=False)
    if style is not None:
        write_bytes(folder / _named(STYLE, style), style, sync=False)


def _named(stem: str, picture: bytes) -> str:
    return f"{stem}{SUFFIXES[read_header(picture, name=stem, limits=PHOTO_LIMITS).format]}"


def write_candidate(folder: Path, candidate: Candidate) -> dict[str, str]:
    """Write one candidate, its manifest last; the paths by what they hold.

    Raises:
        StorageError: the disk refused.
    """
    written = {}
    for what, suffix, data in (
        ("master", MASTER, candidate.master_png),
        ("preview", PREVIEW, candidate.preview_jpeg),
        ("difference", DIFFERENCE, candidate.difference_png),
        ("manifest", MANIFEST, candidate.manifest.canonical()),
    ):
        path = folder / file_name(candidate.number, suffix)
        write_bytes(path, data)
        written[what] = str(path)
    return written


def write_page(folder: Path, brief: Brief, candidates: Sequence[Candidate], warnings: Sequence[str]) -> Path:
    """Write the page over the candidates there are.

    Raises:
        StorageError: the disk refused.
    """
    path = folder / INDEX
    write_bytes(path, page(brief, candidates, warnings).encode())
    return path
