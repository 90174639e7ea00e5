"""`loupe inspect`: judge pictures with a bundle, or have a server judge them."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from vision.bundle import Bundle, open_bundle
from vision.commands.options import TrustedKeys, trust
from vision.commands.output import JsonFlag, Output, bar
from vision.commands.remote import (
    ModelOption,
    Server,
    ServerOption,
    TlsCaOption,
    TokenFileOption,
    inspect_on,
)
from vision.commands.verdicts import counts, distinct_names, judgement, not_judged, table
from vision.errors import ImageError
from vision.files import write_bytes
from vision.image import encode_png
from vision.inspection.explain import Explanation, explain, picture
from vision.inspection.inspect import Inspection, Inspector
from vision.preprocess import prepare_file
from vision.qualify import Choice, choose

FirstArgument = Annotated[
    Path,
    typer.Argument(
        help="A bundle folder or .loupe file; with --server the first picture.", show_default=False
    ),
]
Images = Annotated[list[Path], typer.Argument(help="Pictures of parts.", show_default=False)]
Heatmap = Annotated[
    Path | None, typer.Option(help="Write a picture with the evidence over it to this folder.")
]
Explaining = Annotated[
    bool, typer.Option("--explain", help="Say where the evidence lies and what would be said without it.")
]
File = Annotated[str | None, typer.Option(help="Which ONNX file to run; as qualified by default.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads within one run; as qualified by default.")]


def inspect(
    context: typer.Context,
    bundle: FirstArgument,
    images: Images = [],  # noqa: B006  (typer reads the default)
    heatmap: Heatmap = None,
    explaining: Explaining = False,
    file: File = None,
    threads: Threads = None,
    trusted_key: TrustedKeys = [],  # noqa: B006  (as above)
    server: ServerOption = None,
    model: ModelOption = None,
    token_file: TokenFileOption = None,
    tls_ca: TlsCaOption = None,
    json: JsonFlag = False,
) -> None:
    """Judge pictures: accept, reject or review, each with its reason and probability of defect.

    A picture that cannot be read is answered with review and the reason fault, never skipped; the exit code is then 2, or 1 where
    a server could not judge it.

    Example: `loupe inspect cells-1.0.loupe part1.png part2.png --explain --heatmap out`

    Example: `loupe inspect --server line-server:50051 --tls-ca ca.pem part1.png part2.png`
    """
    output = Output(json)
    if server is not None:
        here = {"--file": file, "--threads": threads, "--trusted-key": trusted_key}
        _refuse(context, here, "with a bundle, not with --server")
        there = Server(address=server, model=model or "", token_file=token_file, tls_ca=tls_ca)
        pictures = [bundle, *images]
        raise typer.Exit(inspect_on(there, pictures, heatmap=heatmap, explaining=explaining, output=output))
    _refuse(
        context, {"--model": model, "--token-file": token_file, "--tls-ca": tls_ca}, "with --server alone"
    )
    if not images:
        context.fail("Missing argument 'images'.")
    keys, required = trust(trusted_key)
    inspector = _inspector(
        open_bundle(bundle, trusted=keys, require_signature=required), file=file, threads=threads
    )
    results = _here(inspector, images, heatmap=heatmap, explaining=explaining)
    _say(bundle, inspector, results, output)
    if any("error" in result for result in results):
        raise typer.Exit(2)


def _refuse(context: typer.Context, options: dict[str, Any], where: str) -> None:
    given = [name for name, value in options.items() if value not in (None, [])]
    if given:
        context.fail(f"{given[0]} goes {where}.")


def _inspector(opened: Bundle, *, file: str | None, threads: int | None) -> Inspector:
    usual = choose(opened)
    inspector = Inspector(opened, choice=Choice(file=file or usual.file, threads=threads or usual.threads))
    inspector.session.warm_up(opened.manifest.preprocess.size_wh)
    return inspector


def _say(bundle: Path, inspector: Inspector, results: Sequence[dict[str, Any]], output: Output) -> None:
    certificate = inspector.decision.certificate
    output.result(
        {
            "bundle": str(bundle),
            "model": inspector.choice.model_dump(),
            "signed_by": inspector.bundle.signed_by,
            "certificate": certificate.line() if certificate else None,
            "counts": counts(results),
            "results": results,
        },
        table(results),
        certificate.line() if certificate else "no certificate: nothing is accepted until `loupe certify`",
    )


def _here(
    inspector: Inspector, images: Sequence[Path], *, heatmap: Path | None, explaining: bool
) -> list[dict[str, Any]]:
    results = []
    with bar() as progress:
        task = progress.add_task("inspecting", total=len(images), note="")
        for image, name in zip(images, distinct_names(images), strict=True):
            target = heatmap / name if heatmap else None
            results.append(_one(inspector, image, target, explaining=explaining))
            progress.advance(task)
    return results


def _one(inspector: Inspector, image: Path, heatmap: Path | None, *, explaining: bool) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        prepared = prepare_file(image, inspector.bundle.manifest.preprocess)
    except ImageError as error:
        return not_judged(image, str(error))
    inspection = inspector.inspect(prepared, prepare_ms=1e3 * (time.perf_counter() - started))
    result = {
        "image": str(image),
        **judgement(inspection.verdict),
        "quality": asdict(inspection.quality),
        "timings": asdict(inspection.timings),
    }
    if explaining or heatmap:
        explanation = explain(inspector, inspection, counterfactual=explaining)
        result |= _evidence(inspection, explanation, heatmap, explaining=explaining)
    return result


def _evidence(
    inspection: Inspection, explanation: Explanation, heatmap: Path | None, *, explaining: bool
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if explaining:
        counterfactual = explanation.counterfactual
        result["explanation"] = {
            "text": explanation.sentence(),
            "defect": explanation.defect,
            "box_xyxy": explanation.source_box_xyxy,
            "log_odds": explanation.log_odds,
            "contribution": explanation.contribution,
            "counterfactual": judgement(counterfactual) if counterfactual else None,
        }
    if heatmap is not None:
        write_bytes(heatmap, encode_png(picture(inspection, explanation)))
        result["heatmap"] = str(heatmap)
    return result
