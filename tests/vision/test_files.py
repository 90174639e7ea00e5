"""Writing happens whole or not at all: on a good day, on a bad one, and on a full disk."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.pictures import small_disk
from vision.errors import StorageError
from vision.files import (
    append_line,
    atomic_folder,
    atomic_path,
    held,
    remove_unfinished,
    write_bytes,
    write_json,
)

ROOT: Final = Path(__file__).parents[2]


def names_in(folder: Path) -> list[str]:
    """Everything there is, hidden leftovers included."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def fill(path: Path, files: dict[str, bytes], trouble: BaseException | None = None) -> None:
    """A folder of these files, or trouble on the way to it."""
    with atomic_folder(path) as unfinished:
        for name, data in files.items():
            (unfinished / name).write_bytes(data)
        if trouble is not None:
            raise trouble


def begin(path: Path, data: bytes, trouble: BaseException) -> None:
    """A file that is never finished."""
    with atomic_path(path) as unfinished:
        unfinished.write_bytes(data)
        raise trouble


def lose(path: Path) -> None:
    """A file that its own writer throws away."""
    with atomic_path(path) as unfinished:
        unfinished.unlink()


# --- a log


def test_a_line_after_a_torn_one_is_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "metrics.jsonl"
    append_line(path, "one")
    with path.open("a") as file:
        file.write("tor")
    append_line(path, "two")

    assert path.read_text() == "one\ntor\ntwo\n"


# --- a hold


def test_who_holds_a_folder_holds_it_alone(tmp_path: Path) -> None:
    refused = pytest.raises(StorageError, match="another process is at work here")
    with held(tmp_path / ".lock"), refused, held(tmp_path / ".lock"):
        pass
    with held(tmp_path / ".lock"):
        pass


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"), held(tmp_path / "gone" / ".lock"):
        pass


# --- a file


def test_a_file_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "model.onnx"

    with atomic_path(path) as unfinished:
        unfinished.write_bytes(b"weights")
        assert not path.exists()
        assert unfinished.parent == path.parent  # so that taking its place is one step on one disk

    assert path.read_bytes() == b"weights"
    assert names_in(path.parent) == ["model.onnx"]


def test_a_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_bytes(path, b"old")
    write_bytes(path, b"new")

    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["run.json"]


def test_a_file_can_be_read_by_others(tmp_path: Path) -> None:
    write_bytes(tmp_path / "report.html", b"")

    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o644


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from vision.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)\n"
    )
    others = [tmp_path / name for name in (".run.pt", ".run.pt-notes", "run.pt", ".other.pt-abcdefgh")]
    for other in others:
        other.touch()
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "run.pt")], cwd=ROOT, check=False)
    assert len(list(tmp_path.iterdir())) == len(others) + 1

    remove_unfinished(tmp_path / "run.pt")

    assert sorted(tmp_path.iterdir()) == sorted(others)


@pytest.mark.parametrize("trouble", [ValueError("wrong"), KeyboardInterrupt(), SystemExit(3)], ids=type)
def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path, trouble: BaseException) -> None:
    path = tmp_path / "run.json"
    write_bytes(path, b"old")

    with pytest.raises(type(trouble)):
        begin(path, b"half of the n", trouble)

    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["run.json"]


def test_a_block_that_moves_its_file_away_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"run\.json: cannot be written: No such file"):
        lose(tmp_path / "run.json")

    assert names_in(tmp_path) == []


def test_a_file_does_not_take_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "model.onnx").write_bytes(b"weights")

    with pytest.raises(StorageError, match="bundle: cannot be written: Is a directory"):
        write_bytes(tmp_path / "bundle", b"new")
    assert names_in(tmp_path) == ["bundle", "bundle/model.onnx"]


def test_a_file_below_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")

    with pytest.raises(StorageError, match=r"taken/run\.json: cannot be written"):
        write_bytes(tmp_path / "taken" / "run.json", b"new")


