"""An index that is damaged, of something else, or open elsewhere is refused, and the message names the file."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.limits import files_of_at_most
from tests.vision.catalog.search.items import DIMENSION, EXACT, GRAPHED, ids, item, items, opened, vectors
from vision.catalog.search.index import ItemIndex, Options
from vision.catalog.search.rebuild import rebuild
from vision.errors import MissingExtraError, SearchIndexError, StorageError

CHECKPOINT: Final = "checkpoint-000001"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An index with a graph, and an item in its journal."""
    with opened(tmp_path / "index", GRAPHED) as index:
        index.apply(items(60))
        index.checkpoint()
        index.put(item(60))
    return tmp_path / "index"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def garble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


FILES: Final = (
    "graph.usearch",
    "ids.text.npy",
    "ids.numbers.npy",
    "owners.npy",
    "members.values.npy",
    "signatures.npy",
    "manifest.json",
)


@pytest.mark.parametrize("damage", [cut, garble, remove, empty])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_a_checkpoint_is_named(
    folder: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(folder / CHECKPOINT / name)
    with pytest.raises(SearchIndexError, match=rf"{CHECKPOINT}/{name}: "):
        opened(folder, GRAPHED)


@pytest.mark.parametrize("name", [*FILES[:-1], "rows.npy"])
def test_sizes_are_compared_even_where_digests_are_not(tmp_path: Path, name: str) -> None:
    with opened(tmp_path, EXACT if name == "rows.npy" else GRAPHED) as index:
        index.apply(items(60))
        index.checkpoint()
    cut(tmp_path / CHECKPOINT / name)
    with pytest.raises(SearchIndexError, match=rf"{name}: expected \d+ bytes, found \d+"):
        opened(tmp_path, Options(verify=False))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (garble, r"journal-000001: offset 8: expected a whole frame"),
        (empty, r"journal-000001: offset 0: expected"),
        (remove, r"journal-000001: expected a journal, found none"),
    ],
)
def test_a_damaged_journal_is_named_with_the_place(
    folder: Path, damage: Callable[[Path], None], message: str
) -> None:
    with opened(folder, GRAPHED) as index:
        index.put(item(61))
    if damage is garble:  # in the first of two frames
        path = folder / "journal-000001"
        path.write_bytes(path.read_bytes()[:30] + b"\xff\xff" + path.read_bytes()[32:])
    else:
        damage(folder / "journal-000001")
    with pytest.raises(SearchIndexError, match=message):
        opened(folder, GRAPHED)


def test_a_damaged_index_can_be_rebuilt_in_its_place(folder: Path) -> None:
    garble(folder / CHECKPOINT / "graph.usearch")
    garble(folder / "index.json")
    rebuild(folder, items(30), model="another", dimension=DIMENSION, options=GRAPHED)
    with opened(folder, GRAPHED, model="another") as index:
        assert len(index) == 30
        assert ids(index.search(item(7).vectors[0], 1)) == ["item-7"]


def test_an_index_of_another_model_is_refused(folder: Path) -> None:
    with pytest.raises(SearchIndexError, match=r"index.json: model: expected ffff, found 5eed"):
        opened(folder, model="ffff")


def test_an_index_of_another_dimension_is_refused(folder: Path) -> None:
    with pytest.raises(SearchIndexError, match=r"index.json: dimension: expected 32, found 16"):
        opened(folder, dimension=32)


def test_a_checkpoint_of_another_index_is_refused(tmp_path: Path, folder: Path) -> None:
    with opened(tmp_path / "other", GRAPHED, model="other") as index:
        index.put(item(0))
        index.checkpoint()
    (folder / CHECKPOINT).rename(tmp_path / "aside")
    (tmp_path / "other" / CHECKPOINT).rename(folder / CHECKPOINT)
    with pytest.raises(
        SearchIndexError, match=rf"{CHECKPOINT}/manifest.json: expected .*5eed.*, found .*other"
    ):
        opened(folder, GRAPHED)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "something else", "version": 1, "model": "m", "dimension": 16}']
)
def test_a_folder_whose_description_is_not_understood_is_refused(folder: Path, text: str) -> None:
    (folder / "index.json").write_text(text)
    with pytest.raises(SearchIndexError, match=r"index.json: "):
        opened(folder)


