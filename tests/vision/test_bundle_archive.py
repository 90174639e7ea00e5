"""A `.loupe` file that somebody tampered with is refused: nothing is written, nothing fills the memory."""

import hashlib
import tracemalloc
import zipfile
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bundles import flipped, lay, make_bundle
from vision.bundle import MANIFEST, REFERENCE, open_bundle
from vision.errors import BundleError

HUGE: Final = 100 * 2**20 + 12345


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a good bundle by their names."""
    folder = make_bundle(tmp_path_factory.mktemp("good") / "plates").path
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@settings(deadline=None)
@given(data=st.data())
def test_a_flipped_bit_in_the_archive_is_refused_or_changes_nothing(
    place: Path, members: dict[str, bytes], data: st.DataObject
) -> None:
    path = lay(place / "archive.loupe", members)
    archive = path.read_bytes()
    path.write_bytes(flipped(archive, data.draw(st.integers(0, 8 * len(archive) - 1))))
    try:
        opened = open_bundle(path)
        found = {name: opened.read(name) for name in opened.manifest.files}
    except BundleError:
        return
    assert found | {MANIFEST: members[MANIFEST]} == members
    assert opened.digest() == hashlib.sha256(members[MANIFEST]).hexdigest()


@settings(deadline=None)
@given(data=st.data())
def test_an_archive_that_ends_early_is_refused(
    place: Path, members: dict[str, bytes], data: st.DataObject
) -> None:
    path = lay(place / "short.loupe", members)
    archive = path.read_bytes()
    path.write_bytes(archive[: data.draw(st.integers(0, len(archive) - 1))])
    with pytest.raises(BundleError, match=r"short\.loupe: expected a zip archive"):
        open_bundle(path)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "folder/", "folder/file", "..\\evil", "C:\\evil", ".hidden", ".."]
)
def test_an_archive_with_a_path_in_it_is_refused(
    name: str, tmp_path: Path, members: dict[str, bytes]
) -> None:
    path = lay(tmp_path / "evil.loupe", {**members, name: b""})
    with pytest.raises(BundleError, match=r"expected plain files without folders, found '.+'"):
        open_bundle(path)


def test_an_archive_with_a_link_in_it_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = lay(tmp_path / "evil.loupe", members)
    link = zipfile.ZipInfo("notes")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(BundleError, match="expected plain files without folders, found 'notes'"):
        open_bundle(path)


def test_an_archive_with_a_name_twice_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = lay(tmp_path / "evil.loupe", members)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(MANIFEST, b"{}")
    with pytest.raises(BundleError, match="expected each file once, found one twice"):
        open_bundle(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_that_unpacks_without_bound_is_refused(
    method: int, tmp_path: Path, members: dict[str, bytes]
) -> None:
    path = tmp_path / "evil.loupe"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(BundleError, match="expected it stored or deflated"):
        open_bundle(path)


def declaring(archive: bytes, size: int) -> bytes:
    """The archive with a lie about how large its huge member is."""
    return archive.replace(HUGE.to_bytes(4, "little"), size.to_bytes(4, "little"))


@pytest.mark.parametrize("name", [REFERENCE, MANIFEST])
@pytest.mark.parametrize("honest", [True, False], ids=["announced", "hidden"])
def test_a_zip_bomb_is_refused_and_never_fills_the_memory(
    name: str, honest: bool, tmp_path: Path, members: dict[str, bytes]
) -> None:
    path = lay(tmp_path / "bomb.loupe", {**members, name: bytes(HUGE)})
    if not honest:
        path.write_bytes(declaring(path.read_bytes(), len(members[name])))
    assert path.stat().st_size < HUGE / 100
    tracemalloc.start()
    with pytest.raises(BundleError, match=name):
        open_bundle(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 2**20


def test_an_archive_that_announces_more_than_a_bundle_may_hold_is_refused(
    tmp_path: Path, members: dict[str, bytes]
) -> None:
    path = lay(tmp_path / "bomb.loupe", {**members, "large": bytes(HUGE)})
    path.write_bytes(declaring(path.read_bytes(), 2**32 - 2))
    with pytest.raises(BundleError, match="expected at most 4294967296 bytes unpacked"):
        open_bundle(path)


def test_arrays_that_announce_more_than_they_may_hold_are_refused(tmp_path: Path) -> None:
    arrays = lay(tmp_path / "arrays.loupe", {"embeddings.npy": bytes(HUGE)}).read_bytes()
    bundle = make_bundle(tmp_path / "plates", contents={REFERENCE: declaring(arrays, 2**32 - 2)})
    with pytest.raises(BundleError, match=f"{REFERENCE}: .*expected at most 1073741824 bytes unpacked"):
        bundle.arrays(REFERENCE)


@pytest.mark.parametrize("data", [b"", b"no zip at all", b"PK\x03\x04" + bytes(100)])
def test_a_file_that_is_no_archive_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "plates.loupe").write_bytes(data)
    with pytest.raises(BundleError, match=r"plates\.loupe: expected a zip archive"):
        open_bundle(tmp_path / "plates.loupe")
