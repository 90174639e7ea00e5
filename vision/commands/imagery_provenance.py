"""`loupe imagery keygen` and `loupe imagery verify`: who signed an image, is it whole, what labels does it carry."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from vision.commands.output import JsonFlag, Output
from vision.errors import SettingsError
from vision.image import read_bytes
from vision.imagery import certificates
from vision.imagery.cutout.photo import PHOTO_LIMITS
from vision.imagery.kept import MASTER_LIMITS, read_manifest
from vision.imagery.provenance import Trust
from vision.imagery.verification import ProductReport, Verification, verify_file, verify_product

Out = Annotated[Path, typer.Option(help="Folder for the three files; made where it is missing.")]
Organisation = Annotated[str, typer.Option(help="Who signs, as verifiers show it.")]
File = Annotated[Path, typer.Argument(help="An image.", show_default=False)]
TrustOption = Annotated[
    Path | None,
    typer.Option(help="Root certificates to trust, PEM; such as root.pem of `loupe imagery keygen`."),
]
ManifestOption = Annotated[Path | None, typer.Option(help="The image's manifest, to check the product by.")]
PhotoOption = Annotated[Path | None, typer.Option(help="The product photo that the manifest names.")]
AlphaOption = Annotated[
    Path | None, typer.Option(help="Where in it the product is; alpha.png beside the manifest.")
]

_SHOWN = {Trust.TRUSTED: "green", Trust.VALID: "yellow", Trust.INVALID: "red", Trust.ABSENT: "red"}
_OWN = (
    "nobody but those who are given root.pem trusts these certificates; for public verifiers, sign with a certificate of an authority on the "
    "C2PA trust list"
)


def keygen(out: Out, organisation: Organisation = "Loupe user", json: JsonFlag = False) -> None:
    """Make certificates of your own to sign images with: root.pem to trust, signer.pem and signer.key to sign with.

    They are for development and for use within one house: public verifiers do not know the root and call the signer unknown. Keep signer.key
    secret; the root's own key is not kept.

    Example: `loupe imagery keygen --out keys --organisation "My Shop"`
    """
    output = Output(json)
    fingerprint = certificates.generate(out, organisation=organisation)
    output.warn(_OWN)
    facts = {
        "root": str(out / certificates.ROOT),
        "chain": str(out / certificates.CHAIN),
        "key": str(out / certificates.KEY),
        "organisation": organisation,
        "root_sha256": fingerprint,
        "publicly_trusted": False,
    }
    output.result(facts, escape(f"{out / certificates.ROOT}, sha256 {fingerprint}"))


def verify(
    file: File,
    trust: TrustOption = None,
    manifest: ManifestOption = None,
    photo: PhotoOption = None,
    alpha: AlphaOption = None,
    json: JsonFlag = False,
) -> None:
    """Say whether an image is signed and unchanged, which labels it carries, and whether the product is its photo's.

    Exit 0 when its credentials are trusted, or whole where no --trust was given, its labels are sound, and the product, where asked for, is kept;
    1 when not; 2 when a file cannot be used.

    Example: `loupe imagery verify mug.jpg --trust keys/root.pem --manifest candidate-1.json --photo photo.jpg --alpha alpha.png`
    """
    data = read_bytes(file, limits=MASTER_LIMITS)
    found = verify_file(data, trust=trust, name=str(file))
    product = _product(data, file, manifest, photo, alpha)
    ok = _sound(found, asked=trust is not None) and (product is None or product.kept)
    Output(json).result(_facts(file, found, product) | {"ok": ok}, *_lines(found, product))
    if not ok:
        raise typer.Exit(1)


def _sound(found: Verification, *, asked: bool) -> bool:
    enough = {Trust.TRUSTED} if asked else {Trust.TRUSTED, Trust.VALID}
    return found.credentials.trust in enough and not found.labels.problems


def _product(
    data: bytes, file: Path, manifest: Path | None, photo: Path | None, alpha: Path | None
) -> ProductReport | None:
    if manifest is None and photo is None and alpha is None:
        return None
    if manifest is None or photo is None or alpha is None:
        raise SettingsError("--manifest, --photo, --alpha: expected all three of them, found some")
    return verify_product(
        data,
        read_manifest(manifest),
        photo=read_bytes(photo, limits=PHOTO_LIMITS),
        alpha_png=read_bytes(alpha, limits=PHOTO_LIMITS),
        name=str(file),
    )


def _facts(file: Path, found: Verification, product: ProductReport | None) -> dict[str, Any]:
    credentials = found.credentials
    return {
        "file": str(file),
        "format": found.format,
        "sha256": found.sha256,
        "trust": credentials.trust,
        "problems": list(credentials.problems),
        "signed_by": credentials.signed_by,
        "signed_source_type": credentials.source.uri if credentials.source else None,
        "generation": credentials.generation,
        "ingredients": list(credentials.ingredients),
        "labels": found.labels.value(),
        "product": asdict(product) | {"kept": product.kept} if product else None,
    }


def _lines(found: Verification, product: ProductReport | None) -> list[str]:
    credentials = found.credentials
    by = f", signed by {escape(credentials.signed_by)}" if credentials.signed_by else ""
    lines = [f"[{_SHOWN[credentials.trust]}]credentials {credentials.trust}[/]{by}"]
    lines += [escape(f"  {problem}") for problem in credentials.problems]
    lines += [escape(mark.line()) for mark in found.labels.marks] or ["no labels"]
    lines += [f"[red]{escape(problem)}[/red]" for problem in found.labels.problems]
    if product is not None:
        said = "[green]kept[/green]" if product.kept else "[red]changed[/red]"
        lines.append(
            f"product {said}: {product.pixels} pixels, at most {product.max_delta} levels off (allowed {product.max_allowed}), blocks "
            f"at most {product.drift:g} (allowed {product.drift_allowed:g})"
        )
    return lines
