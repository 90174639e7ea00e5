"""Options that several commands share, and the settings behind them."""

from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vision.errors import SettingsError
from vision.settings import read_settings

BundleArgument = Annotated[Path, typer.Argument(help="A bundle folder or .loupe file.", show_default=False)]
TrustedKeys = Annotated[
    list[Path],
    typer.Option(
        "--trusted-key", help="A public key that bundles may be signed with; beside LOUPE_TRUSTED_KEYS."
    ),
]


DtypeOption = Annotated[str, typer.Option(help="float32, float16 or bfloat16.")]
OffloadOption = Annotated[
    bool, typer.Option("--offload", help="Keep only the part of a trained model that computes on the GPU.")
]
StyleOption = Annotated[
    Path | None,
    typer.Option(
        help="A picture whose look the scene is to have where the words say nothing.", show_default=False
    ),
]
HubOption = Annotated[
    bool,
    typer.Option(
        "--allow-hub", help="Download a model that is not there yet, where its settings name one of the hub."
    ),
]


def check_apart(written: Path, *read: Path | None) -> None:
    """Refuse to write over a file that a command reads.

    Raises:
        SettingsError: the message names it.
    """
    if written.resolve() in {one.resolve() for one in read if one is not None}:
        raise SettingsError(f"--out: expected a file that is not read, found {written}, which would be lost")


def trust(given: list[Path]) -> tuple[tuple[Ed25519PublicKey, ...], bool]:
    """The trusted keys from settings and options, and whether a signature is required: `Settings.trust`."""
    return read_settings().trust(given)
