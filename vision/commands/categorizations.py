"""What `loupe catalog categorize` says of a product: as JSON, and as a tree and tables for people."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from vision.catalog.categorize import Categorization, LevelAnswer, Status
from vision.catalog.reasons import Reasons
from vision.catalog.taxonomy import Taxonomy
from vision.commands.placed import STYLE, placed_as_json

_SHOWN_WORDS: Final = 12


def as_json(answer: Categorization, tree: Taxonomy, language: str) -> dict[str, Any]:
    """All of an answer but the embedding, labels with their names in a language."""
    levels = [asdict(one) | {"name": tree.name(one.level, one.label, language)} for one in answer.levels]
    return placed_as_json(answer, levels, answer.alternatives)


def shown(answer: Categorization, tree: Taxonomy, language: str) -> list[RenderableType]:
    """The path as a tree, what else it may be, and remarks."""
    return [_path(answer, tree, language), _alternatives(answer, tree, language), *_remarks(answer)]


def _path(answer: Categorization, tree: Taxonomy, language: str) -> Tree:
    """One branch; what is not answered for is dim."""
    style = STYLE[answer.status]
    root = node = Tree(f"[{style}]{answer.status.value}[/{style}] from {', '.join(answer.modalities)}")
    for level in answer.levels:
        name = _named(level.level, level.label, tree, language)
        line = f"{name} {level.probability:.3f}{_threshold(level)}"
        node = node.add(line if level.answered else f"[dim]{line}, not answered for[/dim]")
    return root


def _named(level: str, label: str, tree: Taxonomy, language: str) -> str:
    """A label, and its name where that is another."""
    name = tree.name(level, label, language)
    return escape(label if name == label else f"{name} ({label})")


def _threshold(level: LevelAnswer) -> str:
    if level.threshold is None:
        return ""
    through = level.answered and level.probability < level.threshold
    return f", certified from {level.threshold:.3f}{', follows from the level below' if through else ''}"


def _alternatives(answer: Categorization, tree: Taxonomy, language: str) -> Table:
    levels = [one.level for one in answer.levels]
    table = Table(*levels, "probability", title="Most probable", title_justify="left")
    for one in answer.alternatives:
        named = [
            _named(level, label, tree, language) for level, label in zip(levels, one.labels, strict=True)
        ]
        table.add_row(*named, f"{one.probability:.3f}")
    return table


def _remarks(answer: Categorization) -> list[str]:
    remarks = [f"a photo was left out: {fault}" for fault in answer.quality_faults]
    remarks += [
        f"not understood: {name} = {value}: the model has not learned it"
        for name, value in answer.not_understood.items()
    ]
    if answer.status is Status.NOVEL:
        remarks.append(
            f"unlike all that was learned: {answer.novelty:.2f} times as far away as known products are"
        )
    if not answer.certified:
        remarks.append("no certificate: the whole path is answered, however probable")
    return [escape(one) for one in remarks]


def shown_reasons(reasons: Reasons) -> list[RenderableType]:
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
