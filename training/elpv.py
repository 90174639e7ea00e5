"""The solar cells of the demo: real electroluminescence pictures from the PyPI package `elpv-dataset`.

2,624 cells of 44 modules with and without defects (Deitsch et al. 2019, Solar Energy 185; Buerhop-Lutz et al. 2018),
CC BY-NC-SA 4.0: read from their package, none is part of Loupe. Which cells belong to one module is not published; the
blocks below are ours, of neighbouring cells of one kind, and stand for modules, so that cells of one module do not lie on
both sides of a split.
"""

import csv
import importlib.util
import io
from pathlib import Path
from typing import Final

from vision.errors import ManifestError, MissingExtraError
from vision.files import write_bytes

NOTICE: Final = (
    "Pictures: ELPV dataset (Buerhop-Lutz, Deitsch et al.), CC BY-NC-SA 4.0: for non-commercial use, with this notice. "
    "The report of the demo and the golden set of its bundle contain some of them."
)

# (last cell, split) of each block, in the order of the cells: t train, v val, e test. Some modules were photographed twice
# (cells 1675-1856 come again from 2217 on), and some blocks cut a module apart: those lie in one split here.
_BLOCKS: Final = (
    (60, "e"),
    (120, "e"),
    (183, "e"),
    (240, "t"),
    (314, "t"),
    (360, "t"),
    (436, "v"),
    (480, "t"),
    (540, "t"),
    (614, "t"),
    (650, "t"),
    (724, "v"),
    (780, "v"),
    (840, "e"),
    (900, "v"),
    (951, "t"),
    (1020, "t"),
    (1080, "e"),
    (1137, "v"),
    (1200, "t"),
    (1245, "t"),
    (1314, "e"),
    (1374, "t"),
    (1444, "v"),
    (1494, "e"),
    (1554, "t"),
    (1614, "v"),
    (1674, "e"),
    (1713, "e"),
    (1747, "e"),
    (1822, "e"),
    (1856, "e"),
    (1893, "t"),
    (1964, "t"),
    (2008, "t"),
    (2084, "t"),
    (2144, "t"),
    (2216, "t"),
    (2276, "e"),
    (2315, "e"),
    (2349, "e"),
    (2396, "e"),
    (2444, "v"),
    (2504, "t"),
    (2564, "t"),
    (2624, "t"),
)
_SPLITS: Final = {"t": "train", "v": "val", "e": "test"}


def images() -> Path:
    """The folder that the package's picture names are relative to.

    Raises:
        MissingExtraError: the package is not installed.
    """
    found = importlib.util.find_spec("elpv_dataset")
    if found is None or found.origin is None:
        raise MissingExtraError("demo", "elpv-dataset")
    return Path(found.origin).parent / "data"


def write_manifest(path: Path) -> None:
    """Write the manifest of all cells: label, split, group (our block), cell type, defect probability.

    A cell counts as defective from a published probability of 2/3 (of 0, 1/3, 2/3, 1).

    Raises:
        ManifestError: the package's own table is not as known.
        MissingExtraError: the package is not installed.
    """
    table = images() / "labels.csv"
    rows = [line.split() for line in table.read_text().splitlines() if line.strip()]
    if len(rows) != _BLOCKS[-1][0] or any(len(row) != 3 for row in rows):
        raise ManifestError(
            f"{table}: expected {_BLOCKS[-1][0]} rows of path, probability and type, found {len(rows)}"
        )
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["path", "label", "split", "group", "cell_type", "defect_probability"])
    block = 0
    for cell, (name, probability, kind) in enumerate(rows, start=1):
        block += cell > _BLOCKS[block][0]
        label = "defective" if float(probability) > 0.5 else "functional"
        writer.writerow(
            [
                name,
                label,
                _SPLITS[_BLOCKS[block][1]],
                f"block-{block:02d}",
                kind,
                f"{float(probability):.2f}",
            ]
        )
    write_bytes(path, text.getvalue().encode())
