"""What there is to learn from: every row understood as written, or an error that names the file and the line."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.manifest import (
    SPLITS,
    Item,
    Manifest,
    carve,
    good_label,
    read_manifest,
    refuse_straddling,
    straddling_groups,
)
from vision.errors import ManifestError


def written(folder: Path, *rows: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    path = folder / "manifest.csv"
    path.write_bytes(end.join([*rows, ""]).encode(encoding))
    return path


def item(name: str, label: str = "good", *, split: str = "train", group: str | None = None) -> Item:
    return Item(path=Path(name), label=label, split=split, group=group or name, columns={})


def manifest(*items: Item, grouped: bool = False) -> Manifest:
    return Manifest(source=Path("data.csv"), items=items, grouped=grouped)


def facts(items: Iterable[Item]) -> list[tuple[str, str, str, str]]:
    return [(found.path.name, found.label, found.split, found.group) for found in items]


# --- a CSV


def test_a_csv_is_read_row_by_row_in_its_order(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "path,label,split,group,line",
        "b.png,crack,train,module-1,7",
        "a.png,good,test,module-2,8",
    )
    read = read_manifest(path)

    assert facts(read.items) == [
        ("b.png", "crack", "train", "module-1"),
        ("a.png", "good", "test", "module-2"),
    ]
    assert read.items[0].path == tmp_path / "b.png"
    assert read.items[0].columns["line"] == "7"
    assert read.labels == ("crack", "good")
    assert read.grouped


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(
    tmp_path: Path, encoding: str, end: str
) -> None:
    rows = ("path,label,split", "Prüfling 1.png,gut,train", '"b, c.png","Riß",test')
    read = read_manifest(written(tmp_path, *rows, encoding=encoding, end=end))

    assert facts(read.items) == [
        ("Prüfling 1.png", "gut", "train", "Prüfling 1.png"),
        ("b, c.png", "Riß", "test", "b, c.png"),
    ]


def test_blanks_around_names_and_values_are_dropped(tmp_path: Path) -> None:
    read = read_manifest(written(tmp_path, "path , label, split ", " a.png, good ,train "))

    assert facts(read.items) == [("a.png", "good", "train", "a.png")]


def test_paths_are_relative_to_the_folder_of_pictures_where_one_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "path,label,split", "a.png,good,train", "/elsewhere/b.png,good,train")
    read = read_manifest(path, images=tmp_path / "pictures")

    assert [found.path for found in read.items] == [tmp_path / "pictures" / "a.png", Path("/elsewhere/b.png")]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "expected a column 'path', found: no header"),
        (["path,split", "a.png,train"], "expected a column 'label', found: path, split"),
        (["file,label", "a.png,good"], "expected a column 'path', found: file, label"),
        (["path;label", "a.png;good"], "expected a column 'path', found: path;label"),
        (["path,label", "a.png,good", "b.png,"], "line 3: expected a value in 'label', found none"),
        (["path,label", ",good"], "line 2: expected a value in 'path', found none"),
        (["path,label", "a.png"], "line 2: expected a value in 'label', found none"),
        (
            ["path,label,split", "a.png,good,train", "b.png,good,validation"],
            "line 3: expected split to be one of train, val, test, found 'validation'",
        ),
        (["path,label", "", "", "a.png,good", "b.png,"], "line 5: expected a value in 'label'"),
        (["path,label,note", 'a.png,good,"two', 'lines"', "b.png,,"], "line 4: expected a value in 'label'"),
        (
            ["path,label", '"a.png,good', "b.png,good"],
            "line 3: cannot be read as CSV: unexpected end of data",
        ),
        (["path,label", "a.png," + "x" * 200_000], "line 2: cannot be read as CSV: field larger than"),
        (["path,label"], "expected at least one picture, found none"),
    ],
)
def test_what_is_wrong_with_a_csv_is_named(tmp_path: Path, rows: list[str], message: str) -> None:
    path = written(tmp_path, *rows)

    with pytest.raises(ManifestError) as refused:
        read_manifest(path)
    assert str(refused.value).startswith(f"{path}: {message}")


def test_a_csv_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "path,label", "Prüfling.png,gut", encoding="latin-1")

    with pytest.raises(ManifestError, match="cannot be read as UTF-8 text"):
        read_manifest(path)


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="expected a manifest CSV or a folder of folders, found nothing"):
        read_manifest(tmp_path / "none.csv")


# --- splits and groups


def test_rows_without_a_split_get_a_lasting_one_by_a_hash(tmp_path: Path) -> None:
    rows = [f"{number}.png,good" for number in range(500)]
    read = read_manifest(written(tmp_path, "path,label", *rows))
    later = read_manifest(written(tmp_path, "path,label", *reversed(rows), "more.png,good"))

    shares = Counter(found.split for found in read.items)
    assert {name: shares[name] for name in SPLITS} == pytest.approx(
        {"train": 300, "val": 100, "test": 100}, abs=40
    )
    assert set(facts(read.items)) < set(facts(later.items))


def test_a_group_without_a_split_goes_into_one_as_a_whole(tmp_path: Path) -> None:
    rows = [f"{number}.png,good,module-{number // 10}" for number in range(200)]
    read = read_manifest(written(tmp_path, "path,label,group", *rows))

    assert straddling_groups(read.items) == {}
    assert {found.split for found in read.items} == set(SPLITS)


def test_a_split_and_a_group_may_stand_in_columns_of_other_names(tmp_path: Path) -> None:
    path = written(tmp_path, "path,label,fold,module", "a.png,good,fold-1,m1", "b.png,good,fold-2,m2")
    read = read_manifest(path, split_column="fold", group_column="module")

    assert facts(read.items) == [("a.png", "good", "fold-1", "m1"), ("b.png", "good", "fold-2", "m2")]
    assert read.grouped


@pytest.mark.parametrize("columns", [{"split_column": "fold"}, {"group_column": "module"}])
def test_a_column_asked_for_must_be_there(tmp_path: Path, columns: dict[str, Any]) -> None:
    path = written(tmp_path, "path,label,split,group", "a.png,good,train,g")

    with pytest.raises(
        ManifestError, match=f"expected a column '{next(iter(columns.values()))}', found: path"
    ):
        read_manifest(path, **columns)


def test_with_the_group_column_none_every_picture_stands_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "path,label,split,group", "a.png,good,train,m", "b.png,good,test,m")
    read = read_manifest(path, group_column="none")

    assert [found.group for found in read.items] == ["a.png", "b.png"]
    assert not read.grouped
    refuse_straddling(read)


def test_a_row_without_a_group_stands_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "path,label,split,group", "a.png,good,train,m", "b.png,good,test,")

    assert [found.group for found in read_manifest(path).items] == ["m", "b.png"]


def test_a_group_in_two_splits_is_refused(tmp_path: Path) -> None:
    rows = ["a.png,good,train,m1", "b.png,good,test,m1", "c.png,good,train,m2", "d.png,good,val,m2"]
    path = written(tmp_path, "path,label,split,group", *rows, "e.png,good,test,m3")
    read = read_manifest(path)

    assert straddling_groups(read.items) == {"m1": ["test", "train"], "m2": ["train", "val"]}
    with pytest.raises(ManifestError, match=r"found group 'm1' in test and train \(2 such groups\)"):
        refuse_straddling(read)


def test_a_split_is_its_rows_in_order_and_a_missing_one_is_named() -> None:
    read = manifest(item("a"), item("b", split="test"), item("c"))

    assert facts(read.split("train")) == facts([item("a"), item("c")])
    with pytest.raises(ManifestError, match="expected rows with split 'val', found splits: test, train"):
        read.split("val")


# --- filters


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    rows = ["a.png,good,train,1,x=1", "b.png,good,train,2,x=1", "c.png,good,train,1,"]
    return written(tmp_path, "path,label,split,line,note", *rows)


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        (["line=1"], ["a.png", "c.png"]),
        (["line=1", "note="], ["c.png"]),
        (["note=x=1"], ["a.png", "b.png"]),
        (["label=good"], ["a.png", "b.png", "c.png"]),
    ],
)
def test_where_keeps_the_rows_for_which_every_condition_holds(
    lines: Path, conditions: list[str], names: list[str]
) -> None:
    assert [found.path.name for found in read_manifest(lines, where=conditions).items] == names


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (["line"], "--where: expected COLUMN=VALUE, found 'line'"),
        (["shift=1"], "expected a column 'shift', found: path, label, split, line, note"),
        (["line=3"], "expected at least one picture, found none"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(lines: Path, conditions: list[str], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_manifest(lines, where=conditions)


# --- a folder


def fill(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def test_a_folder_a_class_is_a_manifest_with_splits_by_hash(tmp_path: Path) -> None:
    root = fill(tmp_path, *[f"{label}/{number}.png" for label in ("crack", "good") for number in range(100)])
    read = read_manifest(root)

    assert read.labels == ("crack", "good")
    assert {found.split for found in read.items} == set(SPLITS)
    assert all(found.path.parent.name == found.label for found in read.items)
    assert facts(read.items) == facts(read_manifest(root).items)
    assert not read.grouped


@pytest.mark.parametrize("names", [("train", "val", "test"), ("train", "test"), ("test",)])
def test_folders_named_as_splits_are_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = fill(tmp_path, *[f"{name}/{label}/1.png" for name in names for label in ("good", "crack")])
    read = read_manifest(root)

    assert {(found.split, found.label) for found in read.items} == {
        (name, label) for name in names for label in ("good", "crack")
    }


def test_a_picture_counts_for_its_class_however_deep_it_lies(tmp_path: Path) -> None:
    read = read_manifest(fill(tmp_path, "good/monday/early/1.jpg", "crack/2.jpg"))

    assert [(found.path.name, found.label) for found in read.items] == [("2.jpg", "crack"), ("1.jpg", "good")]


def test_what_is_no_picture_of_a_class_is_left_out(tmp_path: Path) -> None:
    names = ["good/1.JPG", "good/2.tiff", "good/notes.txt", "stray.png", "good/.hidden.png", "good/._1.JPG"]
    read = read_manifest(fill(tmp_path, *names, ".cache/3.png", "crack/.thumbs/4.png", "crack/5.webp"))

    assert [found.path.name for found in read.items] == ["5.webp", "1.JPG", "2.tiff"]


def test_hidden_folders_beside_splits_do_not_make_classes_of_them(tmp_path: Path) -> None:
    read = read_manifest(fill(tmp_path, "train/good/1.png", "test/crack/2.png", ".git/3.png"))

    assert read.labels == ("crack", "good")


def test_folders_of_classes_beside_folders_of_splits_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "train/good/1.png", "test/crack/2.png", "ground_truth/crack/2.png")

    with pytest.raises(ManifestError, match="found both: ground_truth, test, train"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("names", [(), ("stray.png",), ("good/notes.txt",), ("train/stray.png",)])
def test_a_folder_without_pictures_of_classes_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ManifestError, match="expected at least one picture, found none"):
        read_manifest(fill(tmp_path, *names))


# --- what is good


@pytest.mark.parametrize(
    ("labels", "asked", "good"),
    [
        (("crack", "good"), None, "good"),
        (("Functional", "Defective"), None, "Functional"),
        (("NOK", "OK"), None, "OK"),
        (("free", "blowhole", "crack"), None, "free"),
        (("good", "ok"), "ok", "ok"),
        (("a", "b"), "b", "b"),
    ],
)
def test_the_good_label_is_the_one_asked_for_or_the_only_usual_one(
    labels: tuple[str, ...], asked: str | None, good: str
) -> None:
    found = manifest(*[item(label, label) for label in labels])

    assert good_label(found, asked) == good


@pytest.mark.parametrize(
    ("labels", "asked", "message"),
    [
        (("good",), None, "expected at least two labels, found 1: good"),
        (("good",), "good", "expected at least two labels, found 1: good"),
        (("a", "b"), None, "--good; expected exactly one of good, ok, functional, free, found none of them"),
        (("good", "ok", "crack"), None, "found good, ok among crack, good, ok"),
        (("crack", "good"), "fine", "expected --good to be one of crack, good, found 'fine'"),
        (("crack", "good"), "Good", "expected --good to be one of crack, good, found 'Good'"),
    ],
)
def test_a_good_label_that_is_not_plain_is_asked_for(
    labels: tuple[str, ...], asked: str | None, message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        good_label(manifest(*[item(label, label) for label in labels]), asked)


# --- carving a part out by whole groups


@st.composite
def grouped_items(draw: st.DrawFn) -> tuple[Item, ...]:
    """Many small groups of one to four pictures, of two labels, both of which occur in enough of them."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=30, max_size=80))
    salt = draw(st.integers(0, 10**6))
    return tuple(
        item(f"{salt}-{group}-{number}", ("good", "crack")[group % 2], group=f"{salt}-{group}")
        for group, size in enumerate(sizes)
        for number in range(size)
    )


