"""A folder of pictures as a camera: one file a part, in the order of their names. For trials, demos and replays."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from edge.ports import Pulse, Shot
from vision.errors import DeviceError, ImageError
from vision.image import IMAGE_SUFFIXES, read_bytes


class FolderCamera:
    """Pictures below `folder`; with `again` from the beginning once all were shown, else the camera has none any more."""

    def __init__(self, folder: Path, *, again: bool) -> None:
        self._folder, self._again = folder, again
        self._files: Sequence[Path] = ()
        self._shown = 0

    async def open(self) -> None:
        """Find the pictures.

        Raises:
            DeviceError: there is no folder, or no picture in it.
        """
        if self._files:
            return
        self._files = await asyncio.to_thread(_pictures, self._folder)
        if not self._files:
            raise DeviceError(f"{self._folder}: expected a folder of pictures, found none")

    async def capture(self, pulse: Pulse) -> Shot:  # noqa: ARG002  (a folder shows the same to any pulse)
        """The next picture.

        Raises:
            DeviceError: all were shown, or the file cannot be read.
        """
        if self._shown >= len(self._files) and not self._again:
            raise DeviceError(f"{self._folder}: all {len(self._files)} pictures were shown")
        path = self._files[self._shown % len(self._files)]
        self._shown += 1
        try:
            image = await asyncio.to_thread(read_bytes, path)
        except ImageError as error:
            raise DeviceError(str(error)) from error
        return Shot(image=image, frame_id=self._shown, name=str(path))

    async def close(self) -> None:
        """Nothing is held."""


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    )
