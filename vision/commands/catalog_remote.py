"""The catalog on a server, from the command line: what commands share, and products placed there, said in the same shape as here."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer
from rich.tree import Tree

from vision.commands.categorizations import (
    Naming,
    as_json,
    reasons_as_json,
    shown,
    shown_path,
    shown_reasons,
)
from vision.commands.output import Output
from vision.commands.remote import Server, chosen, open_client
from vision.errors import NotFoundError, SettingsError, UnsupportedError
from vision.files import write_bytes
from vision.image import decode, encode_png

if TYPE_CHECKING:  # gRPC is part of an extra, and only needed where a server is named
    from vision.client.catalog_bulk import There
    from vision.client.catalog_values import Category

HERE: Final = "127.0.0.1:50051"
ServerOption = Annotated[str, typer.Option(help="The server's address: host:port or unix:PATH.")]
ModelOption = Annotated[
    str, typer.Option(help="Which of its catalog models; needed where it serves several.", show_default=False)
]


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
        heatmap: a PNG for the photos that were judged, side by side, with the evidence over them.

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
        **category_as_json(answer.category),
        "timings": asdict(answer.timings),
    }
    parts = shown(answer.category, names_of(answer.category))
    if answer.reasons is not None:
        value["reasons"] = reasons_as_json(answer.reasons)
        parts += shown_reasons(answer.reasons)
    if heatmap is not None:
        if not answer.heatmaps:
            raise SettingsError("--heatmap: expected a photo that can be judged, found none")
        write_bytes(heatmap, _side_by_side(answer.heatmaps))
        value["heatmap"] = str(heatmap)
    output.result(value, *parts)


@contextmanager
def answering_there(server: Server) -> Iterator["There"]:
    """A server's catalog model for a table of products.

    Raises:
        LoupeError: as `vision.client.Client`.
        NotFoundError: it serves none.
        SettingsError: it serves several, and none is named.
        UnsupportedError: it is too old to tell what its model reads.
    """
    with open_client(server) as client:
        from vision.client.catalog_bulk import There  # noqa: PLC0415  (as above)

        model = chosen(server, client.models(), "catalog")
        if model is None:
            raise NotFoundError(f"{server.address}: expected a catalog model, found none")
        if model.catalog is None:
            raise UnsupportedError(
                f"{server.address}: expected to be told what '{model.ref.name}' reads, found an older server"
            )
        yield There(client, model.ref, model.catalog)


def names_of(category: "Category") -> Naming:
    """As far as the server has told them."""
    known = {(one.level, one.label): one.name for one in category.levels}
    return lambda level, label: known.get((level, label), label)


def category_as_json(category: "Category") -> dict[str, Any]:
    """In the shape that `loupe catalog categorize` has."""
    return as_json(category, names_of(category))


def path_tree(category: "Category") -> Tree:
    """The path alone, beside what else a command has to say."""
    return shown_path(category, names_of(category))


def _side_by_side(pictures_png: Sequence[bytes]) -> bytes:
    """Pictures of one height as one PNG."""
    if len(pictures_png) == 1:
        return pictures_png[0]
    pictures = [decode(one, name="heatmap").image_hwc for one in pictures_png]
    return encode_png(np.ascontiguousarray(np.hstack(pictures)))
