"""The catalog's figures: how right its models are, whether their promises hold, search by picture, and how much is done in a second.

    python benchmarks/catalog.py [--fashion FOLDER] [--grocery FOLDER] [--bundle BUNDLE] [--work DIR] [--only fashion,search,…]

Each folder holds a `manifest.csv` whose paths are relative to it; without the options they are `catalog_fashion` and `catalog_grocery` in
`../shared/data` beside this repository, where these are there. What is measured on fashion (titles and attributes beside the photo) or on
groceries (photos alone) is left out without its folder, and that is said. Runs are trained once and kept in DIR: a finished one is read, an
interrupted one goes on. With ImageNet weights instead of ours: `--weights imagenet`, and a DIR of its own. Search, serving and bulk are the
scripts `catalog_search.py` (around made-up vectors, where no folder is given), `catalog_serving.py` and `catalog_bulk.py` (the tests' shop,
where no bundle is given).

| part | what takes its time, at 10 photos a second of training on a core |
|---|---|
| fashion | a run of 6,324 photos, 50 minutes |
| image_only | a second such run, 50 minutes |
| promises, novel | the run of `fashion`; then minutes, in which its photos are scored |
| grocery | a run of 2,260 photos, 17 minutes |
| iconic | the run of `grocery`; then minutes, in which its photos are scored |
| search | the embeddings of all photos, then an index of a million vectors, 5 minutes; of made-up ones a tenth |
| serving, bulk | minutes |
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from benchmarks import catalog_beside, catalog_iconic
from benchmarks.common import Figure, emit, parser
from benchmarks.runs import ensure
from training.catalog.certify import fit_temperature, promise, sequence
from training.catalog.export import load_catalog_network, reading_of
from training.catalog.figures import right_at, subset_figures
from training.catalog.plan import plan_catalog
from training.catalog.run import CatalogRun
from training.catalog.score import CatalogScored, score, torch_scorer
from training.manifest import Item, Manifest, read_manifest
from training.recipe import read_recipe
from training.statistics import rate
from vision.catalog.novelty import Novelty
from vision.catalog.projection import fit
from vision.commands.output import stderr_console

DATA: Final = Path(__file__).parents[2] / "shared" / "data"
FASHION_LEVELS: Final = ("coarse_label", "mid_label", "fine_label")
FASHION_TARGETS: Final = {"coarse_label": ">= 0.99", "mid_label": ">= 0.97", "fine_label": ">= 0.91"}
ATTRIBUTES: Final = ("gender", "base_colour", "season", "usage")
GROCERY_LEVELS: Final = ("department", "coarse_label", "fine_label")
GROCERY_TARGETS: Final = {"coarse_label": ">= 0.85", "fine_label": ">= 0.75"}
RISK, CONFIDENCE, RESAMPLINGS = 0.05, 0.95, 2000

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Where the data are, where runs are kept, what they start from, and the bundle that is served."""

    fashion: Path | None
    grocery: Path | None
    work: Path
    weights: str
    bundle: Path | None = None

    @property
    def folders(self) -> list[Path]:
        return [one for one in (self.fashion, self.grocery) if one is not None]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--fashion", type=Path, default=there("catalog_fashion"), help="its folder")
    options.add_argument("--grocery", type=Path, default=there("catalog_grocery"), help="its folder")
    options.add_argument("--bundle", type=Path, help="a catalog bundle, for search, serving and bulk")
    options.add_argument("--work", type=Path, default=Path("runs/catalog"), help="where runs are kept")
    options.add_argument("--weights", default="warmstart", help="warmstart, imagenet, or a file")
    options.add_argument("--only", help=f"some of {','.join(PARTS)}; else all for which there are data")
    asked = options.parse_args()
    given = Given(
        fashion=asked.fashion,
        grocery=asked.grocery,
        work=asked.work,
        weights=asked.weights,
        bundle=asked.bundle,
    )
    emit([figure for part in _chosen(asked.only, given) for figure in PARTS[part](given)])


