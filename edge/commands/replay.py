"""`loupe edge replay`: judge a recorded shift again, by the same models or by a candidate."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from edge.shift.bench import Candidate, recorded, standing_in
from edge.shift.format import Fingerprint
from edge.shift.machine import differing, this_fingerprint
from edge.shift.reader import Shift, read_shifts
from edge.shift.replay import Answer, Difference, Replayed
from edge.shift.replay import replay as judge_again
from edge.shift.sheet import Sheet
from vision.commands.output import JsonFlag, Output, bar
from vision.settings import Settings, read_settings

_MOST_SHOWN = 40  # parts in a table for people; JSON has them all


def replay(
    shift: Annotated[Path, typer.Argument(help="What `loupe edge record` made.", show_default=False)],
    candidate: Annotated[
        Path | None, typer.Option(help="A bundle in the place of the one that judged.", show_default=False)
    ] = None,
    recipe: Annotated[
        int | None,
        typer.Option(help="In the place of which recipe's, where there are several.", show_default=False),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="A folder for a page with the parts that differ.", show_default=False),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Judge the pictures of a recorded shift again, in their order.

    On the machine that recorded it, the same models must say the same to the last bit: exit 1 where they do not, and wherever a picture is
    not what was recorded. On another machine differences are listed with their size. With a candidate, the parts that it
    decides otherwise are listed.

    Example: `loupe edge replay monday --candidate cells-1.1.loupe --pictures changed`
    """
    output, settings, here = Output(json), read_settings(), this_fingerprint()
    shifts = read_shifts(shift)
    given = None if candidate is None else Candidate(bundle=candidate, recipe=recipe)
    told, shown, good = {}, [], True
    for one in shifts:
        other = differing(one.header.fingerprint, here)
        found = _again(one, settings, given, pictures)
        promised = given is None and not other
        good &= not found.spoilt and not (promised and any(not each.unsure for each in found.differences))
        told[one.header.station] = _told(one, found, other, here)
        shown += _shown(one, found, other, compared=given is None)
    output.result({"good": good, "stations": told}, *shown)
    if pictures is not None:
        output.say(f"pictures of the parts that differ are in {pictures}")
    if not good:
        raise typer.Exit(1)


def _again(shift: Shift, settings: Settings, candidate: Candidate | None, pictures: Path | None) -> Replayed:
    bench = recorded(shift, settings) if candidate is None else standing_in(shift, settings, candidate)
    station = shift.header.station
    sheet = None if pictures is None else Sheet(pictures / station, before=recorded(shift, settings))
    with bar() as progress:
        task = progress.add_task(f"judging {station}", total=shift.parts, note="")
        found = judge_again(
            shift,
            bench,
            numbers=candidate is None,
            shown=(lambda *_: None) if sheet is None else partial(sheet.add, station),
            advance=partial(progress.advance, task),
        )
    if sheet is not None:
        sheet.write(f"{station}: {shift.folder}")
    return found


def _told(shift: Shift, found: Replayed, other: list[str], here: Fingerprint) -> dict[str, Any]:
    return {
        "judged": found.judged,
        "identical": found.identical,
        "left_out": found.left_out,
        "transitions": [
            {"from": before, "to": after, "parts": count}
            for (before, after), count in sorted(found.transitions.items())
        ],
        "differences": [_difference(one) for one in found.differences],
        "largest_change": found.largest_change,
        "spoilt": [{"n": n, "error": error} for n, error in found.spoilt],
        "gaps": [{"first": first, "parts": count} for first, count in shift.gaps],
        "cut_short": not shift.closed,
        "torn": shift.torn,
        "same_machine": not other,
        "machine_differs_in": other,
        "machine": {"recorded": shift.header.fingerprint.model_dump(), "here": here.model_dump()},
        "loupe": shift.header.loupe,
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "n": one.n,
        "part": one.part,
        "recipe": one.recipe,
        "before": _answer(one.before),
        "after": _answer(one.after),
        "change": one.change,
        "unsure": one.unsure,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {"decision": answer.decision, "error": answer.error} | (
        {} if answer.said is None else answer.said.model_dump()
    )


def _shown(shift: Shift, found: Replayed, other: list[str], *, compared: bool) -> list[Any]:
    """What people are told of a station."""
    station = escape(shift.header.station)
    lines: list[Any] = [
        f"{station}: {found.judged} parts judged again, {found.identical} of them identically"
    ]
    if found.left_out:
        lines.append(f"{station}: {found.left_out} parts of other recipes were left out")
    if shift.gaps:
        missing = sum(count for _, count in shift.gaps)
        lines.append(f"[yellow]{station}: {missing} parts were judged and could not be recorded[/yellow]")
    if not shift.closed:
        torn = "; its last line is torn" if shift.torn else ""
        lines.append(f"[yellow]{station}: the recording was cut short{torn}[/yellow]")
    if other and compared:
        lines.append(f"[yellow]{station}: recorded on another machine: {escape('; '.join(other))}[/yellow]")
    lines += [f"[red]{station}: {escape(error)}[/red]" for _, error in found.spoilt]
    if found.differences:
        lines += [_transitions(found), _parts(found)]
    return lines


def _transitions(found: Replayed) -> Table:
    table = Table("recorded", "now", "parts", title="decisions", title_justify="left")
    for (before, after), count in sorted(found.transitions.items()):
        table.add_row(before, after, str(count), style="" if before == after else "bold")
    return table


def _parts(found: Replayed) -> Table:
    left = len(found.differences) - _MOST_SHOWN
    title = "parts that differ" + (f"; {left} more in --json" if left > 0 else "")
    table = Table("part", "recorded", "now", "change of probability", "", title=title, title_justify="left")
    decided = sorted(found.differences, key=lambda one: (one.before.decision == one.after.decision, one.n))
    for one in decided[:_MOST_SHOWN]:
        table.add_row(
            str(one.part if one.part is not None else f"#{one.n}"),
            one.before.decision,
            one.after.decision,
            "" if one.change is None else f"{one.change:+.2g}",
            "after a gap that the drift test would have seen" if one.unsure else escape(one.after.error),
        )
    return table
