"""The slots of one model's name on the disk. Whatever moment the power is cut at, the state file is the old one or the new one.

DATA/slots/NAME/state.json    which slot is active; written whole, by a rename
DATA/slots/NAME/a, b          bundle folders; a digest in the state says what must lie there
DATA/slots/NAME/lock          held while the state is read and written anew
DATA/slots/NAME/installing    held by the one install at a time
"""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from edge.slots.state import SLOTS, Slot, SlotState
from vision.errors import StorageError
from vision.files import held, remove_unfinished, write_bytes

FOLDER: Final = "slots"
STATE: Final = "state.json"


class SlotStore:
    """One name's folder; nothing is made before something is installed.

    Args:
        data: the line's.
    """

    def __init__(self, data: Path, name: str) -> None:
        self.name, self.folder = name, data / FOLDER / name
        self.file = self.folder / STATE

    def path(self, slot: Slot) -> Path:
        """Where a slot's bundle lies."""
        return self.folder / slot

    def stamp(self) -> tuple[int, int] | None:
        """Another one whenever the state was written; none while there is none."""
        try:
            found = os.stat(self.file)  # noqa: PTH116  (each second, for years)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def read(self) -> SlotState:
        """The state; a fresh one where nothing was ever installed.

        Raises:
            StorageError: it cannot be read, or a newer Loupe wrote it.
        """
        try:
            return SlotState.model_validate_json(self.file.read_bytes())
        except FileNotFoundError:
            return SlotState()
        except OSError as error:
            raise StorageError(f"{self.file}: cannot be read: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise StorageError(
                f"{self.file}: {field}: expected the state of slots: {first['msg']}"
            ) from error

    def update(self, change: Callable[[SlotState], SlotState]) -> SlotState:
        """Read the state, and write what `change` makes of it, while nobody else does; what it raises leaves all as it is.

        Raises:
            StorageError: the disk refused.
        """
        self.make()
        with held(self.folder / "lock", wait=True):
            before = self.read()
            after = change(before)
            if after != before:
                write_bytes(self.file, (after.model_dump_json(indent=2) + "\n").encode())
        return after

    def make(self) -> None:
        """Make the folder.

        Raises:
            StorageError: the disk refused.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.folder}: cannot be made: {error.strerror}") from error

    def clean(self) -> None:
        """Remove what installs that were killed left behind; nobody may be installing meanwhile."""
        for slot in SLOTS:
            for unfinished in self.folder.glob(f".{slot}-*"):
                shutil.rmtree(unfinished, ignore_errors=True)
        with held(self.folder / "lock", wait=True):
            remove_unfinished(self.file)

    def set_aside(self) -> Path:
        """Move a state that cannot be read out of the way, so that the line can go on; people look at it later."""
        aside = self.file.with_name(f"{STATE}.damaged-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}")
        self.file.rename(aside)
        return aside
