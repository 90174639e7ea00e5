"""`loupe imagery check`, `fix` and `rules`: images held against marketplaces' rules and put right, and the rules themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from vision.commands.options import check_apart
from vision.commands.output import JsonFlag, Output, bar
from vision.errors import ImageError, ImageryError, MissingExtraError, SettingsError
from vision.files import write_bytes
from vision.image import load, read_bytes
from vision.imagery.compliance import Context, Report, RuleSet, read_rule_set, rule_set, rule_sets
from vision.imagery.compliance.check import check_picture
from vision.imagery.compliance.fix import Fixed
from vision.imagery.compliance.fix import fix as put_right
from vision.imagery.compliance.measures import SUFFIXES
from vision.imagery.compliance.metadata import LIMITS
from vision.imagery.compliance.picture import Picture
from vision.imagery.compliance.text import read

Images = Annotated[list[Path], typer.Argument(help="Finished images.", show_default=False)]
Mask = Annotated[
    Path | None,
    typer.Option(
        help="A picture of the image's size, white where the product is; else it is told from a plain background.",
        show_default=False,
    ),
]
Photo = Annotated[
    Path | None,
    typer.Option(
        help="The product's photo: text on the product that cannot be read there is not its own.",
        show_default=False,
    ),
]
MadeWithAi = Annotated[
    bool | None,
    typer.Option(
        "--ai/--no-ai", help="Whether AI made a part of it, which has to be labelled.", show_default=False
    ),
]
_COLOURS: Final = {"pass": "green", "warn": "yellow", "fail": "red", "not_checked": "cyan"}


def check(
    images: Images,
    rules: Annotated[
        str,
        typer.Option(
            help="Rule sets, with commas between; a name ending in .toml is a file of one's own.",
            show_default=False,
        ),
    ],
    mask: Mask = None,
    photo: Photo = None,
    ai: MadeWithAi = None,
    json: JsonFlag = False,
) -> None:
    """Hold images against marketplaces' rules, as their bytes are: format, size, colours, background, framing, text, labels.

    Exit 1 where a rule fails an image, 2 where an image cannot be read. What was not checked is said, and fails nothing.

    Example: `loupe imagery check mug.jpg --rules amazon.main,google.merchant`
    """
    sets = _rule_sets(rules)
    if mask is not None and len(images) > 1:
        raise SettingsError(f"--mask: expected one image to go with it, found {len(images)}")
    own_text = _own_text(photo)
    results: list[dict[str, Any]] = []
    shown: list[RenderableType] = []
    with bar() as progress:
        task = progress.add_task("checking", total=len(images), note="")
        for image in images:
            try:
                reports = _reports(image, sets, mask=mask, own_text=own_text, ai=ai)
            except (ImageError, ImageryError) as error:
                results.append({"image": str(image), "error": str(error)})
                shown.append(f"[red]cannot be checked:[/red] {escape(str(error))}")
            else:
                found = [report.model_dump(mode="json") for report in reports]
                results.append({"image": str(image), "reports": found})
                shown += [_table(image, report) for report in reports]
            progress.advance(task)
    unread = any("error" in result for result in results)
    statuses = [report["status"] for result in results for report in result.get("reports", ())]
    Output(json).result({"ok": not unread and "fail" not in statuses, "images": results}, *shown)
    if unread or "fail" in statuses:
        raise typer.Exit(2 if unread else 1)


def fix(
    image: Annotated[Path, typer.Argument(help="A finished image.", show_default=False)],
    rules: Annotated[str, typer.Option(help="A rule set, or a file of one's own.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="Where to write the result; another file than the image.", show_default=False)
    ],
    mask: Mask = None,
    break_signature: Annotated[
        bool, typer.Option(help="Change a signed image as well, which loses its content credentials.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Put an image right where that takes no person, and say what it still needs one for. Labels are kept.

    Exit 1 where a rule still fails it.

    Example: `loupe imagery fix mug.png --rules amazon.main --out mug.jpg`
    """
    check_apart(out, image, mask)
    chosen = _rule_sets(rules)
    if len(chosen) != 1:
        raise SettingsError(f"--rules: expected one rule set to put it right for, found {len(chosen)}")
    wanted = next((name for name, suffixes in SUFFIXES.items() if out.suffix.lower() in suffixes), None)
    fixed = put_right(
        _read(image),
        chosen[0],
        context=Context(name=str(out), alpha_hw=_alpha(mask)),
        image_format=wanted,
        break_signature=break_signature,
    )
    if fixed.format != wanted:
        ends = " or ".join(SUFFIXES[fixed.format])
        raise SettingsError(f"--out: expected a name that ends in {ends}, found {out.name!r}")
    write_bytes(out, fixed.data)
    Output(json).result(_fix_value(out, fixed), *_fix_lines(out, fixed))
    if not fixed.report.ok:
        raise typer.Exit(1)


