"""`loupe evaluate`: figures of a run or a bundle on labelled pictures."""

import datetime
import json as jsonlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from training.catalog.figures import evaluate as evaluate_catalog
from training.catalog.run import CatalogRun
from training.catalog.score import score_bundle
from training.commands.catalog_figures import figures_table, score_run
from training.commands.options import Data, GroupColumn, Images, SplitColumn, Where, items_of, manifest_of
from training.evaluate import Evaluation, Judged, judged
from training.evaluate import evaluate as figures_of
from training.export import load_network
from training.issue import learned_from
from training.manifest import Item, check_labels
from training.report import write_report
from training.run import Run, read_run, task_of
from training.score import Scored, score, torch_scorer
from training.statistics import Rate
from vision.bundle import Bundle, describe, open_bundle
from vision.catalog.spec import catalog_spec
from vision.commands.output import JsonFlag, Output, bar
from vision.errors import SettingsError
from vision.files import append_line
from vision.inspection.inspect import Inspector
from vision.qualify import Choice, choose
from vision.settings import read_settings


def evaluate(
    model: Annotated[Path, typer.Argument(help="A finished run's folder, or a bundle.", show_default=False)],
    data: Data,
    images: Images = None,
    split: Annotated[str, typer.Option(help="The split to judge.")] = "test",
    file: Annotated[
        str | None, typer.Option(help="Of a bundle: which ONNX file; as qualified by default.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    slice_by: Annotated[
        list[str], typer.Option(help="Manifest columns to look at by value; by default all of few values.")
    ] = [],  # noqa: B006  (typer reads the default)
    split_column: SplitColumn = "split",
    group_column: GroupColumn = "group",
    where: Where = [],  # noqa: B006  (as above)
    json: JsonFlag = False,
) -> None:
    """Judge labelled pictures: accuracy, AUROC, calibration, recall and precision, escapes at the policy, by slice.

    All with intervals. A run is judged in torch without thresholds; a bundle as it would run at the line.

    Example: `loupe evaluate cells --data manifest.csv --images pictures --split test --report report.html`
    """
    output = Output(json)
    is_run = (model / "run.json").exists()
    levels = catalog_levels(model, is_run=is_run)
    manifest = manifest_of(
        data, images, split_column, group_column, where, label_columns=levels or ("label",)
    )
    items = items_of(manifest, split)
    if is_run and file is not None:
        raise SettingsError(
            f"--file {file}: expected a bundle, found the run {model}, which is judged in torch"
        )
    if levels:
        if report is not None:
            raise SettingsError(
                "--report: expected an inspection model, found a catalog's, whose figures are a table"
            )
        _evaluate_catalog(model, items, file, split, slice_by, output)
        return
    with bar() as progress:
        task = progress.add_task("scoring", total=len(items), note="")

        def advance(count: int) -> None:
            progress.advance(task, count)

        if is_run:
            one = judge_run(model, items, advance=advance)
            inspector = None
        else:
            inspector, one = judge_bundle(model, items, file=file, advance=advance)
            _warn_of_learned(inspector.bundle, one.scored.digests, output)
    evaluation = figures_of(one, slice_by=slice_by or None)
    _opened(model, inspector.bundle if inspector else None, split, output)
    if report is not None:
        decision = inspector.decision if inspector else None
        write_report(
            report,
            title=f"{model.name} on the {split} split",
            evaluation=evaluation,
            judged=one,
            policy=decision.policy if decision else None,
            certificate=decision.certificate if decision else None,
            temperature=decision.temperature if decision else 1.0,
            preprocess=inspector.bundle.manifest.preprocess
            if inspector
            else read_run(model, Run).recipe.preprocess,
        )
    accuracy = evaluation.accuracy
    shown = {"accuracy": accuracy.value, "accuracy_interval": [accuracy.low, accuracy.high]}
    facts = {"model": str(model), "file": inspector.choice.file if inspector else None, "split": split}
    output.result(
        facts | evaluation.to_json() | shown | {"report": str(report) if report else None},
        table(evaluation),
        *([f"report: {escape(str(report))}"] if report else []),
    )


def catalog_levels(model: Path, *, is_run: bool) -> tuple[str, ...]:
    """The levels that a catalog run or bundle tells apart; none for another task's.

    Raises:
        SettingsError, BundleError: there is neither.
    """
    if is_run:
        return read_run(model, CatalogRun).taxonomy.levels if task_of(model) == "catalog" else ()
    manifest, _ = describe(model)
    return tuple(manifest.decision["levels"]) if manifest.task == "catalog" else ()  # type: ignore[arg-type]


def _evaluate_catalog(
    model: Path, items: tuple[Item, ...], file: str | None, split: str, slice_by: list[str], output: Output
) -> None:
    bundle = None if (model / "run.json").exists() else open_bundle(model)
    temperatures: Mapping[str, float] = {}
    with bar() as progress:
        task = progress.add_task("scoring", total=len(items), note="")

        def advance(count: int) -> None:
            progress.advance(task, count)

        if bundle is None:
            scored = score_run(model, items, advance=advance)
        else:
            chosen = choose(bundle)
            choice = Choice(file=file, threads=chosen.threads) if file else chosen
            scored = score_bundle(bundle, choice, items, advance=advance)
            temperatures = catalog_spec(bundle).files[choice.file].temperatures
            _warn_of_learned(bundle, scored.digests, output)
    figures = evaluate_catalog(scored, temperatures=temperatures, slice_by=slice_by or None)
    _opened(model, bundle, split, output)
    output.result({"model": str(model), "split": split, **figures.to_json()}, figures_table(figures))


def _opened(model: Path, bundle: Bundle | None, split: str, output: Output) -> None:
    """Note that a split was opened, and warn where it was before."""
    if bundle is None:
        openings = record_opening(model / "openings.jsonl", "run", split)
    else:
        openings = record_opening(read_settings().cache_dir / "openings.jsonl", bundle.digest(), split)
    if openings > 1:
        output.warn(
            f"the {split} split was opened before for this model; figures chosen after looking are too good"
        )


def judge_run(
    folder: Path, items: tuple[Item, ...], *, advance: Callable[[int], None] = lambda _: None
) -> Judged:
    """What a run's network says of items; no thresholds, temperature 1."""
    run = read_run(folder, Run)
    check_labels(items, run.labels)
    scored = score(torch_scorer(load_network(folder)), items, run.recipe.preprocess, advance=advance)
    return judged(scored, run.labels, run.good)


def judge_bundle(
    path: Path,
    items: tuple[Item, ...],
    *,
    file: str | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[Inspector, Judged]:
    """What a bundle says of items, with the verdicts it would give at the line."""
    bundle = open_bundle(path)
    check_labels(items, bundle.manifest.labels)
    choice = choose(bundle)
    inspector = Inspector(bundle, choice=Choice(file=file, threads=choice.threads) if file else choice)
    scored: Scored = score(inspector.session.run, items, bundle.manifest.preprocess, advance=advance)
    verdicts = tuple(
        inspector.judge(prediction, quality, watch=False)
        for prediction, quality in zip(scored.predictions, scored.qualities, strict=True)
    )
    return inspector, judged(
        scored,
        bundle.manifest.labels,
        inspector.spec.good,
        temperature=inspector.decision.temperature,
        verdicts=verdicts,
    )


def _warn_of_learned(bundle: Bundle, digests: Iterable[str], output: Output) -> None:
    seen = sum(learned_from(bundle, digests))
    if seen:
        output.warn(f"{seen} of these pictures were learned from; figures on them are too good")


def record_opening(log: Path, model: str, split: str) -> int:
    """Note that a split was opened for a model; returns how often it has been.

    Args:
        log: a run's own log, or that of the cache folder for bundles, which nothing may be written into.

    Raises:
        StorageError: it cannot be noted, so the figures must not be shown.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    append_line(log, jsonlib.dumps({"model": model, "split": split, "at": now}))
    opened = map(_opening, log.read_text(errors="replace").splitlines())
    return sum(one == (model, split) for one in opened)


def _opening(line: str) -> tuple[str, str] | None:
    """Which model and split a line of the log names; nothing where a power cut tore it."""
    try:
        one = jsonlib.loads(line)
        return one["model"], one["split"]
    except (ValueError, TypeError, KeyError):
        return None


def table(evaluation: Evaluation) -> Table:
    """The figures that matter first, for a terminal."""
    shown = Table("figure", "value", "95 % interval", title=f"{evaluation.n} pictures", title_justify="left")

    def add(name: str, rate: Rate) -> None:
        value = "-" if rate.value is None else f"{rate.value:.3f}"
        shown.add_row(escape(name), value, f"{rate.low:.3f} - {rate.high:.3f} ({rate.count} of {rate.n})")

    add("accuracy", evaluation.accuracy)
    shown.add_row("balanced accuracy", f"{evaluation.balanced_accuracy:.3f}", "")
    if evaluation.auroc is not None and evaluation.auroc_interval is not None:
        low, high = evaluation.auroc_interval
        shown.add_row("AUROC", f"{evaluation.auroc:.3f}", f"{low:.3f} - {high:.3f} (by group)")
    shown.add_row("calibration error", f"{evaluation.ece:.3f}", "")
    for label, figures in evaluation.per_class.items():
        add(f"recall of {label}", figures.recall)
    if evaluation.policy is not None:
        add("escapes", evaluation.policy.escape)
        add("false rejects", evaluation.policy.false_reject)
        add("to review", evaluation.policy.review)
    return shown
