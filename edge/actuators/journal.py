"""A file instead of a gate: each output is a line of JSON. For trials without hardware, and for replays."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

from vision.errors import DeviceError, StorageError
from vision.files import append_line
from vision.inspection.policy import Decision


class JournalActuator:
    """Appends `{"at": ..., "decision": ...}` to `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def open(self) -> None:
        """Nothing to reach: the file is made with its first line."""

    async def drive(self, decision: Decision) -> None:
        """Raises DeviceError when the disk refuses."""
        line = json.dumps({"at": datetime.now(UTC).isoformat(), "decision": decision})
        try:
            await asyncio.to_thread(append_line, self._path, line)
        except StorageError as error:
            raise DeviceError(str(error)) from error

    async def beat(self, *, taking: bool = True) -> None:
        """Nobody watches."""

    async def close(self) -> None:
        """Nothing is held."""
