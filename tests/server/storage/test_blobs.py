"""A picture comes back as it was put, or it is said why not; half a picture is never there."""

import hashlib
import os
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.storage.blobs import Blobs, open_blobs
from tests.pictures import small_disk
from vision.errors import NotFoundError, SettingsError, StorageError


def place(blobs: Blobs, sha256: str) -> Path:
    return Path(blobs.name) / sha256[:2] / sha256[2:4] / sha256


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    if request.param == "folder":
        yield open_blobs(str(tmp_path / "pictures"))
        return
    url = f"memory://{uuid4().hex}"
    yield open_blobs(url)
    system, root = fsspec.url_to_fs(url)
    if system.exists(root):
        system.rm(root, recursive=True)


@pytest.fixture
def folder(tmp_path: Path) -> Blobs:
    return open_blobs(str(tmp_path / "pictures"))


@given(pictures=st.lists(st.binary(min_size=1, max_size=200), max_size=8))
def test_what_is_put_comes_back_and_is_kept_once(pictures: list[bytes]) -> None:
    url = f"memory://{uuid4().hex}"
    blobs = open_blobs(url)
    names = [blobs.put(picture) for picture in pictures]

    assert names == [hashlib.sha256(picture).hexdigest() for picture in pictures]
    assert [blobs.get(name) for name in names] == pictures
    assert sorted(entry.sha256 for entry in blobs.entries()) == sorted(set(names))
    assert blobs.total_bytes() == sum(map(len, set(pictures)))
    for name in set(names):
        assert blobs.delete(name) == len(dict(zip(names, pictures, strict=True))[name])
    assert blobs.total_bytes() == 0


def test_a_picture_lies_two_folders_deep_under_its_digest(blobs: Blobs) -> None:
    name = blobs.put(b"picture")
    system, root = fsspec.url_to_fs(blobs.name)
    assert [path.removeprefix(f"{root}/") for path in system.find(root)] == [f"{name[:2]}/{name[2:4]}/{name}"]


def test_a_picture_outlives_the_process(folder: Blobs) -> None:
    name = folder.put(b"picture")
    assert open_blobs(folder.name).get(name) == b"picture"
    assert open_blobs(f"file://{folder.name}").get(name) == b"picture"


def test_an_entry_says_how_large_a_picture_is_and_when_it_was_put(blobs: Blobs) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    name = blobs.put(b"picture")
    [entry] = blobs.entries()
    assert (entry.sha256, entry.bytes) == (name, 7)
    assert before <= entry.put_at <= datetime.now(UTC) + timedelta(seconds=1)
    assert blobs.look(name) == entry


def test_deleting_frees_the_bytes_once(blobs: Blobs) -> None:
    name = blobs.put(b"picture")
    assert blobs.delete(name) == 7
    assert blobs.delete(name) == 0
    with pytest.raises(NotFoundError, match=f"picture {name}: expected it here, found nothing"):
        blobs.get(name)


def test_a_picture_that_was_put_again_meanwhile_is_not_deleted(folder: Blobs) -> None:
    name = folder.put(b"picture")
    an_hour_ago = datetime.now(UTC).timestamp() - 3600
    os.utime(place(folder, name), (an_hour_ago, an_hour_ago))
    [listed] = folder.entries()

    folder.put(b"picture")

    assert folder.delete(name, put_at=listed.put_at) == 0
    assert folder.delete(name, put_at=folder.look(name).put_at) == 7


def test_a_picture_that_was_put_again_elsewhere_is_not_deleted(blobs: Blobs) -> None:
    name = blobs.put(b"picture")
    assert blobs.delete(name, put_at=blobs.look(name).put_at - timedelta(seconds=1)) == 0
    assert blobs.get(name) == b"picture"


