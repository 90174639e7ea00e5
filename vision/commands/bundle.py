"""`loupe bundle`: look into a bundle, verify it, sign it, make keys."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from vision import bundle as bundles
from vision import signing
from vision.bundle import Bundle, open_bundle
from vision.commands.options import BundleArgument, TrustedKeys, trust
from vision.commands.output import JsonFlag, Output
from vision.errors import BundleError, SettingsError
from vision.golden import check_golden
from vision.inspection.spec import inspection_spec
from vision.machine import this_machine
from vision.qualify import eligible
from vision.session import Session


def _facts(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "bundle": str(bundle.path),
        "name": manifest.name,
        "version": manifest.version,
        "task": manifest.task,
        "labels": list(manifest.labels),
        "digest": bundle.digest(),
        "signed_by": bundle.signed_by,
        "files": {name: entry.bytes for name, entry in manifest.files.items()},
    }


def _table(title: str, rows: dict[str, str]) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    for name, value in rows.items():
        table.add_row(escape(name), escape(value))
    return table


def show(bundle: BundleArgument, trusted_key: TrustedKeys = [], json: JsonFlag = False) -> None:  # noqa: B006  (typer reads the default)
    """Show what a bundle holds: model files, labels, thresholds, certificates, where it comes from.

    Example: `loupe bundle show cells-1.0.loupe`
    """
    keys, required = trust(trusted_key)
    opened = open_bundle(bundle, trusted=keys, require_signature=required)
    manifest = opened.manifest
    rows = {
        "task": manifest.task,
        "labels": ", ".join(manifest.labels),
        "input": f"{manifest.preprocess.size_wh[0]} x {manifest.preprocess.size_wh[1]} px, {manifest.preprocess.fit}",
        "made": f"{manifest.provenance.created_at} from {manifest.provenance.weights} weights",
        "signed by": opened.signed_by or "nobody that is trusted here",
    }
    facts = _facts(opened) | {"manifest": manifest.model_dump(mode="json")}
    if manifest.task == "inspection":
        for name, decision in inspection_spec(opened).files.items():
            certificate = decision.certificate
            rows[f"{name} thresholds"] = (
                f"accept up to {decision.policy.accept_at}, reject from {decision.policy.reject_at}"
            )
            rows[f"{name} certificate"] = certificate.line() if certificate else "none: nothing is accepted"
    Output(json).result(facts, _table(f"{manifest.name} {manifest.version}", rows))


def verify(bundle: BundleArgument, trusted_key: TrustedKeys = [], json: JsonFlag = False) -> None:  # noqa: B006  (as above)
    """Verify a bundle: digests, schema, signature, certificates, and its golden pictures on this machine.

    Exit 1 when it does not hold, with the file, what was expected and what was found.

    Example: `loupe bundle verify cells-1.0.loupe --trusted-key line.pub`
    """
    output = Output(json)
    keys, required = trust(trusted_key)
    try:
        opened = open_bundle(bundle, trusted=keys, require_signature=required)
        if opened.manifest.task == "inspection":
            inspection_spec(opened)
        runs, not_run = eligible(opened, this_machine())
        differences = {
            name: check_golden(opened, name, Session(opened.read(name), name=name)) for name in runs
        }
    except BundleError as error:
        output.result(
            {"bundle": str(bundle), "valid": False, "problem": str(error)},
            f"[red]not valid:[/red] {escape(str(error))}",
        )
        raise typer.Exit(1) from None
    lines = [escape(f"{name}: not run here, {why}") for name, why in not_run.items()]
    lines += [f"{name}: golden logits within {difference:.2g}" for name, difference in differences.items()]
    signed = f"signed by {opened.signed_by}" if opened.signed_by else "no trusted signature"
    output.result(
        _facts(opened) | {"valid": True, "golden_differences": differences, "not_run": not_run},
        f"[green]valid[/green], {signed}",
        *lines,
    )


def sign(
    bundle: BundleArgument,
    key: Annotated[Path, typer.Option(help="The private key, PEM; see `loupe bundle keygen`.")],
    out: Annotated[
        Path | None, typer.Option(help="Write elsewhere; a name ending in .loupe makes one file.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Sign a bundle, after it was certified. Any later change to it makes the signature void.

    Example: `loupe bundle sign cells --key line.key --out cells-1.0.loupe`
    """
    signed = bundles.rewrite(open_bundle(bundle), to=out, key=signing.read_private(key))
    Output(json).result(_facts(signed), escape(f"signed {signed.path} by {signed.signed_by}"))


def keygen(
    name: Annotated[Path, typer.Argument(help="NAME.key and NAME.pub are written.", show_default=False)],
    json: JsonFlag = False,
) -> None:
    """Make an Ed25519 key pair: NAME.key to sign with, to be kept secret, and NAME.pub to trust.

    Example: `loupe bundle keygen line`
    """
    if name.name in {"", ".."}:
        raise SettingsError(f"{name}: expected a name for the key files, found a folder")
    private, public = name.with_name(name.name + ".key"), name.with_name(name.name + ".pub")
    made = signing.generate(private, public)
    facts = {"key_id": made, "private": str(private), "public": str(public)}
    Output(json).result(facts, escape(f"{private} and {public}, key {made}"))
