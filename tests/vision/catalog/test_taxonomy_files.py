"""Files that people keep are read whole, or refused with the file, the line and the column."""

import re
from pathlib import Path

import pytest

from tests.vision.catalog.shops import LEVELS, SHOP
from vision.catalog.taxonomy import Category, Taxonomy
from vision.catalog.taxonomy_files import read_taxonomy
from vision.errors import CatalogError

CATEGORIES = """\
id,level,parent,name,name:en,name:zh,name:zh-Hant,synonyms,moved_to
clothes,department,,,Clothes,服装,,,
sports,department,,,Sports,运动,,,
cards,department,,,Gift cards,礼品卡,,,
shoes,family,clothes|sports,,Shoes,鞋,,footwear|鞋子,
belts,family,clothes,,,,,,
trainers,kind,shoes,,Running shoes,,跑步鞋,,
sandals,kind,shoes,Sandalen,,,,,
belts,kind,belts,,,,,,

joggers,kind,,,,,,,sneakers
sneakers,kind,,,,,,,trainers
vouchers,kind,,,,,,,cards
"""
LEAVES = """\
kind,items,department,family
trainers,12,clothes,shoes
trainers,3,sports,shoes
belts,1,clothes,belts
,7,cards,
"""


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def complaint(path: Path, text: str | bytes, levels: tuple[str, ...] = ()) -> str:
    with pytest.raises(CatalogError) as raised:
        read_taxonomy(written(path, text), levels=levels)
    return str(raised.value).replace(str(path), path.name)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_one_row_a_category(start: bytes, end: str, tmp_path: Path) -> None:
    file = written(tmp_path / "shop.csv", start + CATEGORIES.replace("\n", end).encode())
    assert read_taxonomy(file, version="2026-03") == SHOP
    assert read_taxonomy(file, version="2026-03", levels=LEVELS) == SHOP


def test_one_row_a_leaf(tmp_path: Path) -> None:
    read = read_taxonomy(written(tmp_path / "shop.csv", LEAVES), levels=LEVELS)
    paths = [("clothes", "shoes", "trainers"), ("sports", "shoes", "trainers"), ("clothes", "belts", "belts")]
    assert read == Taxonomy.from_paths(LEVELS, [*paths, ("cards",)])


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_json(start: bytes, tmp_path: Path) -> None:
    file = written(tmp_path / "shop.json", start + SHOP.to_json().encode())
    assert read_taxonomy(file) == read_taxonomy(file, levels=LEVELS) == SHOP
    with pytest.raises(
        CatalogError, match=r"shop\.json: levels: expected a, b, found department, family, kind"
    ):
        read_taxonomy(file, levels=("a", "b"))


def test_the_levels_that_are_given_put_the_rows_in_order(tmp_path: Path) -> None:
    upside_down = written(tmp_path / "shop.csv", "id,level,parent\nb,low,a\na,high,\n")
    assert read_taxonomy(upside_down, levels=("high", "low")).labels("low") == ("b",)
    with pytest.raises(CatalogError, match="line 2: category 'b': parent: expected none at the first level"):
        read_taxonomy(upside_down)


def test_a_short_row_ends_in_empty_values(tmp_path: Path) -> None:
    read = read_taxonomy(written(tmp_path / "shop.csv", "id,level,parent,synonyms\na,high\nb,low,a\n"))
    assert read.categories[1] == Category(level="low", id="b", parents=("a",))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("d,low,x,,", "line 4: category 'd': parent: expected an id of level 'high', found 'x', which is at no level"),
        ("d,low,a|a,,", "line 4: category 'd': parent: expected each once, found 'a' 2 times"),
        ("d,low,a|,,", "line 4: category 'd': parent: expected a text, found none"),
        ("d,low,,,", "line 4: category 'd': parent: expected an id of level 'high', found none"),
        ("c,high,b,,", "line 4: category 'c': parent: expected none at the first level, found 'b'"),
        ("b,low,a,,", "line 4: category 'b': id: expected each id once at a level, found 'b' again"),
        ("d,low,a,b,", "line 4: category 'd': name: expected another name than that of 'e' under 'a', found 'b'"),
        ("d,sort,a,,", "line 4: category 'd': level: expected one of high, low, found 'sort'"),
        (",low,a,,", "line 4: id: expected a text, found none"),
        ("d\x00,low,a,,", "line 4: category 'd\x00': id: expected no control characters, found U+0000 in 'd\\x00'"),
        ("d,low,a,,e", "line 4: category 'd': moved_to: expected an id of today, found d > e, which is none"),
        ("d,low,a,,d", "line 4: category 'd': moved_to: expected the way to end, found d > d"),
        ("b,low,a,,b", "line 4: category 'b': moved_to: expected an id that is no longer in use, found 'b', which is"),
        ("d,low,,,b\nd,low,,,b", "line 5: moved_to: expected each old id once, found 'd' as in line 4"),
        ("d,sort,,,b", "line 4: category 'd': level: expected one of high, low, found 'sort'"),
        ("d,low,a,,,b", "line 4: expected 5 values as in the header, found 6"),
        ('"d,low,a,,', "line 4: expected CSV: unexpected end of data"),
        ('"d\nd",low,x,,\nf,low,a,b,', "line 4: category 'd\nd': id: expected no control characters, found U+000A in 'd\\nd'"),
    ],
)  # fmt: skip
def test_a_row_with_a_fault_is_named(row: str, message: str, tmp_path: Path) -> None:
    named = "e,low,a,b," if row.startswith("d,low,a,b") else "b,low,a,,"
    text = f"id,level,parent,name,moved_to\na,high,,,\n{named}\n{row}\n"
    levels = ("high", "low")
    assert complaint(tmp_path / "shop.csv", text, levels) == f"shop.csv: {message}"