def there(name: str, data: Path = DATA) -> Path | None:
    """The folder of a catalog, where its manifest is there."""
    return data / name if (data / name / "manifest.csv").is_file() else None


def _chosen(only: str | None, given: Given) -> list[str]:
    """The parts to measure; those that are left out for want of data are told."""
    if only is not None:
        return only.split(",")
    lacking = {"--fashion": given.fashion is None, "--grocery": given.grocery is None}
    for option, lacks in lacking.items():
        parts = [part for part, needed in NEEDS.items() if needed == option]
        if lacks:
            stderr_console().print(f"left out without {option} FOLDER: {', '.join(parts)}")
    return [part for part in PARTS if not lacking.get(NEEDS.get(part, ""), False)]


def fashion(given: Given) -> list[Figure]:
    """All modalities on the test split, each alone beside them."""
    run, manifest = _fashion_run(given, "fashion")
    scored = _scored(given.work / "fashion", run, manifest.split("test"))
    whole = scored.reading.modalities
    found = []
    for level, target in FASHION_TARGETS.items():
        one = subset_figures(scored, whole, 1.0).levels[level].accuracy
        found.append(_rate_figure(f"catalog_fashion_{level}", one.count, one.n, target, _how(run)))
    together = right_at(scored, scored.by_level(whole), -1)
    for alone in whole:
        right = right_at(scored, scored.by_level([alone]), -1)
        found.append(
            _rate_figure(f"catalog_fashion_fine_{alone}_alone", int(right.sum()), len(right), None, _how(run))
        )
        found.append(
            Figure(
                name=f"catalog_fashion_fine_all_over_{alone}_alone",
                value=round(100 * float(together.mean() - right.mean()), 2),
                unit="points",
                target=">= 0",
                note=_how(run),
            )
        )
    return found


def image_only(given: Given) -> list[Figure]:
    """What the photo alone loses in a model of all modalities against a model of photos alone, in points."""
    run, manifest = _fashion_run(given, "fashion")
    bare, _ = _fashion_run(given, "fashion-image", text=None, attributes=())
    items = manifest.split("test")
    rates = [
        float(right_at(one, one.by_level(["image"]), -1).mean())
        for one in (
            _scored(given.work / "fashion", run, items),
            _scored(given.work / "fashion-image", bare, items),
        )
    ]
    lost = round(100 * (rates[1] - rates[0]), 2)
    note = f"photo alone {rates[0]:.4f}, a model of photos alone {rates[1]:.4f}; {_how(run)}"
    return [Figure(name="catalog_photo_alone_loses", value=lost, unit="points", target="<= 1.0", note=note)]


def promises(given: Given) -> list[Figure]:
    """Coverage at the certified risk, and how often promises made on resamplings of the calibration items are broken."""
    run, manifest = _fashion_run(given, "fashion")
    folder = given.work / "fashion"
    tune, calibration, test = (
        _scored(folder, run, items)
        for items in (run.role("tune"), manifest.split("val"), manifest.split("test"))
    )
    whole = tune.reading.modalities
    temperature = fit_temperature(tune, whole)
    grid = sequence(*_finest(tune, temperature), RISK)
    sure, right = _finest(calibration, temperature)
    made = promise("fine_label", sure, right, grid, max_risk=RISK, confidence=CONFIDENCE)
    test_sure, test_right = _finest(test, temperature)
    answered = test_sure >= (2.0 if made.threshold is None else made.threshold)
    wrong, count = int((~test_right & answered).sum()), int(answered.sum())
    broken, coverage = _resampled(
        np.concatenate([sure, test_sure]), np.concatenate([right, test_right]), grid, len(sure)
    )
    return [
        Figure(
            name="catalog_coverage_at_5_percent_risk", value=round(count / len(answered), 4), unit="share",
            note=f"test split, finest level, threshold {made.threshold}, {wrong} of {count} answers wrong; {_how(run)}",
        ),
        Figure(
            name="catalog_promises_broken", value=round(broken, 4), unit="share", target=f"<= {1 - CONFIDENCE + 0.01:.2f}", runs=RESAMPLINGS,
            note=f"calibration items drawn with replacement from val and test, whose own rate is the truth; mean coverage {coverage:.3f}",
        ),
    ]  # fmt: skip