def test_many_threads_may_put_the_same_picture(folder: Blobs) -> None:
    picture = os.urandom(100_000)
    threads = [threading.Thread(target=folder.put, args=(picture,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [entry] = folder.entries()
    assert folder.get(entry.sha256) == picture
    assert [path.name for path in place(folder, entry.sha256).parent.iterdir()] == [entry.sha256]


@pytest.mark.parametrize("sync", [True, False], ids=["as an item's row", "as a result's row"])
def test_a_picture_is_as_safe_from_a_power_cut_as_the_row_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: bool
) -> None:
    synced = []

    def noted(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path.parent if path.is_file() else path, path.is_file() and path.read_bytes()))
        fsync(descriptor)

    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", noted)
    blobs = open_blobs(str(tmp_path), sync=sync)
    folder = place(blobs, blobs.put(b"picture")).parent

    assert synced == ([(folder, b"picture"), (folder, False)] if sync else [])


# --- what goes wrong


def test_a_damaged_picture_is_noticed_and_mended_by_putting_it_again(folder: Blobs) -> None:
    name = folder.put(b"picture")
    place(folder, name).write_bytes(b"pictura")
    with pytest.raises(StorageError, match=f"picture {name}: expected bytes with this sha256, found 7 with "):
        folder.get(name)

    folder.put(b"picture")
    assert folder.get(name) == b"picture"


def test_half_a_picture_is_noticed(folder: Blobs) -> None:
    name = folder.put(b"picture")
    place(folder, name).write_bytes(b"pic")
    with pytest.raises(StorageError, match="found 3 with"):
        folder.get(name)


def test_what_a_killed_process_left_is_no_picture(folder: Blobs) -> None:
    name = folder.put(b"picture")
    place(folder, name).with_name(f".{name}-abc123").write_bytes(b"half")
    assert folder.total_bytes() == 7


@pytest.mark.parametrize("name", ["", "abc", "../" * 30 + "etc/passwd", "A" * 64, "0" * 65, "0" * 63 + "\n"])
def test_a_name_that_is_no_digest_leads_nowhere(blobs: Blobs, name: str) -> None:
    with pytest.raises(NotFoundError, match="expected 64 hex digits"):
        blobs.get(name)
    assert blobs.delete(name) == 0


def test_a_full_disk_is_a_storage_error_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        blobs = open_blobs(str(disk / "pictures"))
        name = blobs.put(b"picture")
        with pytest.raises(StorageError, match="No space left on device"):
            blobs.put(bytes(100_000))
        assert [entry.sha256 for entry in blobs.entries()] == [name]
        assert blobs.get(name) == b"picture"


def test_a_file_in_the_way_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(StorageError, match=r"taken: cannot be made: File exists"):
        open_blobs(str(tmp_path / "taken"))


def test_a_folder_in_place_of_a_picture_is_a_storage_error(folder: Blobs) -> None:
    name = hashlib.sha256(b"picture").hexdigest()
    place(folder, name).mkdir(parents=True)
    with pytest.raises(StorageError, match=f"{name}: Is a directory"):
        folder.get(name)
    with pytest.raises(StorageError, match=name):
        folder.put(b"picture")


@pytest.mark.parametrize("url", ["nonsense://host/folder", "s3+nonsense://ada:secret@host/folder"])
def test_a_url_that_nobody_knows_is_a_mistake_in_the_settings(url: str) -> None:
    with pytest.raises(SettingsError, match="expected a folder or a URL that fsspec knows") as caught:
        open_blobs(url)
    assert "secret" not in str(caught.value)


def test_a_store_that_cannot_be_reached_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:1/pictures: cannot be opened: .*refused") as caught:
        open_blobs("ftp://ada:secret@127.0.0.1:1/pictures")
    assert "secret" not in str(caught.value)


def test_an_error_of_the_stores_own_is_a_storage_error(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w"):
        pass
    blobs = open_blobs(f"zip://::{tmp_path / 'pictures.zip'}")  # opened for reading alone
    with pytest.raises(StorageError, match=r"pictures\.zip: picture "):
        blobs.put(b"picture")
    with pytest.raises(NotFoundError):
        blobs.get("0" * 64)
