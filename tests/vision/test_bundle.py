"""A bundle arrives whole and as it was made, or it is a `BundleError` that says what is wrong with it."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from tests.bundles import flipped, lay, make_bundle, manifest, part
from tests.pictures import small_disk
from vision.bundle import (
    MANIFEST,
    REFERENCE,
    SIGNATURE,
    Bundle,
    open_bundle,
    pack_arrays,
    rewrite,
    write_bundle,
)
from vision.errors import BundleError, StorageError
from vision.signing import key_id

FORMS: Final = ("plates", "plates.loupe")
KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture(params=FORMS)
def bundle(tmp_path: Path, request: pytest.FixtureRequest) -> Bundle:
    """A good bundle, once as a folder and once as one file."""
    return make_bundle(tmp_path / request.param)


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a good bundle by their names."""
    folder = make_bundle(tmp_path_factory.mktemp("good") / "plates").path
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


def manifest_with(members: Mapping[str, bytes], **changes: Any) -> dict[str, bytes]:
    """The same files with other fields in the manifest; a field that is `...` is left out."""
    fields = json.loads(members[MANIFEST]) | changes
    kept = {name: value for name, value in fields.items() if value is not ...}
    return {**members, MANIFEST: json.dumps(kept).encode()}


def listed(members: Mapping[str, bytes], name: str, data: bytes) -> dict[str, bytes]:
    """The same files with other bytes for one of them, and a manifest that says so."""
    files = json.loads(members[MANIFEST])["files"]
    files[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    return {**manifest_with(members, files=files), name: data}


def test_a_bundle_comes_back_as_it_was_written(bundle: Bundle) -> None:
    opened = open_bundle(bundle.path)
    assert opened == bundle
    assert opened.digest() == bundle.digest()
    assert [opened.read(name) for name in opened.manifest.files] == [
        bundle.read(name) for name in bundle.manifest.files
    ]


def test_arrays_come_back_bit_for_bit(tmp_path: Path) -> None:
    arrays: dict[str, npt.NDArray[Any]] = {
        "picture": part(),
        "half": np.arange(5, dtype=np.float16),
        "words": np.array(["a", "bc"]),
    }
    found = make_bundle(tmp_path / "plates", contents={REFERENCE: pack_arrays(arrays)}).arrays(REFERENCE)
    assert set(found) == set(arrays)
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert all(found[name].dtype == arrays[name].dtype for name in arrays)


def test_a_folder_and_a_file_hold_the_same(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "plates")
    zipped = rewrite(folder, to=tmp_path / "plates.loupe")
    again = rewrite(zipped, to=tmp_path / "again")
    assert folder.digest() == zipped.digest() == again.digest()
    assert folder.manifest == zipped.manifest == again.manifest


def test_the_same_contents_give_the_same_bytes(tmp_path: Path) -> None:
    contents = {"b.npz": pack_arrays({"x": np.zeros(3)}), "model.onnx": b"x", "a.npz": b"y"}
    one = write_bundle(tmp_path / "one.loupe", manifest(), contents)
    other = write_bundle(tmp_path / "other.loupe", manifest(), dict(reversed(contents.items())))
    assert one.path.read_bytes() == other.path.read_bytes()
    with zipfile.ZipFile(one.path) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}, "no clock in it"


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None)
@given(data=st.data())
def test_a_flipped_bit_in_a_file_is_found_and_named(
    form: str, place: Path, members: dict[str, bytes], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(set(members) - {MANIFEST})))
    changed = flipped(members[name], data.draw(st.integers(0, 8 * len(members[name]) - 1)))
    path = lay(place / form, {**members, name: changed})
    expected, found = (hashlib.sha256(one).hexdigest() for one in (members[name], changed))
    with pytest.raises(BundleError, match=f"{path}: {name}: expected sha256 {expected}, found {found}"):
        open_bundle(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("grow", [-1, 1])
def test_a_file_of_another_size_is_refused(
    form: str, grow: int, tmp_path: Path, members: dict[str, bytes]
) -> None:
    data = members[REFERENCE]
    path = lay(tmp_path / form, {**members, REFERENCE: data[:-1] if grow < 0 else data + b"x"})
    with pytest.raises(
        BundleError, match=f"{REFERENCE}: expected {len(data)} bytes, found {len(data) + grow}"
    ):
        open_bundle(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("missing", [MANIFEST, REFERENCE, "model.onnx"])
def test_a_missing_file_is_named(form: str, missing: str, tmp_path: Path, members: dict[str, bytes]) -> None:
    path = lay(tmp_path / form, {name: data for name, data in members.items() if name != missing})
    with pytest.raises(BundleError, match=missing):
        open_bundle(path)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_the_manifest_does_not_list_is_refused(
    form: str, tmp_path: Path, members: dict[str, bytes]
) -> None:
    path = lay(tmp_path / form, {**members, "readme.txt": b""})
    with pytest.raises(BundleError, match=r"found 'readme\.txt' as well"):
        open_bundle(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema_version: expected 1, found 2; a newer Loupe wrote it"),
        ({"schema_version": 0}, "schema_version: expected 1, found 0$"),
        ({"schema_version": ...}, "schema_version: expected 1, found None$"),
        ({"schema_version": "1"}, "schema_version: expected 1, found '1'$"),
        ({"mood": "good"}, "mood: Extra inputs are not permitted, found 'good'"),
        ({"labels": ["good"]}, "labels: .*at least 2"),
        ({"labels": ["good", "good"]}, "expected distinct labels"),
        ({"version": "1.0\n"}, "version: "),
        ({"name": "../plates"}, "name: "),
        ({"files": {}}, r"files: expected an entry for 'model\.onnx', found none"),
        ({"files": {"../evil": {"sha256": "0" * 64, "bytes": 1}}}, "files.*evil"),
        ({"models": {"model.onnx": {"precision": "float32", "golden_tolerance": 1e999}}}, "golden_tolerance"),
    ],
)
def test_a_manifest_that_is_not_understood_names_its_field(
    changes: dict[str, Any], message: str, tmp_path: Path, members: dict[str, bytes]
) -> None:
    path = lay(tmp_path / "plates", manifest_with(members, **changes))
    with pytest.raises(BundleError, match=f"{path}: {MANIFEST}: .*{message}"):
        open_bundle(path)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xff", b"[]", b"null", b"[" * 100_000, b'{"labels": NaN}'])
def test_a_manifest_that_is_no_json_object_is_refused(
    raw: bytes, tmp_path: Path, members: dict[str, bytes]
) -> None:
    with pytest.raises(BundleError, match=f"{MANIFEST}: "):
        open_bundle(lay(tmp_path / "plates", {**members, MANIFEST: raw}))


def test_a_path_where_nothing_is_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"expected a bundle folder or \.loupe file, found nothing"):
        open_bundle(tmp_path / "plates")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_a_folder_with_something_else_than_files_is_refused(
    make: Callable[[Path], None], tmp_path: Path, members: dict[str, bytes]
) -> None:
    path = lay(tmp_path / "plates", members)
    (path / REFERENCE).unlink()
    make(path / REFERENCE)
    with pytest.raises(BundleError, match=f"{REFERENCE}: cannot be read: expected a file"):
        open_bundle(path)


def test_a_file_that_changes_after_opening_is_never_handed_out(bundle: Bundle) -> None:
    opened = open_bundle(bundle.path)
    make_bundle(bundle.path, contents={REFERENCE: pack_arrays({"embeddings": np.ones((1, 5))})})
    with pytest.raises(BundleError, match=f"{REFERENCE}: expected"):
        opened.read(REFERENCE)
    with pytest.raises(BundleError, match="expected a file 'notes' in the manifest, found none"):
        opened.read("notes")


class Trap:
    """Pickled, it makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @override
    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_pickle_among_the_arrays_is_refused_and_not_executed(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = io.BytesIO()
    np.savez(trap, embeddings=np.array([Trap(sprung)], dtype=object))
    bundle = make_bundle(tmp_path / "plates", contents={REFERENCE: trap.getvalue()})
    with pytest.raises(BundleError, match=f"{REFERENCE}: expected plain arrays: .*allow_pickle"):
        open_bundle(bundle.path).arrays(REFERENCE)
    assert not sprung.exists()
    np.load(io.BytesIO(trap.getvalue()), allow_pickle=True)["embeddings"]
    assert sprung.exists(), "the trap was harmless, so the test proved nothing"


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def npy(shape: str) -> bytes:
    """The beginning of an array of float64 that announces this shape."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"text",
        npy("(1,)") + bytes(8),  # one array without an archive around it
        zipped("embeddings.txt", b"text"),
        zipped("embeddings.npy", npy("(2,)") + bytes(8)),  # ends early
        zipped("embeddings.npy", npy("(10**18,)")),
        zipped("embeddings.npy", npy("(1000000000000000,)")),  # would fill any memory
    ],
)
def test_arrays_that_are_no_plain_arrays_are_refused(data: bytes, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "plates", contents={REFERENCE: data})
    with pytest.raises(BundleError, match=f"{REFERENCE}: expected plain arrays"):
        bundle.arrays(REFERENCE)


