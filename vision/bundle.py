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
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from vision import signing
from vision.archive import DAMAGE, SUFFIX, Source, write_zip
from vision.errors import BundleError, StorageError
from vision.files import atomic_folder
from vision.preprocess import PreprocessSpec
from vision.validation import first_fault

SCHEMA_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
GOLDEN: Final = "golden.npz"
REFERENCE: Final = "reference.npz"
_MAX_MANIFEST_BYTES: Final = 16 * 1024 * 1024
_MAX_ARRAYS_BYTES: Final = 1024**3
_CHUNK: Final = 1024 * 1024
_FILE_NAME: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}$"  # flat: no separators, no leading dot

M = TypeVar("M", bound=BaseModel)
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

    There are no thresholds before certification, so a verdict is the most probable label here.

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
    manifest_sha256: str
    signed_by: str | None

    def read(self, name: str) -> bytes:
        """A file's bytes, checked against the manifest.

        Raises:
            BundleError: it is not there, or not what the manifest says.
        """
        entry = self.manifest.files.get(name)
        if entry is None:
            raise BundleError(f"{self.path}: expected a file '{name}' in the manifest, found none")
        with Source(self.path) as source:
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
        except DAMAGE as error:
            raise BundleError(f"{self.path}: {name}: expected plain arrays: {error}") from error

    def digest(self) -> str:
        """SHA-256 of the manifest as it was opened, and through it of everything in the bundle."""
        return self.manifest_sha256


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
    with Source(path) as source:
        raw = source.read(MANIFEST, _MAX_MANIFEST_BYTES)
        manifest = _parse_manifest(path, raw)
        _check_members(path, source.members(), manifest)
        signed_by = _check_signature(path, raw, source, keys, require_signature=require_signature)
        for name, entry in manifest.files.items():
            digest, size = source.digest(name, entry.bytes)
            _check_digest(path, name, entry, digest, size)
    return Bundle(
        path=path, manifest=manifest, manifest_sha256=hashlib.sha256(raw).hexdigest(), signed_by=signed_by
    )


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


def decision_of(bundle: Bundle, task: str, kind: type[M]) -> M:
    """A bundle's decision part, as its task's spec.

    Raises:
        BundleError: it is a bundle of another task, or a field is wrong.
    """
    manifest = bundle.manifest
    if manifest.task != task:
        raise BundleError(f"{bundle.path}: task: expected '{task}', found '{manifest.task}'")
    try:
        return kind.model_validate(manifest.decision)
    except ValidationError as error:
        raise BundleError(f"{bundle.path}: decision.{first_fault(error)}") from error


def describe(path: Path) -> tuple[Manifest, str]:
    """What a bundle says of itself, and its digest: its manifest alone is read, and nothing is verified.

    Raises:
        BundleError: there is no bundle, or its manifest is not understood.
    """
    with Source(path) as source:
        raw = source.read(MANIFEST, _MAX_MANIFEST_BYTES)
    return _parse_manifest(path, raw), hashlib.sha256(raw).hexdigest()


def is_signed(path: Path) -> bool:
    """Whether a bundle carries a signature, by whomever.

    Raises:
        BundleError: there is no bundle to look into.
    """
    with Source(path) as source:
        return SIGNATURE in source.members()


def _check_signature(
    path: Path, raw: bytes, source: Source, keys: tuple[Ed25519PublicKey, ...], *, require_signature: bool
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
        write_zip(path, members)
    else:
        refuse_other_folder(path)
        with atomic_folder(path) as unfinished:
            for name, data in members.items():
                (unfinished / name).write_bytes(data)
    return Bundle(
        path=path,
        manifest=complete,
        manifest_sha256=hashlib.sha256(raw).hexdigest(),
        signed_by=signing.key_id(key.public_key()) if key else None,
    )


def refuse_other_folder(path: Path) -> None:
    """A bundle takes the place of a bundle or of nothing, never of a folder with somebody's other files.

    Raises:
        StorageError: there is such a folder.
    """
    if path.is_dir() and any(path.iterdir()) and not (path / MANIFEST).is_file():
        raise StorageError(
            f"{path}: expected no folder, an empty one or a bundle, found a folder of other files"
        )


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
