"""The catalog on a server, from the command line: what commands share, and one product placed there, said in the same shape as here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from vision.commands.output import Output
from vision.commands.remote import Server, open_client
from vision.errors import SettingsError
from vision.files import write_bytes

if TYPE_CHECKING:  # gRPC is part of an extra, and only needed where a server is named
    from vision.client.catalog_values import Categorized, Category, CategoryReasons

HERE: Final = "127.0.0.1:50051"
ServerOption = Annotated[str, typer.Option(help="The server's address: host:port or unix:PATH.")]
ModelOption = Annotated[
    str, typer.Option(help="Which of its catalog models; needed where it serves several.", show_default=False)
]
_STYLE: Final = {"answered": "green", "unknown": "yellow", "novel": "yellow", "image_quality": "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a person says of one product."""

    photos: tuple[Path, ...]
    title: str
    attributes: Mapping[str, str]


def pairs(given: Sequence[str], what: str) -> dict[str, str]:
    """NAME=VALUE pairs.

    Raises:
        SettingsError: one is none, or a name comes twice.
    """
    told: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals) or name in told:
            raise SettingsError(f"{what}: expected NAME=VALUE, each name once, found '{one}'")
        told[name] = value
    return told


def categorize_on(
    server: Server,
    told: Told,
    output: Output,
    *,
    language: str,
    explaining: bool,
    heatmap: Path | None,
) -> None:
    """Have a product placed by a server and say where, as `loupe catalog categorize` says it of a bundle.

    Args:
        heatmap: a PNG for the evidence over the first photo that was judged.

    Raises:
        LoupeError: as `vision.client.Client`.
        SettingsError: a heatmap is asked for, and no photo could be judged.
    """
    with open_client(server) as client:
        from vision.client import Product  # noqa: PLC0415  (part of an extra, which is there: the client is open)

        answer = client.catalog.categorize(
            Product(photos=told.photos, title=told.title, attributes=told.attributes),
            model=server.model,
            reasons=explaining,
            heatmap=heatmap is not None,
            language=language,
        )
    value: dict[str, Any] = {
        "bundle": None,
        "server": server.address,
        "model": asdict(answer.model),
        "images": [str(one) for one in told.photos],
        **as_json(answer.category),
        "timings": asdict(answer.timings),
    }
    parts = shown(answer)
    if answer.reasons is not None:
        value["reasons"] = _reasons_as_json(answer.reasons)
    if heatmap is not None:
        if not answer.heatmaps:
            raise SettingsError("--heatmap: expected a photo that can be judged, found none")
        write_bytes(heatmap, answer.heatmaps[0])
        value["heatmap"] = str(heatmap)
    output.result(value, *parts)


def as_json(category: "Category") -> dict[str, Any]:
    """In the shape that `loupe catalog categorize` has."""
    return {
        "status": category.status.value,
        "depth": category.depth,
        "certified": category.certified,
        "levels": [
            {name: value for name, value in asdict(one).items() if name != "answered"}
            for one in category.levels
        ],
        "alternatives": [asdict(one) for one in category.alternatives],
        "novelty": category.novelty,
        "modalities": list(category.modalities),
        "quality_faults": list(category.quality_faults),
        "not_understood": dict(category.not_understood),
    }


def _reasons_as_json(why: "CategoryReasons") -> dict[str, Any]:
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


def shown(answer: "Categorized") -> list[RenderableType]:
    """The path as a tree, and why where that was asked for."""
    parts: list[RenderableType] = [path_tree(answer.category)]
    why = answer.reasons
    if why is not None:
        table = Table("", "share", title_justify="left")
        table.title = escape(f"Why {why.label} rather than {why.rival} ({why.level})")
        for name, share in [*why.shares.items(), *why.words[:12]]:
            table.add_row(escape(name), f"{share:+.2f}")
        for name, value, share in why.attributes:
            table.add_row(escape(f"{name} = {value}"), f"{share:+.2f}")
        parts.append(table)
    return parts


def path_tree(category: "Category") -> Tree:
    """One branch; what is not answered for is dim."""
    status = category.status.value
    root = node = Tree(f"[{_STYLE[status]}]{status}[/{_STYLE[status]}] from {', '.join(category.modalities)}")
    for one in category.levels:
        named = one.label if one.name == one.label else f"{one.name} ({one.label})"
        line = escape(f"{named} {one.probability:.3f}")
        node = node.add(line if one.answered else f"[dim]{line}, not answered for[/dim]")
    return root