def _resampled(
    sure: npt.NDArray[np.float64], right: Flags, grid: npt.NDArray[np.float64], size: int
) -> tuple[float, float]:
    """(share of broken promises, mean coverage) over resamplings, the pool's own rate at the threshold being the truth."""
    rng = np.random.default_rng(0)
    broken, coverage = 0, []
    for _ in range(RESAMPLINGS):
        rows = rng.integers(0, len(sure), size)
        made = promise("fine_label", sure[rows], right[rows], grid, max_risk=RISK, confidence=CONFIDENCE)
        if made.threshold is None:
            coverage.append(0.0)
            continue
        answered = sure >= made.threshold
        coverage.append(float(answered.mean()))
        broken += float((~right[answered]).mean()) > RISK
    return broken / RESAMPLINGS, float(np.mean(coverage))


def novel(given: Given) -> list[Figure]:
    """Categories that the model has never seen against known ones of the test split, by the score that serving uses."""
    run, known = _fashion_run(given, "fashion")
    folder, familiar = given.work / "fashion", known.split("test")
    unseen = _unseen(given, known)
    reference, *asked = (_scored(folder, run, items) for items in (run.role("train"), familiar, unseen))
    compact = fit(reference.embeddings)
    measure = Novelty(compact.project(reference.embeddings))
    scores = [measure.scores(compact.project(one.embeddings)) for one in asked]
    truth = np.repeat([False, True], [len(one) for one in scores])
    value = float(roc_auc_score(truth, np.concatenate(scores)))
    kinds = len({item.columns["kind"] for item in unseen})
    return [
        Figure(
            name="catalog_novel_auroc", value=round(value, 4), unit="AUROC", target=">= 0.85",
            note=f"{len(unseen)} items of {kinds} categories outside the {len(known.labels)} learned, against {len(familiar)} of those; {_how(run)}",
        )
    ]  # fmt: skip


def _unseen(given: Given, known: Manifest) -> tuple[Item, ...]:
    """Every item of a category that the benchmark leaves out, under a label that the model has: what it is called is not looked at."""
    stand_in = known.items[0]
    labels = {level: stand_in.columns[level] for level in FASHION_LEVELS}
    return tuple(
        replace(item, label=stand_in.label, columns={**item.columns, **labels, "kind": item.label})
        for item in _fashion_manifest(given, where=()).items
        if item.label not in known.labels
    )


def grocery(given: Given) -> list[Figure]:
    """Pictures alone, on the official split's test part."""
    run, manifest = _grocery_run(given)
    figures = subset_figures(_scored(given.work / "grocery", run, manifest.split("test")), ["image"], 1.0)
    return [
        _rate_figure(
            f"catalog_grocery_{level}",
            figures.levels[level].accuracy.count,
            figures.levels[level].accuracy.n,
            target,
            _how(run),
        )
        for level, target in GROCERY_TARGETS.items()
    ]


def iconic(given: Given) -> list[Figure]:
    """Photos taken in shops, and whether the product's own picture is among the first found: by the vectors alone, and with kinds."""
    run, manifest = _grocery_run(given)
    folder, photos = given.work / "grocery", manifest.split("test")
    own = tuple({item.label: _iconic(item) for item in manifest.items}.values())
    learned, tune, shown, asked = (
        _scored(folder, run, items) for items in (run.role("train"), run.role("tune"), own, photos)
    )
    finest = asked.by_level(["image"], fit_temperature(tune, ["image"]))[-1]
    labels = run.taxonomy.labels(GROCERY_LEVELS[-1])
    compact = fit(learned.embeddings)
    found = catalog_iconic.found(
        dict(zip((item.label for item in own), compact.project(shown.embeddings), strict=True)),
        compact.project(asked.embeddings),
        [dict(zip(labels, row, strict=True)) for row in finest.tolist()],
    )
    note = f"{len(photos)} photos of the test part, {len(own)} pictures; {_how(run)}"
    return catalog_iconic.figures(found, [item.label for item in photos], note)


