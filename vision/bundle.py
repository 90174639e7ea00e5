"""A model as it travels: one folder, or the same folder zipped, that says all that is needed to use it alike.

    manifest.json   what it is, how to prepare pictures, what each file's SHA-256 is
    manifest.sig    Ed25519 signature over manifest.json, where signed
    model.onnx …    and the further files that the manifest lists, no others

Opening verifies every digest; reading verifies again the very bytes that are handed out. What a task keeps in the
manifest (`decision`) is opaque here: `vision.inspection.spec` knows its part.
"""

import hashlib
import io
import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal, Self

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from vision import signing
from vision.errors import BundleError, StorageError
from vision.files import atomic_folder, atomic_path
from vision.preprocess import PreprocessSpec

SCHEMA_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
GOLDEN: Final = "golden.npz"
REFERENCE: Final = "reference.npz"
SUFFIX: Final = ".loupe"
_MAX_MANIFEST_BYTES: Final = 16 * 1024 * 1024
_MAX_BUNDLE_BYTES: Final = 4 * 1024**3
_MAX_ARRAYS_BYTES: Final = 1024**3
_CHUNK: Final = 1024 * 1024
# what zipfile and numpy are seen to raise on bytes that someone tampered with
_DAMAGE: Final = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    SyntaxError,
    MemoryError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    tokenize.TokenError,
)
_FILE_NAME: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}$"  # flat: no separators, no leading dot

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$")]
Version = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+){0,3}([A-Za-z0-9.+\-]{0,40})$")]
FileName = Annotated[str, Field(pattern=_FILE_NAME)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(BaseModel):
    """A file's fingerprint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Digest
    bytes: Annotated[int, Field(ge=0)]


class Guard(BaseModel):
    """What quantising changed, measured on the tune part: the reason an int8 file may be used.

    `balanced_accuracy_drop` in points (1 point = 0.01), `verdict_changes` as a fraction of pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures: int
    balanced_accuracy_drop: float
    verdict_changes: float
    max_logit_difference: float


class ModelEntry(BaseModel):
    """One ONNX file. `golden_tolerance` is the largest |Δlogit| against `golden.npz` on any machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    precision: Literal["float32", "int8"]
    golden_tolerance: Annotated[float, Field(gt=0)]
    guard: Guard | None = None


class Provenance(BaseModel):
    """Where a model comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    created_at: str
    data_digest: str
    split: str
    recipe: dict[str, JsonValue]
    weights: str
    seed: int
    code_version: str
    libraries: dict[str, str]


class Manifest(BaseModel):
    """`manifest.json`. `outputs` gives each graph output's shape, a batch being `N`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Name
    version: Version
    task: Literal["inspection", "catalog"]
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    preprocess: PreprocessSpec
    outputs: dict[str, tuple[str | int, ...]]
    models: Annotated[dict[FileName, ModelEntry], Field(min_length=1)]
    decision: dict[str, JsonValue]
    metrics: dict[str, JsonValue] = {}
    provenance: Provenance
    files: dict[FileName, FileEntry] = {}

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels: expected distinct labels, found {self.labels}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """An opened, verified bundle. `signed_by` is the id of the trusted key that signed it, if one did."""

    path: Path
    manifest: Manifest
    signed_by: str | None

    def read(self, name: str) -> bytes:
        """A file's bytes, checked against the manifest.

        Raises:
            BundleError: it is not there, or not what the manifest says.
        """
        entry = self.manifest.files.get(name)
        if entry is None:
            raise BundleError(f"{self.path}: expected a file '{name}' in the manifest, found none")
        with _Source(self.path) as source:
            data = source.read(name, entry.bytes)
        _check_digest(self.path, name, entry, hashlib.sha256(data).hexdigest(), len(data))
        return data

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """The arrays of an `.npz` file; nothing in it is ever executed.

        Raises:
            BundleError: as `read`, or it holds something other than plain arrays.
        """
        data = self.read(name)
        try:
            return _plain_arrays(data)
        except _DAMAGE as error:
            raise BundleError(f"{self.path}: {name}: expected plain arrays: {error}") from error

    def digest(self) -> str:
        """SHA-256 of the manifest, and through it of everything in the bundle."""
        with _Source(self.path) as source:
            return hashlib.sha256(source.read(MANIFEST, _MAX_MANIFEST_BYTES)).hexdigest()


def open_bundle(
    path: Path, *, trusted: Iterable[Ed25519PublicKey] = (), require_signature: bool = False
) -> Bundle:
    """Open a bundle folder or `.loupe` file and verify all of it.

    Args:
        trusted: keys from configuration. With at least one, a signature that is there must be by one of them.
        require_signature: refuse an unsigned bundle as well.

    Raises:
        BundleError: naming the file, what was expected and what was found.
    """
    keys = tuple(trusted)
    with _Source(path) as source:
        raw = source.read(MANIFEST, _MAX_MANIFEST_BYTES)
        manifest = _parse_manifest(path, raw)
        _check_members(path, source.members(), manifest)
        signed_by = _check_signature(path, raw, source, keys, require_signature=require_signature)
        for name, entry in manifest.files.items():
            digest, size = source.digest(name, entry.bytes)
            _check_digest(path, name, entry, digest, size)
    return Bundle(path=path, manifest=manifest, signed_by=signed_by)


def _parse_manifest(path: Path, raw: bytes) -> Manifest:
    try:
        plain = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: {MANIFEST}: expected JSON: {error}") from error
    version = plain.get("schema_version") if isinstance(plain, dict) else None
    if version != SCHEMA_VERSION:
        hint = "; a newer Loupe wrote it" if isinstance(version, int) and version > SCHEMA_VERSION else ""
        raise BundleError(
            f"{path}: {MANIFEST}: schema_version: expected {SCHEMA_VERSION}, found {version!r}{hint}"
        )
    try:
        manifest = Manifest.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        found = repr(first["input"])[:80]
        raise BundleError(f"{path}: {MANIFEST}: {field}: {first['msg']}, found {found}") from error
    unlisted = set(manifest.models) - set(manifest.files)
    if unlisted:
        raise BundleError(f"{path}: {MANIFEST}: files: expected an entry for '{min(unlisted)}', found none")
    return manifest


def _check_members(path: Path, members: Iterable[str], manifest: Manifest) -> None:
    expected = {MANIFEST, *manifest.files}
    found = set(members) - {SIGNATURE}
    missing, extra = expected - found, found - expected
    if missing:
        raise BundleError(f"{path}: expected a file '{min(missing)}', found none")
    if extra:
        raise BundleError(f"{path}: expected only the files of the manifest, found '{min(extra)}' as well")


def _check_digest(path: Path, name: str, entry: FileEntry, digest: str, size: int) -> None:
    if size != entry.bytes:
        raise BundleError(f"{path}: {name}: expected {entry.bytes} bytes, found {size}")
    if digest != entry.sha256:
        raise BundleError(f"{path}: {name}: expected sha256 {entry.sha256}, found {digest}")


def _check_signature(
    path: Path, raw: bytes, source: "_Source", keys: tuple[Ed25519PublicKey, ...], *, require_signature: bool
) -> str | None:
    if SIGNATURE not in source.members():
        if require_signature:
            raise BundleError(f"{path}: expected a signature in {SIGNATURE}, found none")
        return None
    if keys:
        return signing.verify(raw, source.read(SIGNATURE, _CHUNK), keys)
    if require_signature:
        raise BundleError(f"{path}: it is signed, but no trusted key is configured to check it against")
    return None


class _Source:
    """A folder or a zip archive, read member by member and never beyond the size asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._archive: zipfile.ZipFile | None = None

    def __enter__(self) -> Self:
        if self._path.is_dir():
            return self
        if not self._path.is_file():
            raise BundleError(f"{self._path}: expected a bundle folder or {SUFFIX} file, found nothing")
        try:
            self._archive = zipfile.ZipFile(self._path)
        except _DAMAGE as error:
            raise BundleError(f"{self._path}: expected a zip archive: {error}") from error
        try:
            _check_archive(self._path, self._archive)
        except BundleError:
            self._archive.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None:
            self._archive.close()

    def members(self) -> list[str]:
        if self._archive is not None:
            return self._archive.namelist()
        try:
            return [child.name for child in self._path.iterdir()]
        except OSError as error:
            raise BundleError(f"{self._path}: cannot be read: {error.strerror}") from error

    def _open(self, name: str) -> BinaryIO:
        try:
            if self._archive is not None:
                return self._archive.open(name)  # type: ignore[return-value]
            if (self._path / name).exists() and not (self._path / name).is_file():
                raise OSError("expected a file, found a folder or a device")
            return (self._path / name).open("rb")
        except _DAMAGE as error:
            raise BundleError(f"{self._path}: {name}: cannot be read: {error}") from error

    def read(self, name: str, limit: int) -> bytes:
        """At most `limit` bytes; a longer file is refused."""
        with self._open(name) as file:
            data = self._guarded(name, file, limit + 1)
        if len(data) > limit:
            raise BundleError(f"{self._path}: {name}: expected at most {limit} bytes, found more")
        return data

    def digest(self, name: str, limit: int) -> tuple[str, int]:
        """SHA-256 and size, read in pieces, stopping beyond `limit` bytes."""
        running, size = hashlib.sha256(), 0
        with self._open(name) as file:
            while size <= limit and (piece := self._guarded(name, file, _CHUNK)):
                running.update(piece)
                size += len(piece)
        return running.hexdigest(), size

    def _guarded(self, name: str, file: BinaryIO, count: int) -> bytes:
        try:
            return file.read(count)
        except _DAMAGE as error:
            raise BundleError(f"{self._path}: {name}: is damaged: {error}") from error


def _check_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """Flat, plain, distinct names and a bounded size, before anything is unpacked."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    for info in infos:
        link = (info.external_attr >> 16) & 0o170000 == 0o120000
        if (
            info.is_dir()
            or link
            or "/" in info.filename
            or "\\" in info.filename
            or info.filename.startswith(".")
        ):
            raise BundleError(f"{path}: expected plain files without folders, found '{info.filename}'")
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            # zipfile unpacks the other methods a whole read at a time, however large that grows
            raise BundleError(
                f"{path}: {info.filename}: expected it stored or deflated, found another method"
            )
    if len(set(names)) != len(names):
        raise BundleError(f"{path}: expected each file once, found one twice")
    total = sum(info.file_size for info in infos)
    if total > _MAX_BUNDLE_BYTES:
        raise BundleError(f"{path}: expected at most {_MAX_BUNDLE_BYTES} bytes unpacked, found {total}")


def write_bundle(
    path: Path, manifest: Manifest, contents: Mapping[str, bytes], *, key: Ed25519PrivateKey | None = None
) -> Bundle:
    """Write a bundle whole or not at all: a zip when `path` ends in `.loupe`, else a folder.

    `manifest.files` is filled in from `contents`; whatever was at `path` is replaced once the new one is on the disk.

    Raises:
        StorageError: the disk refused, or a folder that is no bundle is in the way; what was at `path` before is
            still there.
    """
    files = {
        name: FileEntry(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        for name, data in sorted(contents.items())
    }
    complete = Manifest.model_validate(manifest.model_copy(update={"files": files}).model_dump())
    raw = (complete.model_dump_json(indent=2) + "\n").encode()
    members = {**contents, MANIFEST: raw}
    if key is not None:
        members[SIGNATURE] = signing.sign(raw, key)
    if path.suffix == SUFFIX:
        _write_zip(path, members)
    else:
        _refuse_other_folder(path)
        with atomic_folder(path) as unfinished:
            for name, data in members.items():
                (unfinished / name).write_bytes(data)
    return Bundle(path=path, manifest=complete, signed_by=signing.key_id(key.public_key()) if key else None)


def _refuse_other_folder(path: Path) -> None:
    """A bundle takes the place of a bundle or of nothing, never of a folder with somebody's other files."""
    if path.is_dir() and any(path.iterdir()) and not (path / MANIFEST).is_file():
        raise StorageError(
            f"{path}: expected no folder, an empty one or a bundle, found a folder of other files"
        )


def _write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    with (
        atomic_path(path) as unfinished,
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name in sorted(members):
            info = zipfile.ZipInfo(
                name, date_time=(1980, 1, 1, 0, 0, 0)
            )  # the same bundle gives the same bytes
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name])


