"""`loupe demo`: the whole way on real pictures, from photographs to verdicts."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from training import elpv
from training.commands import certify as certifying
from training.commands.evaluate import judge_bundle, record_opening
from training.commands.train import begin, plan
from training.evaluate import Evaluation, Judged, evaluate
from training.export import export
from training.fit import fit
from training.issue import Issued, Terms, issue
from training.manifest import Manifest, read_manifest
from training.recipe import read_recipe
from training.report import write_report
from training.run import check_fresh
from vision.bundle import Bundle
from vision.commands.output import JsonFlag, Output, bar
from vision.errors import LoupeError
from vision.inspection.policy import Costs
from vision.qualify import qualify
from vision.settings import read_settings

_SHOWN = 8


def demo(
    out: Annotated[Path, typer.Option(help="A new folder for everything the demo makes.")] = Path("demo"),
    minutes: Annotated[float, typer.Option(min=0.05, help="How long to train.")] = 5.0,
    max_escape: Annotated[float, typer.Option(min=1e-4, max=0.5, help="The escape rate to certify.")] = 0.05,
    json: JsonFlag = False,
) -> None:
    """Train on real solar cells, export, quantise, certify, inspect the test cells, and write a report.

    Takes the pictures of the package elpv-dataset (extra `demo`): CC BY-NC-SA 4.0, for non-commercial use. Needs no network.

    Example: `loupe demo --out demo --minutes 5`
    """
    output, started = Output(json), time.monotonic()
    check_fresh(out)
    output.say(elpv.NOTICE)
    elpv.write_manifest(out / "manifest.csv")
    manifest = read_manifest(out / "manifest.csv", images=elpv.images())
    output.say(f"training for {minutes:g} minutes on {len(manifest.split('train'))} cells")
    _train(manifest, out / "run", minutes)
    exported = export(out / "run", out / "bundle", int8=True, name="solar-cells", say=output.say)
    output.say(f"int8: {exported.int8}")
    issued = _certify(exported.bundle, manifest, max_escape, output)
    measured = qualify(issued.bundle, settings=read_settings())
    output.say(f"this machine runs {measured.choice.file} on {measured.choice.threads} threads")
    report = out / "report.html"
    one, evaluation = _inspect(out, manifest, report)
    verdicts = one.verdicts or ()
    counts = Counter(verdict.decision.value for verdict in verdicts)
    chosen = measured.choice.file
    line = issued.certifications[chosen].explanation(max_escape, 0.95)
    output.result(
        {
            "verdicts": dict(counts),
            "file": chosen,
            "certificate": line,
            "auroc": evaluation.auroc,
            "accuracy": evaluation.accuracy.value,
            "report": str(report),
            "bundle": str(out / "bundle"),
            "seconds": round(time.monotonic() - started, 1),
        },
        _verdicts(one),
        certifying.table(chosen, issued.certifications[chosen]),
        f"verdicts on {len(verdicts)} test cells: "
        + ", ".join(f"{counts.get(one, 0)} {one}" for one in ("accept", "reject", "review")),
        f"AUROC {evaluation.auroc or 0:.3f}, accuracy {evaluation.accuracy.value or 0:.3f} on modules the model has not seen",
        f"certificate ({chosen}): {line}",
        elpv.NOTICE,
        f"report: {report}",
    )


def _train(manifest: Manifest, folder: Path, minutes: float) -> None:
    run = plan(
        manifest,
        read_recipe("resnet50"),
        good=None,
        weights="warmstart",
        minutes=minutes,
        seed=0,
        split_column="split",
    )
    begin(run, folder)
    try:
        fit(run, folder)
    except KeyboardInterrupt:
        raise LoupeError(f"interrupted; {folder} can be resumed with loupe train") from None


def _certify(bundle: Bundle, manifest: Manifest, max_escape: float, output: Output) -> Issued:
    """Certify with parts taken for independent: so few modules cannot support any useful bound over modules."""
    output.say("certifying on cells that the model has not seen")
    terms = Terms(max_escape=max_escape, confidence=0.95, costs=Costs(), assume_independent_parts=True)
    items = manifest.split("val")
    with bar() as progress:
        task = progress.add_task("scoring", total=len(items) * len(bundle.manifest.models), note="")
        return issue(bundle, items, terms, advance=lambda n: progress.advance(task, n))


def _inspect(out: Path, manifest: Manifest, report: Path) -> tuple[Judged, Evaluation]:
    record_opening(out / "run" / "openings.jsonl", "run", "test")
    items = manifest.split("test")
    with bar() as progress:
        task = progress.add_task("inspecting", total=len(items), note="")
        inspector, one = judge_bundle(out / "bundle", items, advance=lambda n: progress.advance(task, n))
    evaluation = evaluate(one)
    write_report(
        report,
        title="Solar cells of unseen modules",
        evaluation=evaluation,
        judged=one,
        policy=inspector.decision.policy,
        certificate=inspector.decision.certificate,
        temperature=inspector.decision.temperature,
        preprocess=inspector.bundle.manifest.preprocess,
        notice=elpv.NOTICE,
    )
    return one, evaluation


def _verdicts(one: Judged) -> Table:
    """A few verdicts of each kind."""
    table = Table(
        "cell", "truth", "verdict", "reason", "p(defect)", "why", title="Some verdicts", title_justify="left"
    )
    shown: Counter[str] = Counter()
    for item, verdict in zip(one.scored.items, one.verdicts or (), strict=True):
        shown[verdict.decision] += 1
        if shown[verdict.decision] <= _SHOWN // 2:
            table.add_row(
                item.path.name,
                item.label,
                verdict.decision.value,
                verdict.reason.value,
                f"{verdict.probability:.3f}",
                verdict.detail,
            )
    return table