def _iconic(item: Item) -> Item:
    """The picture of a photo's class, as an item; the paths of both are relative to the same folder."""
    folder = Path(str(item.path).removesuffix(item.columns["path"]))
    return replace(item, path=folder / item.columns["iconic_path"])


def _grocery_run(given: Given) -> tuple[CatalogRun, Manifest]:
    if given.grocery is None:
        raise SystemExit("--grocery: expected the folder of catalog_grocery for this part, found none")
    manifest = read_manifest(
        given.grocery / "manifest.csv",
        images=given.grocery,
        split_column="split_dev",
        label_columns=GROCERY_LEVELS,
    )
    run = ensure(
        plan_catalog(
            manifest, manifest.split("train"), read_recipe("resnet50-catalog"), levels=GROCERY_LEVELS,
            weights=given.weights, split_column="split_dev",
        ),
        given.work / "grocery",
    )  # fmt: skip
    return run, manifest


PARTS: Final[dict[str, Callable[[Given], list[Figure]]]] = {
    "fashion": fashion,
    "image_only": image_only,
    "promises": promises,
    "novel": novel,
    "grocery": grocery,
    "iconic": iconic,
    "search": lambda given: catalog_beside.search(given.folders, given.bundle, given.work / "search"),
    "serving": lambda given: catalog_beside.serving(given.bundle),
    "bulk": lambda given: catalog_beside.bulk(given.bundle),
}
NEEDS: Final = {
    "fashion": "--fashion",
    "image_only": "--fashion",
    "promises": "--fashion",
    "novel": "--fashion",
    "grocery": "--grocery",
    "iconic": "--grocery",
}
"""The data that parts are measured on."""


def _fashion_manifest(given: Given, where: Sequence[str] = ("in_benchmark=1",)) -> Manifest:
    if given.fashion is None:
        raise SystemExit("--fashion: expected the folder of catalog_fashion for this part, found none")
    return read_manifest(
        given.fashion / "manifest.csv",
        images=given.fashion,
        label_columns=FASHION_LEVELS,
        where=where,
    )


def _fashion_run(
    given: Given,
    name: str,
    *,
    text: str | None = "description_masked",
    attributes: Sequence[str] = ATTRIBUTES,
) -> tuple[CatalogRun, Manifest]:
    manifest = _fashion_manifest(given)
    return ensure(_planned(manifest, given.weights, text, attributes), given.work / name), manifest


def _planned(manifest: Manifest, weights: str, text: str | None, attributes: Sequence[str]) -> CatalogRun:
    return plan_catalog(
        manifest,
        manifest.split("train"),
        read_recipe("resnet50-catalog"),
        levels=FASHION_LEVELS,
        text=text,
        attributes=attributes,
        weights=weights,
    )


def _scored(folder: Path, run: CatalogRun, items: Sequence[Item]) -> CatalogScored:
    return score(torch_scorer(load_catalog_network(folder)), items, reading_of(run))


def _finest(scored: CatalogScored, temperature: float) -> tuple[npt.NDArray[np.float64], Flags]:
    by_level = scored.by_level(scored.reading.modalities, temperature)
    return by_level[-1].max(1), right_at(scored, by_level, -1)


def _rate_figure(name: str, count: int, n: int, target: str | None, note: str) -> Figure:
    one = rate(count, n)
    spread = (round(one.low, 4), round(one.high, 4))
    return Figure(
        name=name, value=round(count / n, 4), unit="accuracy", target=target, spread=spread, note=note
    )


def _how(run: CatalogRun) -> str:
    result = run.result
    took = f"{result.seconds / 60:.0f} min on {result.processor}" if result else ""
    return f"weights {Path(run.weights).name}, recipe {run.recipe.name}, one seed, {took}"


if __name__ == "__main__":
    main()
