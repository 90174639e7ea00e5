"""`loupe imagery cutout`: tell a product from its background, to look at and to correct."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from vision.commands.options import check_apart
from vision.commands.output import JsonFlag, Output
from vision.errors import SettingsError
from vision.files import write_bytes
from vision.image import encode_jpeg, encode_png, read_bytes
from vision.imagery.cutout.cutout import cut_out
from vision.imagery.cutout.overlay import overlay
from vision.imagery.cutout.photo import PHOTO_LIMITS

Photo = Annotated[Path, typer.Argument(help="The product's photo.", show_default=False)]
Out = Annotated[Path, typer.Option(help="Write the alpha plane to this PNG, and a picture of it beside it.")]
Mask = Annotated[
    Path | None, typer.Option(help="A PNG of the photo's size, white where the product is; taken as it is.")
]


def cutout(photo: Photo, out: Out, mask: Mask = None, json: JsonFlag = False) -> None:
    """Tell a product from its background: an alpha plane to correct in any image editor, and a picture that shows it over the photo.

    The corrected plane goes back in as `--mask`, here and in `loupe imagery create`.

    Example: `loupe imagery cutout mug.jpg --out mug-alpha.png`
    """
    if out.suffix.lower() != ".png":
        raise SettingsError(f"--out: expected the name of a PNG, found {out.name}")
    shown = out.with_name(f"{out.stem}-overlay.jpg")
    for one in (out, shown):
        check_apart(one, photo, mask)
    given = read_bytes(mask, limits=PHOTO_LIMITS) if mask else None
    made = cut_out(read_bytes(photo, limits=PHOTO_LIMITS), given, name=str(photo))
    write_bytes(out, encode_png(made.alpha_hw))
    write_bytes(shown, encode_jpeg(overlay(made.image_hwc, made.alpha_hw), quality=90))
    output = Output(json)
    for warning in made.warnings:
        output.warn(warning)
    output.result(
        {
            "photo": str(photo),
            "alpha": str(out),
            "overlay": str(shown),
            "how": made.how,
            "quality": made.quality,
            "warnings": list(made.warnings),
        },
        escape(f"{out}: found by {made.how}, quality {made.quality:.2f}; look at {shown}"),
    )