def test_an_index_of_a_newer_version_is_refused(folder: Path) -> None:
    value = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(value | {"version": 2}))
    with pytest.raises(SearchIndexError, match=r"index.json: version: Input should be 1"):
        opened(folder)


def test_an_index_without_its_description_is_refused(folder: Path) -> None:
    (folder / "index.json").unlink()
    with pytest.raises(SearchIndexError, match=r"index.json: expected what says whose index this is"):
        opened(folder)


@pytest.mark.parametrize("make", [opened, lambda path: rebuild(path, [], model="m", dimension=16)])
def test_a_folder_of_something_else_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"a picture")
    with pytest.raises(SearchIndexError, match=r"expected an index or an empty folder, found 'holiday.jpg'"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("a file")
    with pytest.raises(StorageError, match="index: cannot be made"):
        opened(tmp_path / "index")


OPENING = (
    "import sys; from pathlib import Path; from vision.catalog.search.index import ItemIndex\n"
    "ItemIndex.open(Path(sys.argv[1]), model=sys.argv[2], dimension=16)"
)


def test_an_index_that_another_process_has_open_is_refused(folder: Path) -> None:
    with opened(folder, GRAPHED) as index:
        command = [sys.executable, "-c", OPENING, str(folder), "5eed" * 16]
        second = subprocess.run(command, capture_output=True, text=True)
        with pytest.raises(StorageError, match="another process is at work here"):
            rebuild(folder, [], model="m", dimension=DIMENSION)
        assert len(index) == 61
    assert "StorageError" in second.stderr
    assert "another process is at work here" in second.stderr
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_an_index_that_could_not_be_opened_holds_no_lock(folder: Path) -> None:
    saved = (folder / CHECKPOINT / "owners.npy").read_bytes()
    cut(folder / CHECKPOINT / "owners.npy")
    with pytest.raises(SearchIndexError):
        opened(folder, GRAPHED)
    (folder / CHECKPOINT / "owners.npy").write_bytes(saved)
    with opened(folder, GRAPHED) as index:
        assert len(index) == 61


def test_a_closed_index_takes_no_more_changes(folder: Path) -> None:
    index = opened(folder, GRAPHED)
    index.close()
    with pytest.raises(StorageError, match="closed"):
        index.put(item(99))


def test_a_checkpoint_that_a_full_disk_refused_loses_nothing(folder: Path) -> None:
    with opened(folder, GRAPHED) as index:
        index.apply([item(number) for number in range(40, 80)])
        with (
            files_of_at_most(1024),
            pytest.raises(StorageError, match=r"checkpoint-\d+.*: cannot be written"),
        ):
            index.checkpoint()
        index.remove("item-41")
        index.put(item(42, seed=4242))
        with files_of_at_most(1024), pytest.raises(StorageError):
            index.checkpoint()
        assert len(index) == 79
    for _ in range(2):
        with opened(folder, GRAPHED) as index:
            assert len(index) == 79
            assert "item-41" not in index
            assert ids(index.search(item(42, seed=4242).vectors[0], 1)) == ["item-42"]
            index.checkpoint()


def test_a_graph_without_usearch_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with opened(tmp_path, GRAPHED) as index:
        index.put(item(0))
        with pytest.raises(MissingExtraError, match=r"pip install 'loupe\[server\]'"):
            index.checkpoint()
        assert ids(index.search(vectors(1, 0)[0], 1)) == ["item-0"]


def test_what_a_kill_left_unfinished_is_removed_at_the_next_start(folder: Path) -> None:
    left = [folder / ".checkpoint-000002-ab12cd34", folder / "checkpoint-000000"]
    for path in left:
        path.mkdir()
        (path / "half.npy").write_bytes(b"half")
    (folder / ".journal-000002-ab12cd34").write_bytes(b"LOU")
    (folder / "journal-000000").write_bytes(b"older")
    with opened(folder, GRAPHED) as index:
        assert len(index) == 61
    assert sorted(path.name for path in folder.iterdir()) == [
        CHECKPOINT,
        "index.json",
        "journal-000001",
        "lock",
    ]


def test_an_index_begun_and_killed_before_it_was_described_is_begun_again(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    (tmp_path / "index.json").unlink()
    with opened(tmp_path) as index:
        assert isinstance(index, ItemIndex)
        assert len(index) == 0
