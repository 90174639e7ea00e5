"""Imagery's part of a server takes nothing from the line's."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from server.atelier import open_atelier
from server.batching import Lane
from server.config import Imagery
from server.storage.database import open_database
from vision.image import ImageLimits

pytestmark = pytest.mark.asyncio


async def test_pictures_are_checked_one_at_a_time_in_a_thread_of_their_own(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}")
    atelier = open_atelier(Imagery(images=str(tmp_path / "images")), database, ImageLimits())
    checking, deadline = atelier.services.checking, time.monotonic() + 60
    let_go, inside, most = threading.Event(), 0, 0

    def check() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        let_go.wait(30)
        inside -= 1

    both = [asyncio.ensure_future(checking.run(check, deadline=deadline, lane=Lane.BULK)) for _ in range(2)]
    await asyncio.sleep(0.2)
    let_go.set()
    await asyncio.gather(*both)
    atelier.close()
    database.close()

    assert most == 1