@settings(deadline=None)
@given(data=st.data())
def test_damaged_arrays_are_arrays_or_refused(
    place: Path, members: dict[str, bytes], data: st.DataObject
) -> None:
    good = zipped("embeddings.npy", npy("(2,)") + bytes(16))
    damaged = flipped(good, data.draw(st.integers(0, 8 * len(good) - 1)))
    opened = open_bundle(lay(place / "arrays", listed(members, REFERENCE, damaged)))
    try:
        found = opened.arrays(REFERENCE)
    except BundleError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_leaves_the_previous_bundle_and_nothing_else(form: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=512) as disk:
        before = make_bundle(disk / form)
        with pytest.raises(StorageError, match=f"{disk / form}: cannot be written: No space left"):
            make_bundle(disk / form, version="2.0", contents={"large": os.urandom(2**20)})
        assert open_bundle(disk / form) == before
        assert [path.name for path in disk.iterdir()] == [form]


def test_a_folder_of_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(b"dear")
    with pytest.raises(StorageError, match=r"photos: .*found a folder of other files"):
        make_bundle(tmp_path / "photos")
    assert (tmp_path / "photos" / "holiday.jpg").read_bytes() == b"dear"


KILLED_WHILE_WRITING: Final = """
import os, random, shutil, signal, sys, time
from pathlib import Path
from vision.bundle import open_bundle, rewrite

source, target = open_bundle(Path(sys.argv[1])), Path(sys.argv[2])
versions = [source.manifest.model_copy(update={"version": version}) for version in ("1.0", "2.0")]
rewrite(source, to=target)
for seed in range(30):
    child = os.fork()
    while child == 0:
        for one in versions:
            rewrite(source, to=target, manifest=one)
    time.sleep(random.Random(seed).uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    # a folder is replaced in two renames; between them the old one stands aside
    (found,) = [target] if target.exists() else target.parent.glob(".*-previous")
    print(open_bundle(found).manifest.version)
    for unfinished in target.parent.glob(".*"):
        shutil.rmtree(unfinished) if unfinished.is_dir() else unfinished.unlink()
"""