def rules(
    name: Annotated[
        str | None, typer.Argument(help="Show the rules of this set.", show_default=False)
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Show the rule sets, or the rules of one: their values, how well they are known, where and when they were read.

    Example: `loupe imagery rules amazon.main`
    """
    output = Output(json)
    if name is not None:
        (one,) = _rule_sets(name)
        output.result(
            one.model_dump(mode="json") | {"status": one.status, "digest": one.digest()}, _rules_table(one)
        )
        return
    table = Table("rule set", "for", "version", "rules", "known", title="Rule sets", title_justify="left")
    for one in rule_sets():
        table.add_row(one.name, escape(one.title), str(one.version), str(len(one.rules)), one.status)
    value = [
        {
            "name": one.name,
            "title": one.title,
            "version": one.version,
            "status": one.status,
            "digest": one.digest(),
        }
        for one in rule_sets()
    ]
    output.result({"rule_sets": value}, table)


def _rule_sets(names: str) -> tuple[RuleSet, ...]:
    named = [name.strip() for name in names.split(",")]
    return tuple(read_rule_set(Path(name)) if name.endswith(".toml") else rule_set(name) for name in named)


def _read(image: Path) -> bytes:
    return read_bytes(image, limits=LIMITS)


def _alpha(mask: Path | None) -> Any:
    return None if mask is None else load(mask, limits=LIMITS).image_hwc.max(axis=2)


def _own_text(photo: Path | None) -> tuple[str, ...] | None:
    """What can be read in the product's photo; without the reader the rule on text says itself that it is not checked."""
    if photo is None:
        return None
    try:
        return tuple(line.words for line in read(load(photo, limits=LIMITS).image_hwc))
    except MissingExtraError:
        return None


def _reports(
    image: Path,
    sets: Sequence[RuleSet],
    *,
    mask: Path | None,
    own_text: tuple[str, ...] | None,
    ai: bool | None,
) -> list[Report]:
    context = Context(name=str(image), alpha_hw=_alpha(mask), own_text=own_text, synthetic=ai)
    picture = Picture(_read(image), context)
    return [check_picture(picture, one) for one in sets]


def _table(image: Path, report: Report) -> Table:
    title = (
        f"{image}, {report.rule_set} version {report.version}: [{_COLOURS[report.status]}]{report.status}[/]"
    )
    table = Table("rule", "", "measured", "limit", "", "rule is", "source", title=title, title_justify="left")
    for found in report.findings:
        help_ = f"fix: {found.fix}" if found.fix else ""
        table.add_row(
            found.rule,
            f"[{_COLOURS[found.status]}]{found.status.replace('_', ' ')}[/]",
            *map(
                escape,
                (_short(found.measured), _short(found.limit), "; ".join(filter(None, (found.note, help_)))),
            ),
            f"{found.rule_status}, {found.checked_on}",
            escape(found.source),
        )
    return table


def _rules_table(one: RuleSet) -> Table:
    table = Table(
        "rule", "breaks", "value", "known", "read on", "source", title=escape(one.title), title_justify="left"
    )
    for rule in one.rules:
        value = rule.model_dump(mode="json", exclude_none=True)["value"]
        table.add_row(
            rule.id,
            rule.severity,
            escape(_short(value)),
            rule.status,
            str(rule.checked_on),
            escape(rule.source),
        )
    return table


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_short, value))
    return "" if value is None or value is True else str(value)


def _fix_value(out: Path, fixed: Fixed) -> dict[str, Any]:
    return {
        "out": str(out),
        "format": fixed.format,
        "ok": fixed.report.ok,
        "changes": list(fixed.changes),
        "unfixable": fixed.unfixable,
        "report": fixed.report.model_dump(mode="json"),
    }


def _fix_lines(out: Path, fixed: Fixed) -> list[str]:
    lines = [f"done: {escape(change)}" for change in fixed.changes] or ["nothing to be done"]
    lines += [f"[red]unfixable:[/red] {rule}: {escape(why)}" for rule, why in fixed.unfixable.items()]
    return [*lines, f"{escape(str(out))}: {fixed.report.rule_set}: {fixed.report.status}"]
