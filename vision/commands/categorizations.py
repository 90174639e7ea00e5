"""What `loupe catalog` says of a product's place, whether a bundle here or a server gave it: as JSON, and as a tree and tables for people."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree
from typing_extensions import override

from vision.catalog.bulk.products import Label, Placed

STYLE: Final[Mapping[str, str]] = {
    "answered": "green",
    "unknown": "yellow",
    "novel": "yellow",
    "image_quality": "red",
}
_SHOWN_WORDS: Final = 12

Naming = Callable[[str, str], str]
"""Gives the name of a level's label."""


class Level(Label, Protocol):
    """What `vision.catalog.categorize.LevelAnswer` and `vision.client.catalog_values.CategoryLevel` both hold."""

    @property
    def threshold(self) -> float | None: ...
    @property
    def answered(self) -> bool: ...


class Alternative(Protocol):
    """A path, however probable."""

    @property
    def labels(self) -> Sequence[str]: ...
    @property
    def probability(self) -> float: ...


class Answer(Placed, Protocol):
    """What `vision.catalog.categorize.Categorization` and `vision.client.catalog_values.Category` both hold."""

    @property
    @override
    def levels(self) -> Sequence[Level]: ...
    @property
    def alternatives(self) -> Sequence[Alternative]: ...


class Why(Protocol):
    """What `vision.catalog.reasons.Reasons` and `vision.client.catalog_values.CategoryReasons` both hold."""

    @property
    def level(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def rival(self) -> str: ...
    @property
    def shares(self) -> Mapping[str, float]: ...
    @property
    def words(self) -> Sequence[tuple[str, float]]: ...
    @property
    def attributes(self) -> Sequence[tuple[str, str, float]]: ...


def as_json(answer: Answer, name: Naming) -> dict[str, Any]:
    """All of an answer but the embedding."""
    return {
        "status": answer.status.value,
        "depth": answer.depth,
        "certified": answer.certified,
        "levels": [
            {
                "level": one.level,
                "label": one.label,
                "name": name(one.level, one.label),
                "probability": one.probability,
                "threshold": one.threshold,
                "answered": one.answered,
            }
            for one in answer.levels
        ],
        "alternatives": [
            {"labels": list(one.labels), "probability": one.probability} for one in answer.alternatives
        ],
        "novelty": answer.novelty,
        "modalities": list(answer.modalities),
        "quality_faults": list(answer.quality_faults),
        "not_understood": dict(answer.not_understood),
    }


def reasons_as_json(why: Why) -> dict[str, Any]:
    """All of them but the maps, which are for `--heatmap`."""
    return {
        "level": why.level,
        "label": why.label,
        "rival": why.rival,
        "shares": dict(why.shares),
        "words": [{"word": word, "share": share} for word, share in why.words],
        "attributes": [
            {"name": name, "value": value, "share": share} for name, value, share in why.attributes
        ],
    }


def shown(answer: Answer, name: Naming) -> list[RenderableType]:
    """The path as a tree, what else it may be, and remarks."""
    return [shown_path(answer, name), _alternatives(answer, name), *_remarks(answer)]


def shown_path(answer: Answer, name: Naming) -> Tree:
    """One branch; what is not answered for is dim."""
    status = answer.status.value
    root = node = Tree(f"[{STYLE[status]}]{status}[/{STYLE[status]}] from {', '.join(answer.modalities)}")
    for level in answer.levels:
        line = f"{_named(level.level, level.label, name)} {level.probability:.3f}{_threshold(level)}"
        node = node.add(line if level.answered else f"[dim]{line}, not answered for[/dim]")
    return root


def _named(level: str, label: str, name: Naming) -> str:
    """A label, and its name where that is another."""
    called = name(level, label)
    return escape(label if called == label else f"{called} ({label})")


def _threshold(level: Level) -> str:
    if level.threshold is None:
        return ""
    through = level.answered and level.probability < level.threshold
    return f", certified from {level.threshold:.3f}{', follows from the level below' if through else ''}"


def _alternatives(answer: Answer, name: Naming) -> Table:
    levels = [one.level for one in answer.levels]
    table = Table(*levels, "probability", title="Most probable", title_justify="left")
    for one in answer.alternatives:
        named = [_named(level, label, name) for level, label in zip(levels, one.labels, strict=True)]
        table.add_row(*named, f"{one.probability:.3f}")
    return table


def _remarks(answer: Answer) -> list[str]:
    remarks = [f"a photo was left out: {fault}" for fault in answer.quality_faults]
    remarks += [
        f"not understood: {name} = {value}: the model has not learned it"
        for name, value in answer.not_understood.items()
    ]
    if answer.status.value == "novel":
        remarks.append(
            f"unlike all that was learned: {answer.novelty:.2f} times as far away as known products are"
        )
    if not answer.certified:
        remarks.append("no certificate: the whole path is answered, however probable")
    return [escape(one) for one in remarks]


def shown_reasons(reasons: Why) -> list[RenderableType]:
    """Shares of the distance between two labels, as one column that adds up, and the words and attributes behind them."""
    table = Table("", "share")
    for name, share in reasons.shares.items():
        table.add_row(escape(name), f"{share:+.2f}")
    table.add_section()
    table.add_row("together", f"{sum(reasons.shares.values()):+.2f}")
    details: list[RenderableType] = [
        escape(f"Why {reasons.label} rather than {reasons.rival} ({reasons.level})"),
        table,
    ]
    if reasons.words:
        details.append(_shares("words", reasons.words[:_SHOWN_WORDS]))
    if reasons.attributes:
        told = [(f"{name} = {value}", share) for name, value, share in reasons.attributes]
        details.append(_shares("attributes", told))
    return details


def _shares(what: str, shares: Sequence[tuple[str, float]]) -> str:
    return f"{what}: {escape(', '.join(f'{one} {share:+.2f}' for one, share in shares))}"