def test_json_is_written_indented_and_reads_back(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"labels": ["crack", "good"], "seed": 0})

    text = (tmp_path / "run.json").read_text()
    assert json.loads(text) == {"labels": ["crack", "good"], "seed": 0}
    assert text.startswith('{\n  "labels"')
    assert text.endswith("}\n")


# --- a folder


def test_a_folder_appears_whole_when_the_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bundle"

    with atomic_folder(path) as unfinished:
        (unfinished / "model.onnx").write_bytes(b"weights")
        (unfinished / "pictures").mkdir()
        (unfinished / "pictures" / "one.png").write_bytes(b"pixels")
        assert not path.exists()

    assert names_in(tmp_path / "new") == [
        "bundle",
        "bundle/model.onnx",
        "bundle/pictures",
        "bundle/pictures/one.png",
    ]
    assert path.stat().st_mode & 0o777 == 0o755


def test_a_folder_takes_the_place_of_the_old_one_and_of_all_that_was_in_it(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    fill(path, {"old": b""})
    fill(path, {"new": b""})

    assert names_in(tmp_path) == ["bundle", "bundle/new"]


@pytest.mark.parametrize("trouble", [ValueError("wrong"), KeyboardInterrupt(), SystemExit(3)], ids=type)
def test_a_failed_block_leaves_the_old_folder_and_nothing_else(
    tmp_path: Path, trouble: BaseException
) -> None:
    path = tmp_path / "bundle"
    fill(path, {"old": b""})

    with pytest.raises(type(trouble)):
        fill(path, {"new": b""}, trouble)

    assert names_in(tmp_path) == ["bundle", "bundle/old"]


def test_a_folder_does_not_take_the_place_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"a day's work")

    too_late = AssertionError("the work was done before the file was noticed")
    with pytest.raises(StorageError, match=r"notes\.txt: cannot be written: a file is in the way"):
        fill(path, {"new": b""}, too_late)
    assert path.read_bytes() == b"a day's work"


def test_a_link_to_a_folder_is_replaced_and_what_it_pointed_to_is_kept(tmp_path: Path) -> None:
    (tmp_path / "bundle-1").mkdir()
    (tmp_path / "bundle-1" / "old").write_bytes(b"")
    (tmp_path / "bundle").symlink_to("bundle-1")

    fill(tmp_path / "bundle", {"new": b""})

    assert names_in(tmp_path) == ["bundle", "bundle-1", "bundle-1/old", "bundle/new"]
    assert not (tmp_path / "bundle").is_symlink()


# --- the disk refuses


def test_a_full_disk_keeps_the_old_file_and_nothing_half_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        write_bytes(disk / "run.json", b"old")

        with pytest.raises(StorageError, match=r"run\.json: cannot be written: No space left on device"):
            write_bytes(disk / "run.json", bytes(100_000))

        assert (disk / "run.json").read_bytes() == b"old"
        assert names_in(disk) == ["run.json"]


def test_a_full_disk_keeps_the_old_folder_and_nothing_half_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        fill(disk / "bundle", {"old": b"old"})

        with pytest.raises(StorageError, match="bundle: cannot be written: No space left on device"):
            fill(disk / "bundle", {"first": bytes(30_000), "second": bytes(30_000)})

        assert names_in(disk) == ["bundle", "bundle/old"]


LIMITED: Final = """
import resource, sys
from pathlib import Path
from vision.errors import StorageError
from vision.files import atomic_folder, write_bytes

folder = Path(sys.argv[1])
write_bytes(folder / "run.json", b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes(folder / "run.json", bytes(5000))
except StorageError as error:
    print(error)
try:
    with atomic_folder(folder / "bundle") as unfinished:
        (unfinished / "model.onnx").write_bytes(bytes(5000))
except StorageError as error:
    print(error)
"""


def test_a_limit_on_file_sizes_is_a_storage_error_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        f"{tmp_path / 'run.json'}: cannot be written: File too large",
        f"{tmp_path / 'bundle'}: cannot be written: File too large",
    ]
    assert (tmp_path / "run.json").read_bytes() == b"old"
    assert names_in(tmp_path) == ["run.json"]