@given(items=grouped_items(), fraction=st.floats(0.1, 0.4), seed=st.integers(0, 99))
def test_carving_takes_whole_groups_and_loses_no_picture(
    items: tuple[Item, ...], fraction: float, seed: int
) -> None:
    kept, carved = carve(items, fraction, seed=seed)

    assert {found.group for found in kept}.isdisjoint(found.group for found in carved)
    assert sorted(facts(kept + carved)) == sorted(facts(items))
    assert kept == tuple(found for found in items if found in kept)  # in the order they had


@given(items=grouped_items(), fraction=st.floats(0.1, 0.4), seed=st.integers(0, 99))
def test_carving_comes_within_half_the_largest_group_of_the_fraction_for_each_label(
    items: tuple[Item, ...], fraction: float, seed: int
) -> None:
    _, carved = carve(items, fraction, seed=seed)

    for label in ("good", "crack"):
        groups = Counter(found.group for found in items if found.label == label)
        wanted = fraction * groups.total()
        assert abs(sum(found.label == label for found in carved) - wanted) <= max(groups.values()) / 2 + 1e-9


@given(items=grouped_items(), fraction=st.floats(0.1, 0.4), data=st.data())
def test_carving_does_not_depend_on_the_order_of_the_rows(
    items: tuple[Item, ...], fraction: float, data: st.DataObject
) -> None:
    shuffled = tuple(data.draw(st.permutations(items)))

    assert sorted(facts(carve(shuffled, fraction)[1])) == sorted(facts(carve(items, fraction)[1]))


