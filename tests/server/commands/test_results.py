"""`loupe results export` writes what was asked for, whole or not at all."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from server.commands.results import export
from server.storage.database import open_database
from server.storage.stations import Stations
from tests.pictures import small_disk
from tests.server.commands.answers import answer_of
from tests.server.storage.rows import dispose, found, keep, result, review
from tests.server.storage.test_stations import part
from vision.errors import SettingsError, StorageError

Export = Callable[..., Any]


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Three parts, judged on three days by two models; one was looked at."""
    url = f"sqlite:///{tmp_path / 'results.db'}"
    opened = open_database(url)
    rows = [
        review(part="first", judged_at=datetime(2026, 11, 1, tzinfo=UTC)),
        result(part="second", judged_at=datetime(2026, 11, 2, 23, 59, tzinfo=UTC)),
        result(part="third", judged_at=datetime(2026, 11, 3, tzinfo=UTC), model_name="caps"),
    ]
    keep(opened, *rows)
    dispose(opened, rows[0], found("crack"))
    opened.close()
    return url


@pytest.fixture
def loupe() -> Export:
    """Run `loupe results export` in this process; its errors are raised, its result as with `--json` is returned."""
    return partial(answer_of, export)


def parts(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [record["part"] for record in csv.DictReader(file)]


def test_everything_is_exported_with_what_people_found(database: str, tmp_path: Path, loupe: Export) -> None:
    out = tmp_path / "new" / "results.csv"
    said = loupe("--database", database, "--out", out)

    assert said == {"out": str(out), "results": 3, "since": None, "until": None, "model": None}
    assert parts(out) == ["first", "second", "third"]
    with out.open(newline="", encoding="utf-8") as file:
        assert [record["found_label"] for record in csv.DictReader(file)] == ["crack", "", ""]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--since", "2026-11-02"), ["second", "third"]),
        (("--until", "2026-11-03"), ["first", "second"]),
        (("--since", "2026-11-03T01:00:00+01:00"), ["third"]),
        (("--since", "2026-11-02T00:00:00Z", "--until", "2026-11-03T00:00:00Z"), ["second"]),
        (("--model", "caps"), ["third"]),
        (("--model", "other"), []),
    ],
)
def test_only_the_asked_time_and_model_are_exported(
    options: tuple[str, ...], expected: list[str], database: str, tmp_path: Path, loupe: Export
) -> None:
    out = tmp_path / "results.csv"
    assert loupe("--database", database, "--out", out, *options)["results"] == len(expected)
    assert parts(out) == expected


def test_what_stations_reported_stands_among_the_rest_by_its_time(
    database: str, tmp_path: Path, loupe: Export
) -> None:
    opened = open_database(database)
    times = [datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC)]
    reported = [part(number, triggered_at=at) for number, at in enumerate(times, start=1)]
    Stations(opened).keep("infeed", reported, at=times[1])
    opened.close()
    out = tmp_path / "results.csv"
    assert loupe("--database", database, "--out", out)["results"] == 5
    assert parts(out) == ["first", "1", "second", "third", "2"]
    assert loupe("--database", database, "--out", out, "--until", "2026-11-02")["results"] == 2
    assert loupe("--database", database, "--out", out, "--model", "cells")["results"] == 2
    assert parts(out) == ["first", "second"]


def test_people_are_told_how_many_results_there_were(database: str, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(export)
    out = tmp_path / "results.csv"
    done = CliRunner(env={"COLUMNS": "500"}).invoke(app, ["--database", database, "--out", str(out)])
    assert done.stdout == f"3 results in {out}\n"


def test_an_earlier_export_is_replaced(database: str, tmp_path: Path, loupe: Export) -> None:
    out = tmp_path / "results.csv"
    out.write_text("old")
    loupe("--database", database, "--out", out)
    assert parts(out) == ["first", "second", "third"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--since", "yesterday"), "--since: expected a date or a time such as .*, found 'yesterday'"),
        (("--until", "2026-13-01"), "--until: expected a date or a time such as .*, found '2026-13-01'"),
        (
            ("--since", "2026-11-02", "--until", "2026-11-02"),
            "--until: expected a time after 2026-11-02T00:00",
        ),
        (("--database", "results.db"), "expected sqlite:///FILE"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(
    options: tuple[str, ...], message: str, database: str, tmp_path: Path, loupe: Export
) -> None:
    out = tmp_path / "results.csv"
    with pytest.raises(SettingsError, match=message):
        loupe("--database", database, "--out", out, *options)
    assert not out.exists()


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, loupe: Export) -> None:
    with pytest.raises(StorageError, match=r"none\.db: expected a database, found no file"):
        loupe("--database", f"sqlite:///{tmp_path / 'none.db'}", "--out", tmp_path / "results.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_earlier_export(tmp_path: Path, loupe: Export) -> None:
    url = f"sqlite:///{tmp_path / 'results.db'}"
    opened = open_database(url)
    keep(opened, *(result(part="x" * 200) for _ in range(200)))
    opened.close()
    with small_disk(tmp_path / "disk") as disk:
        (disk / "results.csv").write_text("old")
        with pytest.raises(StorageError, match=r"results\.csv: cannot be written: No space left on device"):
            loupe("--database", url, "--out", disk / "results.csv")
        assert (disk / "results.csv").read_text() == "old"
        assert [path.name for path in disk.iterdir()] == ["results.csv"]