def test_a_cycle_is_told_whole_with_its_line(tmp_path: Path) -> None:
    text = "id,level,parent\na,high,c\nb,middle,a\nc,low,b\n"
    message = "shop.csv: line 2: category 'a': parent: expected no category above itself, found a > b > c > a"
    assert complaint(tmp_path / "shop.csv", text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a column 'high', found: no header"),
        ("high,lower\na,b\n", "expected a column 'low', found: high, lower"),
        ("high,low\n", "categories: expected at least one, found none"),
        ("high,low,high\na,b,c\n", "line 1: expected each column once, found 'high' again"),
        ("high,low\na,b\n,c\n", ("line 3: labels: expected one for each of high, low, from the first on and without a "
         "gap; found '', 'c'")),
        ("high,low,n\na,b,1\n\na,b,2\n", "line 4: expected each leaf once, found a > b as in line 2"),
        ("high,low\na,b\na,B\n", "line 2: low: expected another name than that of 'B' under 'a', found 'b'"),
        ("high,low\na,b\nb,\n", ("line 2: low: expected an id that no category without children above has, since that "
         "is carried down to this level; found 'b', which is such a one at level 'high'")),
        ("high,low\na,b\u2028b\n", "line 2: low: expected no control characters, found U+2028 in 'b\\u2028b'"),
        ("high,low\na,b\nb,运动\n".encode("gb18030"), "line 3: expected UTF-8 text, found the byte 0xD4"),
        ("high,low\na,b\n".encode("utf-16"), "line 1: expected UTF-8 text, found the byte 0xFF"),
    ],
)  # fmt: skip
def test_a_file_of_leaves_with_a_fault_is_refused(text: str | bytes, message: str, tmp_path: Path) -> None:
    assert complaint(tmp_path / "shop.csv", text, ("high", "low")) == f"shop.csv: {message}"


def test_columns_that_nobody_understands_are_refused(tmp_path: Path) -> None:
    message = (
        "shop.csv: line 1: expected the columns id, level, parent, name, synonyms, moved_to and name:LANGUAGE, "
        "found 'synonym'"
    )
    assert complaint(tmp_path / "shop.csv", "id,level,synonym\na,high,b\n") == message


def test_without_levels_a_file_of_leaves_cannot_be_read(tmp_path: Path) -> None:
    message = "shop.csv: expected the columns id and level, or to be told the levels, found: high, low"
    assert complaint(tmp_path / "shop.csv", "high,low\na,b\n") == message


def test_the_examples_of_the_reference_are_read(tmp_path: Path) -> None:
    reference = (Path(__file__).parents[3] / "docs" / "reference.md").read_text()
    examples = re.findall(r"```(csv|json)\n(.*?)```", reference, re.DOTALL)
    files = [written(tmp_path / f"{at}.{kind}", text) for at, (kind, text) in enumerate(examples)]
    assert read_taxonomy(files[0]).label("kind", "joggers") == "running-shoes"
    assert read_taxonomy(files[1], levels=LEVELS).labels("kind") == ("腰带", "跑步鞋")
    assert read_taxonomy(files[2]).name("family", "boots", "zh") == "鞋"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"shop\.csv: expected a taxonomy file: No such file"):
        read_taxonomy(tmp_path / "shop.csv")
    with pytest.raises(CatalogError, match="expected a taxonomy file: Is a directory"):
        read_taxonomy(tmp_path)