def test_another_seed_carves_other_groups() -> None:
    items = tuple(item(f"{number}", ("good", "crack")[number % 2]) for number in range(60))
    carvings = {tuple(facts(carve(items, 0.2, seed=seed)[1])) for seed in range(5)}

    assert len(carvings) == 5


def test_a_carving_is_the_same_for_ever() -> None:
    """Runs are told apart by what they were trained on; a resumed one must find the same."""
    items = tuple(item(f"{number}", ("good", "crack")[number % 3 == 0]) for number in range(20))
    _, carved = carve(items, 0.25, seed=0)

    assert [found.path.name for found in carved] == ["4", "7", "10", "15", "18"]


@pytest.mark.parametrize(
    ("items", "missing"),
    [
        ([item("a"), item("b", "crack")], "tune part, found no 'crack'"),
        ([item(f"{n}", ("good", "crack")[n % 2], group="one module") for n in range(10)], "tune part"),
        ([*[item(f"{n}") for n in range(20)], item("a", "crack")], "found no 'crack'"),
    ],
    ids=["two pictures", "one group", "one picture of a label"],
)
def test_what_cannot_be_carved_is_refused(items: list[Item], missing: str) -> None:
    with pytest.raises(ManifestError, match="expected every label in the t") as refused:
        carve(tuple(items), 0.25)
    assert missing in str(refused.value)


# --- which data it was


def test_the_digest_tells_data_apart_whatever_the_order_of_the_rows_or_the_folder() -> None:
    one = manifest(item("x/a.png", "good"), item("x/b.png", "crack", split="test"))
    moved = manifest(
        item("y/b.png", "crack", split="test", group="x/b.png"), item("y/a.png", group="x/a.png")
    )

    assert moved.digest() == one.digest()
    for changed in (
        manifest(item("x/a.png", "crack"), item("x/b.png", "crack", split="test")),
        manifest(item("x/a.png"), item("x/b.png", "crack")),
        manifest(item("x/a.png", group="g"), item("x/b.png", "crack", split="test")),
        manifest(item("x/a.png")),
    ):
        assert changed.digest() != one.digest()
    assert len(bytes.fromhex(one.digest())) == hashlib.sha256().digest_size
