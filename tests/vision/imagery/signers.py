"""Signers with certificates of their own, for tests and benchmarks."""

from pathlib import Path

from vision.imagery.certificates import CHAIN, KEY, ROOT, Signer, generate, read_signer


def signer(folder: Path, *, organisation: str = "Test House") -> tuple[Signer, Path]:
    """A signer, and the root that it is trusted by."""
    generate(folder, organisation=organisation)
    return read_signer(folder / CHAIN, folder / KEY), folder / ROOT
