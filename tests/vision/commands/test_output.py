"""Results go to stdout, everything else to stderr, and what came from outside is no markup."""

import json
from pathlib import Path

import pytest
from rich.markup import escape

from vision.commands.output import Output, bar


def test_with_json_the_result_is_one_object_and_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).result({"path": Path("a/b"), "count": 1}, "for people")
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert json.loads(out) == {"path": "a/b", "count": 1}
    assert err == ""


def test_without_json_people_are_shown_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).result({"count": 1}, "[green]one[/green]", escape("[/two]"))
    assert capsys.readouterr().out == "one\n[/two]\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_said_on_the_way_goes_to_stderr(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=as_json)
    output.say("reading [/folder]")
    output.warn("[bold] is a strange label")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "reading [/folder]\nwarning: [bold] is a strange label\n"


def test_a_bar_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with bar() as progress:
        progress.advance(progress.add_task("working", total=1, note=""))
    assert capsys.readouterr() == ("", "")
