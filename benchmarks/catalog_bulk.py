"""A table of products through `loupe catalog categorize`'s work, against decoding and model alone in the same process.

    python -m benchmarks.catalog_bulk [--bundle BUNDLE] [--photo FILE] [--rows N] [--rounds N]

Every row has a photo, a title and attributes. The ceiling decodes the same photo as often and runs the same model on all cores, with a decode
pool that keeps ahead; it reads no title, decides nothing and writes nothing. Both in turns, each on threads of its own. Without `--bundle`
the tests' shop is categorised, whose model takes next to no time: that ratio shows what a row costs beside its model, and has no target.
Prints JSON.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

import csv
import statistics
import tempfile
import time

import numpy as np

from benchmarks.ceiling import throughput
from benchmarks.common import Figure, emit, parser
from tests.catalog_bundles import make_catalog_bundle
from tests.pictures import smooth
from vision.bundle import open_bundle
from vision.catalog.bulk.here import Here
from vision.catalog.bulk.items import choose_columns
from vision.catalog.bulk.job import Job, run
from vision.catalog.categorize import Categorizer
from vision.image import Pixels, encode_jpeg
from vision.machine import this_machine
from vision.preprocess import prepare_bytes
from vision.qualify import Choice, choose

_TITLE = "Men's Classic Cotton Crew Neck Short Sleeve T-Shirt with Embroidered Logo, Navy Blue, No. {}"
_BATCH = 8


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--bundle", type=Path)
    options.add_argument("--photo", type=Path)
    options.add_argument("--rows", type=int, default=1024)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.bundle or make_catalog_bundle(Path(folder) / "shop.loupe").path
        opened = open_bundle(path)
        categorizer = Categorizer(opened, choice=Choice(file=choose(opened).file, threads=1))
        data = given.photo.read_bytes() if given.photo else encode_jpeg(smooth(800, 1000), quality=90)
        target = ">= 0.95" if given.bundle else None
        emit(measured(categorizer, data, Path(folder), rows=given.rows, rounds=given.rounds, target=target))


def measured(
    categorizer: Categorizer, photo: bytes, folder: Path, *, rows: int, rounds: int, target: str | None
) -> list[Figure]:
    """Rows a second of both, and their ratio, the median over rounds of one after the other."""
    job = table(categorizer, photo, folder, rows)
    bulk, ceiling, processor = [], [], []
    run(job)  # warm
    for _ in range(rounds):
        started, cpu = time.perf_counter(), time.process_time()
        run(job)
        cpu = (time.process_time() - cpu) / rows
        bulk.append(rows / (time.perf_counter() - started))
        most = at_most(categorizer, photo, seconds=rows / bulk[-1])
        ceiling.append(most["images_per_s"])
        processor.append(most["cpu_s_per_image"] / cpu)
    ratios = [one / most for one, most in zip(bulk, ceiling, strict=True)]
    name, size = categorizer.bundle.manifest.name, categorizer.bundle.manifest.preprocess.size_wh
    note = f"{name}, {size[0]}x{size[1]}, {len(photo)} bytes a photo, {this_machine().cores} cores"
    return [
        Figure(
            name="catalog_bulk_vs_ceiling",
            value=round(statistics.median(ratios), 3),
            unit="ratio",
            target=target,
            runs=rounds,
            spread=(round(min(ratios), 3), round(max(ratios), 3)),
            note=note,
        ),
        Figure(
            name="catalog_bulk_rows_per_cpu_second_vs_ceiling",
            value=round(statistics.median(processor), 3),
            unit="ratio",
            runs=rounds,
            spread=(round(min(processor), 3), round(max(processor), 3)),
            note="unlike the share, next to the same on a machine that does other work",
        ),
        Figure(name="catalog_bulk_rate", value=round(statistics.median(bulk), 1), unit="rows/s", runs=rounds),
        Figure(
            name="catalog_bulk_ceiling_rate",
            value=round(statistics.median(ceiling), 1),
            unit="rows/s",
            runs=rounds,
        ),
    ]


def table(categorizer: Categorizer, photo: bytes, folder: Path, rows: int) -> Job:
    """A table of rows with a photo each, as files of their own."""
    images, items = folder / "images", folder / "items.csv"
    images.mkdir()
    attributes = categorizer.spec.attributes
    told = {column.name: column.values[0] for column in attributes.columns} if attributes else {}
    with items.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "path", "title", *told])
        for number in range(rows):
            (images / f"{number}.jpg").write_bytes(photo)
            writer.writerow([number, f"{number}.jpg", _TITLE.format(number), *told.values()])
    by = Here(categorizer)
    columns = choose_columns(items, title=None, usual_titles=["title"], attributes=by.attributes)
    return Job(items=items, columns=columns, images=images, out=folder / "results.csv", by=by)


def at_most(categorizer: Categorizer, photo: bytes, *, seconds: float) -> dict[str, float]:
    """Decoding and model alone, as `benchmarks.ceiling.throughput` has it."""
    spec = categorizer.bundle.manifest.preprocess

    def decode() -> Pixels:
        return np.asarray(prepare_bytes(photo, spec).image_hwc)

    return throughput(categorizer.session, decode, this_machine().cores, _BATCH, seconds)


if __name__ == "__main__":
    main()