@pytest.mark.parametrize("form", FORMS)
def test_kill_9_while_writing_leaves_the_old_or_the_new_bundle(form: str, tmp_path: Path) -> None:
    source = make_bundle(tmp_path / "source", contents={"large": os.urandom(300_000)})
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(source.path), str(tmp_path / form)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 30
    assert set(done.stdout.split()) <= {"1.0", "2.0"}


@pytest.fixture(params=FORMS)
def signed(tmp_path: Path, request: pytest.FixtureRequest) -> Bundle:
    return make_bundle(tmp_path / request.param, key=KEY)


def test_a_signature_by_a_trusted_key_is_known(signed: Bundle) -> None:
    trusted = [OTHER_KEY.public_key(), KEY.public_key()]
    opened = open_bundle(signed.path, trusted=trusted, require_signature=True)
    assert opened.signed_by == signed.signed_by == key_id(KEY.public_key())


def test_a_signature_by_another_key_is_refused(signed: Bundle) -> None:
    with pytest.raises(BundleError, match=f"expected a signature by {key_id(OTHER_KEY.public_key())}"):
        open_bundle(signed.path, trusted=[OTHER_KEY.public_key()])


@pytest.mark.parametrize("form", FORMS)
def test_an_altered_manifest_does_not_fit_its_signature(form: str, tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "signed", key=KEY).path
    members = {file.name: file.read_bytes() for file in folder.iterdir()}
    path = lay(tmp_path / form, manifest_with(members, version="1.1"))
    assert open_bundle(path).manifest.version == "1.1"
    with pytest.raises(BundleError, match=r"does not fit manifest\.json"):
        open_bundle(path, trusted=[KEY.public_key()])


def test_an_unsigned_bundle_is_refused_where_a_signature_is_required(bundle: Bundle) -> None:
    assert open_bundle(bundle.path, trusted=[KEY.public_key()]).signed_by is None
    with pytest.raises(BundleError, match=f"expected a signature in {SIGNATURE}, found none"):
        open_bundle(bundle.path, trusted=[KEY.public_key()], require_signature=True)


def test_a_signature_that_nobody_can_check_counts_for_nothing(signed: Bundle) -> None:
    assert open_bundle(signed.path).signed_by is None
    with pytest.raises(BundleError, match="no trusted key is configured"):
        open_bundle(signed.path, require_signature=True)


def test_a_signature_does_not_outlive_a_rewrite(signed: Bundle) -> None:
    again = rewrite(open_bundle(signed.path), manifest=signed.manifest.model_copy(update={"version": "1.1"}))
    assert again.signed_by is None
    assert open_bundle(signed.path, trusted=[KEY.public_key()]).signed_by is None


def test_a_rewrite_can_sign(bundle: Bundle) -> None:
    rewrite(open_bundle(bundle.path), key=KEY)
    opened = open_bundle(bundle.path, trusted=[KEY.public_key()], require_signature=True)
    assert opened.signed_by == key_id(KEY.public_key())
    assert opened.digest() == bundle.digest()
