"""What `loupe evaluate` and `loupe certify` do with the catalog task: its figures and its promises, judged and shown."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from training.catalog.export import load_catalog_network, reading_of
from training.catalog.figures import CatalogEvaluation
from training.catalog.run import CatalogRun
from training.catalog.score import CatalogScored, score, torch_scorer
from training.manifest import Item
from training.run import read_run
from training.statistics import Rate
from vision.catalog.certificate import CatalogCertificate


def score_run(
    folder: Path, items: Sequence[Item], *, advance: Callable[[int], None] = lambda _: None
) -> CatalogScored:
    """What a catalog run's network says of items."""
    reading = reading_of(read_run(folder, CatalogRun))
    return score(torch_scorer(load_catalog_network(folder)), items, reading, advance=advance)


def figures_table(figures: CatalogEvaluation) -> Table:
    """Accuracy by subset of the modalities and level, for a terminal."""
    levels = list(figures.whole.levels)
    shown = Table(
        "modalities", *map(escape, levels), "balanced, finest", "hierarchical F1", "coverage at 5 % risk",
        title=f"{figures.n} items: accuracy (95 % interval)", title_justify="left",
    )  # fmt: skip
    for name, subset in figures.subsets.items():
        finest = subset.levels[levels[-1]]
        shown.add_row(
            escape(name),
            *(_share(subset.levels[level].accuracy) for level in levels),
            f"{finest.balanced_accuracy:.3f}",
            f"{subset.hierarchical_f1:.3f}",
            f"{finest.coverage:.3f}",
        )
    if figures.leaks is not None and figures.leaks.count:
        shown.caption = f"{figures.leaks.count} titles hold the name of their label"
    return shown


def _share(one: Rate) -> str:
    return f"{one.value or 0:.3f} ({one.low:.3f} - {one.high:.3f})"


def promises_table(file: str, certificate: CatalogCertificate) -> Table:
    """Thresholds and bounds by subset of the modalities and level, for a terminal."""
    shown = Table(
        "modalities",
        "level",
        "from probability",
        "answered",
        "wrong",
        "upper bound",
        title=file,
        title_justify="left",
    )
    for name, levels in certificate.promises.items():
        for one in levels:
            threshold = "none" if one.threshold is None else f"{one.threshold:.4f}"
            answered = f"{one.answered} of {one.of} ({one.coverage:.1%})"
            shown.add_row(
                escape(name), escape(one.level), threshold, answered, str(one.wrong), f"{one.upper:.2%}"
            )
    return shown