def rewrite(
    bundle: Bundle,
    *,
    to: Path | None = None,
    manifest: Manifest | None = None,
    key: Ed25519PrivateKey | None = None,
) -> Bundle:
    """Write a bundle again: elsewhere, in its other form, with another manifest, or signed.

    A signature does not outlive the manifest it was made for: without `key` the result is unsigned.

    Raises:
        BundleError: a file changed since the bundle was opened.
        StorageError: the disk refused.
    """
    contents = {name: bundle.read(name) for name in bundle.manifest.files}
    return write_bundle(to or bundle.path, manifest or bundle.manifest, contents, key=key)


def _plain_arrays(data: bytes) -> dict[str, npt.NDArray[Any]]:
    loaded = np.load(io.BytesIO(data), allow_pickle=False)
    if not isinstance(loaded, np.lib.npyio.NpzFile):
        raise ValueError("found one array without a name")  # noqa: TRY004  (a damaged file, not a wrong call)
    with loaded, zipfile.ZipFile(io.BytesIO(data)) as archive:
        total = sum(info.file_size for info in archive.infolist())
        if total > _MAX_ARRAYS_BYTES:
            raise ValueError(f"expected at most {_MAX_ARRAYS_BYTES} bytes unpacked, found {total}")
        arrays: dict[str, Any] = {name: loaded[name] for name in loaded.files}
    other = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
    if other:
        raise ValueError(f"found '{other[0]}', which is no array")
    return arrays


def pack_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Arrays as the bytes of a compressed `.npz`."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
