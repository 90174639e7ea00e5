"""`loupe inspect`: judge pictures with a bundle."""

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from vision.bundle import open_bundle
from vision.commands.options import BundleArgument, TrustedKeys, trust
from vision.commands.output import JsonFlag, Output, bar
from vision.errors import ImageError
from vision.files import write_bytes
from vision.image import encode_png
from vision.inspection.explain import Explanation, explain, picture
from vision.inspection.inspect import Inspection, Inspector
from vision.inspection.policy import Decision, fallback
from vision.preprocess import prepare_file
from vision.qualify import Choice, choose

_STYLE = {"accept": "green", "reject": "red", "review": "yellow"}


def inspect(
    bundle: BundleArgument,
    images: Annotated[list[Path], typer.Argument(help="Pictures of parts.", show_default=False)],
    heatmap: Annotated[
        Path | None, typer.Option(help="Write a picture with the evidence over it to this folder.")
    ] = None,
    explaining: Annotated[
        bool, typer.Option("--explain", help="Say where the evidence lies and what would be said without it.")
    ] = False,
    file: Annotated[str | None, typer.Option(help="Which ONNX file to run; as qualified by default.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads within one run; as qualified by default.")
    ] = None,
    trusted_key: TrustedKeys = [],  # noqa: B006  (typer reads the default)
    json: JsonFlag = False,
) -> None:
    """Judge pictures: accept, reject or review, each with its reason and probability of defect.

    A picture that cannot be read is answered with review and the reason fault, never skipped; the exit code is then 2.

    Example: `loupe inspect cells-1.0.loupe part1.png part2.png --explain --heatmap out`
    """
    output = Output(json)
    keys, required = trust(trusted_key)
    opened = open_bundle(bundle, trusted=keys, require_signature=required)
    usual = choose(opened)
    inspector = Inspector(opened, choice=Choice(file=file or usual.file, threads=threads or usual.threads))
    inspector.session.warm_up(opened.manifest.preprocess.size_wh)
    names = _distinct_names(images)
    results = []
    with bar() as progress:
        task = progress.add_task("inspecting", total=len(images), note="")
        for image, name in zip(images, names, strict=True):
            target = heatmap / name if heatmap else None
            results.append(_one(inspector, image, target, explaining=explaining))
            progress.advance(task)
    counts = Counter(result["decision"] for result in results)
    certificate = inspector.decision.certificate
    output.result(
        {
            "bundle": str(bundle),
            "model": inspector.choice.model_dump(),
            "signed_by": inspector.bundle.signed_by,
            "certificate": certificate.line() if certificate else None,
            "counts": {decision.value: counts.get(decision.value, 0) for decision in Decision},
            "results": results,
        },
        _table(results),
        certificate.line() if certificate else "no certificate: nothing is accepted until `loupe certify`",
    )
    if any("error" in result for result in results):
        raise typer.Exit(2)


def _one(inspector: Inspector, image: Path, heatmap: Path | None, *, explaining: bool) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        prepared = prepare_file(image, inspector.bundle.manifest.preprocess)
    except ImageError as error:
        verdict = fallback(str(error))
        return {"image": str(image), **_judgement(asdict(verdict)), "error": str(error)}
    inspection = inspector.inspect(prepared, prepare_ms=1e3 * (time.perf_counter() - started))
    result = {
        "image": str(image),
        **_judgement(asdict(inspection.verdict)),
        "quality": asdict(inspection.quality),
        "timings": asdict(inspection.timings),
    }
    if explaining or heatmap:
        result |= _evidence(inspection, explain(inspector, inspection), heatmap, explaining=explaining)
    return result


def _judgement(verdict: dict[str, Any]) -> dict[str, Any]:
    decision = verdict["decision"].value
    return {"verdict": decision} | verdict | {"decision": decision, "reason": verdict["reason"].value}


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
            "counterfactual": _judgement(asdict(counterfactual)) if counterfactual else None,
        }
    if heatmap is not None:
        write_bytes(heatmap, encode_png(picture(inspection, explanation)))
        result["heatmap"] = str(heatmap)
    return result


def _distinct_names(images: Sequence[Path]) -> list[str]:
    """A PNG name a picture; pictures of the same name from several folders are numbered."""
    names: dict[str, None] = {}
    for image in images:
        numbered = (f"{image.stem}-{number}.png" for number in itertools.count(2))
        free = (name for name in itertools.chain([f"{image.stem}.png"], numbered) if name not in names)
        names[next(free)] = None
    return list(names)


def _table(results: Sequence[dict[str, Any]]) -> Table:
    table = Table("image", "verdict", "reason", "p(defect)", "novelty", "why")
    for result in results:
        style = _STYLE[result["decision"]]
        shown = [
            f"{result[key]:.3f}" if result[key] is not None else "-" for key in ("probability", "novelty")
        ]
        why = result.get("explanation", {}).get("text", result["detail"])
        table.add_row(
            escape(Path(result["image"]).name),
            f"[{style}]{result['decision']}[/{style}]",
            result["reason"],
            *shown,
            escape(why),
        )
    return table
