"""A table of products is read row by row, whatever form it has; one that cannot be read is refused with its place."""

import builtins
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tests.vision.catalog.bulk.tables import table
from vision.catalog.bulk.items import Columns, Row, choose_columns, count_rows, digest, read_rows
from vision.errors import ManifestError, MissingExtraError

ROW = {"id": "7", "path": "a.jpg|b.jpg", "title": "跑步鞋 👟", "season": "summer", "price": "9"}


def chosen(file: Path, *, title: str | None = None) -> Columns:
    return choose_columns(file, title=title, usual_titles=["name", "title"], attributes=["season", "wearer"])


def read(file: Path) -> list[Row]:
    return list(read_rows(file, chosen(file)))


def test_a_row_has_its_photos_title_and_the_attributes_that_count(tmp_path: Path) -> None:
    (row,) = read(table(tmp_path / "items.csv", [ROW]))
    assert row == Row(
        number=1, id="7", paths=("a.jpg", "b.jpg"), title="跑步鞋 👟", attributes={"season": "summer"}
    )


def test_parquet_and_csv_say_the_same(tmp_path: Path) -> None:
    lines = [ROW, {**ROW, "id": "8", "path": "", "title": "", "season": ""}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(lines), tmp_path / "items.parquet")
    assert read(tmp_path / "items.parquet") == read(table(tmp_path / "items.csv", lines))


def test_parquet_may_hold_numbers_lists_and_nothing(tmp_path: Path) -> None:
    lines = [
        {"id": 7, "paths": ["a.jpg", " b.jpg"], "title": None, "season": 1},
        {"id": None, "paths": None, "title": "tee", "season": None},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(lines), tmp_path / "items.parquet")
    first, second = read(tmp_path / "items.parquet")
    assert (first.id, first.paths, first.title, first.attributes) == (
        "7",
        ("a.jpg", "b.jpg"),
        "",
        {"season": "1"},
    )
    assert (second.id, second.paths, second.title) == ("", (), "tee")


def test_a_byte_order_mark_quotes_and_empty_lines_do_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_bytes('\ufeffid,title\r\n\r\n1,"a, ""b""\nc"\r\n'.encode())
    assert [(row.id, row.title) for row in read(file)] == [("1", 'a, "b"\nc')]


def test_a_title_of_100_kb_is_read(tmp_path: Path) -> None:
    (row,) = read(table(tmp_path / "items.csv", [{"id": "1", "title": "袜" * 100_000}]))
    assert len(row.title) == 100_000


def test_the_title_is_the_asked_column_or_the_usual_one(tmp_path: Path) -> None:
    file = table(tmp_path / "items.csv", [{"id": "1", "title": "a", "name": "b", "words": "c"}])
    assert chosen(file).title == "name"
    assert chosen(file, title="words").title == "words"


def test_ids_that_come_again_are_told_with_where_they_came_first(tmp_path: Path) -> None:
    file = table(
        tmp_path / "items.csv", [{"id": one, "title": "x"} for one in ("a", "b", "a", "c", "b", "a")]
    )
    assert count_rows(file, chosen(file)) == (6, {3: 1, 5: 2, 6: 1})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a column 'id', found none"),
        ("title\nx\n", "expected a column 'id', found title"),
        ("id,price\n1,2\n", "expected a column of paths, path, name, title, season, wearer, found id, price"),
        ("id,title,title\n", "expected each column once, found 'title' again"),
        ('id,title\n1,"x\n', "expected a CSV in UTF-8 that can be read: unexpected end of data"),
        ("id,title\n1,x,y\n", "row 1: expected 2 cells as in the header, found 3"),
        ("id,title\n1,x\n2\n", "row 2: expected 2 cells as in the header, found 1"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text(text)
    with pytest.raises(ManifestError, match=said):
        read(file)


def test_another_encoding_an_absent_file_and_a_missing_title_are_refused(tmp_path: Path) -> None:
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"id,title\n1,\xe9t\xe9\n")
    with pytest.raises(ManifestError, match="expected a CSV in UTF-8"):
        read(latin)
    with pytest.raises(ManifestError, match=r"absent\.csv: expected a CSV .* No such file"):
        read(tmp_path / "absent.csv")
    with pytest.raises(ManifestError, match=r"absent\.csv: cannot be read: No such file"):
        digest(tmp_path / "absent.csv")
    with pytest.raises(ManifestError, match="expected a column 'words', found id, title"):
        chosen(table(tmp_path / "items.csv", [{"id": "1", "title": "x"}]), title="words")


@pytest.mark.parametrize("cut", [0, 4, 200])
def test_a_truncated_parquet_is_refused(cut: int, tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([ROW]), whole)
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(whole.read_bytes()[:cut])
    with pytest.raises(ManifestError, match=r"torn\.parquet: expected a Parquet file that can be read"):
        read(torn)


def test_without_pyarrow_the_command_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(name=name)
        return found(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'loupe\[parquet\]'"):
        read(tmp_path / "items.parquet")
