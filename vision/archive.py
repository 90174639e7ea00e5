"""A bundle's container: a folder, or a zip of flat, plain files; read without ever unpacking to disk.

Takes paths and names, gives bytes, and never more of them than the caller allows. Knows nothing of manifests or models.
"""

import hashlib
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final, Self

from vision.errors import BundleError
from vision.files import atomic_path

SUFFIX: Final = ".loupe"
MAX_BYTES: Final = 4 * 1024**3  # of all files unpacked
_CHUNK: Final = 1024 * 1024
# what zipfile and numpy are seen to raise on bytes that someone tampered with
DAMAGE: Final = (
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


class Source:
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
        except DAMAGE as error:
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
        except DAMAGE as error:
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
        except DAMAGE as error:
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
    if total > MAX_BYTES:
        raise BundleError(f"{path}: expected at most {MAX_BYTES} bytes unpacked, found {total}")


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    """Write a zip whole or not at all; the same members give the same bytes.

    Raises:
        StorageError: the disk refused.
    """
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
