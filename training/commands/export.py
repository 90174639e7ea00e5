"""`loupe export`: a finished run to a bundle."""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from training import export as exporting
from training.catalog.export import export_catalog
from training.quantise import Allowance
from training.run import task_of
from vision.commands.output import JsonFlag, Output

_DEFAULTS: Final = Allowance()


def export(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="The bundle: a folder, or one file when the name ends in .loupe.")
    ],
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise as well; packed only if its accuracy guard passes.")
    ] = False,
    max_accuracy_drop: Annotated[
        float,
        typer.Option(min=0, max=100, help="Points of balanced accuracy on the tune part that int8 may cost."),
    ] = _DEFAULTS.accuracy_drop,
    max_verdict_changes: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the tune part that int8 may give another class.")
    ] = _DEFAULTS.verdict_changes,
    name: Annotated[str | None, typer.Option(help="The model's name; by default the task's.")] = None,
    version: Annotated[str, typer.Option("--model-version", help="The model's version.")] = "1.0",
    json: JsonFlag = False,
) -> None:
    """Export a run to ONNX, compare it with torch on real pictures, quantise it, and pack the bundle.

    Example: `loupe export run --out cells --int8`
    """
    output = Output(json)
    allowed = Allowance(accuracy_drop=max_accuracy_drop, verdict_changes=max_verdict_changes)
    task = task_of(run)
    exporter = export_catalog if task == "catalog" else exporting.export
    exported = exporter(
        run, out, int8=int8, allowed=allowed, name=name or task, version=version, say=output.say
    )
    facts = exported.to_json()
    table = Table(title=escape(str(out)), title_justify="left", show_header=False)
    parity, guard = exported.parity, exported.guard
    table.add_row(
        "torch and ONNX",
        f"{parity.pictures} pictures: largest logit difference {parity.max_logit_difference:.2g}, "
        f"{parity.label_disagreements} other labels",
    )
    if guard is not None:
        table.add_row(
            "int8 guard",
            f"{guard.pictures} pictures: balanced accuracy down {guard.balanced_accuracy_drop:.2f} points, "
            f"{guard.verdict_changes:.2%} verdicts changed",
        )
    table.add_row("int8", exported.int8)
    following = f"next: loupe certify {escape(str(out))} --data MANIFEST --split val --max-escape 0.05"
    output.result(facts, table, following)
