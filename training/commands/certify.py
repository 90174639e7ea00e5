"""`loupe certify`: thresholds and a certified escape rate for a bundle."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from training.catalog.issue import issue_catalog
from training.certify import Certification
from training.commands.catalog_figures import promises_table
from training.commands.options import Data, GroupColumn, Images, SplitColumn, Where, items_of, manifest_of
from training.issue import Issued, Terms, issue
from training.manifest import Item
from vision.bundle import Bundle, is_signed, open_bundle
from vision.catalog.spec import catalog_spec
from vision.commands.options import BundleArgument
from vision.commands.output import JsonFlag, Output, bar
from vision.inspection.policy import Costs
from vision.inspection.spec import inspection_spec


def certify(
    bundle: BundleArgument,
    data: Data,
    images: Images = None,
    split: Annotated[str, typer.Option(help="The split to calibrate on, new to the model.")] = "val",
    max_escape: Annotated[
        float,
        typer.Option(
            min=1e-5,
            max=0.5,
            help="The largest share of defective parts that may be accepted; of a catalog's answers that may be wrong.",
        ),
    ] = 0.05,
    confidence: Annotated[float, typer.Option(min=0.5001, max=0.9999, help="Of the certificate.")] = 0.95,
    assume_independent_parts: Annotated[
        bool,
        typer.Option(
            "--assume-independent-parts", help="Let the bound over parts bind although parts come in groups."
        ),
    ] = False,
    cost_escape: Annotated[float, typer.Option(min=0, help="Of a defective part accepted.")] = 100.0,
    cost_false_reject: Annotated[float, typer.Option(min=0, help="Of a good part rejected.")] = 5.0,
    cost_review: Annotated[float, typer.Option(min=0, help="Of a part reviewed.")] = 1.0,
    defect_rate: Annotated[
        float, typer.Option(min=1e-6, max=0.999, help="Share of defective parts at the line.")
    ] = 0.05,
    require: Annotated[
        bool, typer.Option("--require", help="Exit 1 unless every file is certified.")
    ] = False,
    split_column: SplitColumn = "split",
    group_column: GroupColumn = "group",
    where: Where = [],  # noqa: B006  (typer reads the default)
    json: JsonFlag = False,
) -> None:
    """Choose thresholds of least expected cost whose escape rate is certified, for each ONNX file.

    Prints the bound with parts exchangeable and, where parts come in groups, with groups exchangeable; the latter
    binds unless --assume-independent-parts. Where the data cannot support the asked rate, it says how many would, and the
    policy accepts nothing. Calibration data may be opened once: each opening is recorded in the bundle.

    Example: `loupe certify cells --data manifest.csv --images pictures --max-escape 0.05`
    """
    output = Output(json)
    opened = open_bundle(bundle)
    if opened.manifest.task == "catalog":
        levels = catalog_spec(opened).levels
        manifest = manifest_of(data, images, split_column, group_column, where, label_columns=levels)
        _certify_catalog(opened, items_of(manifest, split), max_escape, confidence, output)
        return
    items = items_of(manifest_of(data, images, split_column, group_column, where), split)
    costs = Costs(
        escape=cost_escape, false_reject=cost_false_reject, review=cost_review, defect_rate=defect_rate
    )
    terms = Terms(
        max_escape=max_escape,
        confidence=confidence,
        costs=costs,
        assume_independent_parts=assume_independent_parts,
    )
    signed = is_signed(bundle)
    with bar() as progress:
        task = progress.add_task("scoring", total=len(items) * len(opened.manifest.models), note="")
        issued = issue(opened, items, terms, advance=lambda n: progress.advance(task, n))
    _warn(output, issued.openings, issued.shared_groups, signed=signed)
    files = {file: _facts(one, issued, file) for file, one in issued.certifications.items()}
    lines = [
        f"{file}: {one.explanation(max_escape, confidence)}" for file, one in issued.certifications.items()
    ]
    output.result(
        {
            "bundle": str(bundle),
            "certified": all(one.certified for one in issued.certifications.values()),
            "openings": issued.openings,
            "files": files,
        },
        *[table(file, one) for file, one in issued.certifications.items()],
        *[escape(line) for line in lines],
    )
    if require and not all(one.certified for one in issued.certifications.values()):
        raise typer.Exit(1)


def _certify_catalog(
    bundle: Bundle, items: Sequence[Item], max_risk: float, confidence: float, output: Output
) -> None:
    """Of a catalog, the share of wrong answers among those given is what may be at most `max_risk`."""
    signed = is_signed(bundle.path)
    with bar() as progress:
        task = progress.add_task("scoring", total=len(items) * len(bundle.manifest.models), note="")
        issued = issue_catalog(
            bundle,
            items,
            max_risk=max_risk,
            confidence=confidence,
            advance=lambda n: progress.advance(task, n),
        )
    _warn(output, issued.openings, issued.shared_groups, signed=signed)
    if issued.left_out:
        output.say(f"{issued.left_out} items left out, whose picture another item had already")
    output.result(
        {
            "bundle": str(bundle.path),
            "openings": issued.openings,
            "left_out": issued.left_out,
            "files": {file: one.model_dump(mode="json") for file, one in issued.certificates.items()},
        },
        *[promises_table(file, one) for file, one in issued.certificates.items()],
        *[escape(f"{file}: {one.line()}") for file, one in issued.certificates.items()],
    )


def _warn(output: Output, openings: int, shared_groups: int, *, signed: bool) -> None:
    """Say what makes a certificate worth less than it says."""
    if openings > 1:
        output.warn(
            f"these calibration data were opened {openings} times for this model; "
            "a certificate chosen after looking is worth less than it says"
        )
    if shared_groups:
        output.warn(
            f"{shared_groups} calibration groups have the name of a group that the model learned from; if they are the same "
            "(another split column?), the certificate is worth nothing"
        )
    if signed:
        output.warn("the bundle changed, so its signature is gone; sign it again")


def _facts(one: Certification, issued: Issued, file: str) -> dict[str, Any]:
    certificate = issued.certificates.get(file)
    return {
        "certified": one.certified,
        "temperature": inspection_spec(issued.bundle).files[file].temperature,
        "policy": one.policy.model_dump(mode="json"),
        "binding": one.binding,
        "bounds": [bound.model_dump(mode="json") for bound in one.bounds],
        "rates": asdict(one.rates),
        "expected_cost": one.policy.costs.expected(one.rates),
        "certificate": certificate.line() if certificate else None,
    }


def table(file: str, one: Certification) -> Table:
    """Bounds and thresholds of one file, for a terminal."""
    shown = Table(
        "bound", "defective units", "missed", "upper bound", "holds", title=file, title_justify="left"
    )
    unused = one.passed > 0 and not one.certified
    for bound in one.bounds:
        binding = " (binding)" if bound.assumption == one.binding else ""
        takes = f"no: takes {bound.units_needed} without a miss"
        holds = "yes" if bound.holds else "nothing is accepted" if unused else takes
        shown.add_row(
            bound.assumption + binding, str(bound.units), str(bound.failures), f"{bound.upper:.2%}", holds
        )
    rates = one.rates
    shown.caption = (
        f"accept up to {one.policy.accept_at}, reject from {one.policy.reject_at}: {rates.review_of_good:.1%} of good parts "
        f"to review, {rates.false_reject:.1%} falsely rejected; {one.policy.costs.expected(rates):.3f} expected cost a part"
    )
    return shown
