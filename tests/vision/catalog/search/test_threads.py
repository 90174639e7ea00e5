"""Searching goes on while others change the index and checkpoints are made; an item that is there all the time is always found."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.vision.catalog.search.items import EXACT, GRAPHED, ids, item, items, opened, vectors
from vision.catalog.search.index import ItemIndex, Options
from vision.catalog.search.values import Item

STAYING = 40


def replace(index: ItemIndex, turn: int) -> None:
    """Put items again with the vectors they have, and others that come and go."""
    index.put(item(turn % STAYING))
    index.apply([item(1000 + turn), item(2000 + turn)])
    index.remove(f"item-{2000 + turn}")


def look(index: ItemIndex, turn: int) -> None:
    number = 7 * turn % STAYING
    found = index.search(item(number).vectors[0], 5)
    assert found[0].item_id == f"item-{number}", "an item that was only put again was away for a moment"
    assert len(set(ids(found))) == len(found)
    assert f"item-{number}" in index
    assert index.get(f"item-{number}") is not None


def checkpoint(index: ItemIndex, turn: int) -> None:
    index.checkpoint()


@pytest.mark.parametrize("options", [EXACT, GRAPHED], ids=["exact", "graph"])
def test_nobody_who_looks_misses_an_item_that_is_put_again_meanwhile(
    tmp_path: Path, options: Options
) -> None:
    ended = threading.Event()

    def until_ended(work: Callable[[ItemIndex, int], None]) -> int:
        turn = 0
        while not ended.is_set():
            work(index, turn)
            turn += 1
        return turn

    with opened(tmp_path, options) as index, ThreadPoolExecutor() as threads:
        index.apply(items(STAYING))
        work = [threads.submit(until_ended, one) for one in (look, look, checkpoint)]
        try:
            for turn in range(150):
                replace(index, turn)
        finally:
            ended.set()
        assert all(one.result() > 3 for one in work)
        assert len(index) == STAYING + 150
    with opened(tmp_path, options) as index:
        assert len(index) == STAYING + 150


def test_writers_of_several_threads_lose_nothing(tmp_path: Path) -> None:
    def put(number: int) -> None:
        index.put(Item(item_id=str(number), vectors=vectors(1, number)))

    with opened(tmp_path) as index, ThreadPoolExecutor(4) as threads:
        list(threads.map(put, range(300)))
        assert len(index) == 300
    with opened(tmp_path) as index:
        assert all(str(number) in index for number in range(300))
