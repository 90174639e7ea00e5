"""An index killed with -9 at any moment, again and again: what was acknowledged is there once, as it was put last."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from tests.vision.catalog.search.items import GRAPHED, ids, item, opened
from vision.catalog.search.compact import compact, unit
from vision.catalog.search.index import ItemIndex

pytestmark = pytest.mark.slow

KILLS = 25


@dataclass
class Promised:
    """By each item's number, the seed of its vectors; nothing where it was removed. What was asked for last may be there or not."""

    made: dict[int, int | None] = field(default_factory=dict)
    asked: dict[int, int | None] = field(default_factory=dict)

    def hear(self, line: str) -> None:
        match line.split():
            case ["asked", *change]:
                self.asked = dict(changed(change))
            case ["made", *change]:
                self.made |= dict(changed(change))
                self.asked = {}
            case _:
                pass

    def settle(self, index: ItemIndex) -> None:
        """After a start: the change under way was made, all of it or nothing."""
        if self.asked and all(is_there(index, number, seed) for number, seed in self.asked.items()):
            self.made |= self.asked
        self.asked = {}


def changed(change: list[str]) -> Iterator[tuple[int, int | None]]:
    match change:
        case ["remove", number]:
            yield int(number), None
        case ["put", seed, *numbers]:
            for number in numbers:
                yield int(number), int(seed)
        case _:
            raise ValueError(change)


def is_there(index: ItemIndex, number: int, seed: int | None) -> bool:
    found = index.get(f"item-{number}")
    if seed is None or found is None:
        return found is None and seed is None
    return bool((found.vectors == unit(compact(item(number, seed=seed).vectors))).all())


def kill_once(folder: Path, seed: int, promised: Promised) -> str:
    """Let it live for a moment; the last that it said of a checkpoint."""
    chance, checkpoint = Random(seed), ""  # noqa: S311  (no secret)
    command = [sys.executable, "-m", "tests.e2e.index_victim", str(folder), str(seed)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as victim:
        assert victim.stdout is not None
        for _ in range(chance.randint(1, 60)):
            line = victim.stdout.readline()
            promised.hear(line)
            checkpoint = line.strip() if line.startswith("checkpoint") else checkpoint
        time.sleep(chance.uniform(0, 0.03))
        victim.kill()
        for line in victim.stdout:
            promised.hear(line)
            checkpoint = line.strip() if line.startswith("checkpoint") else checkpoint
    return checkpoint


def test_whenever_it_is_killed_every_acknowledged_item_is_there_once(tmp_path: Path) -> None:
    promised, moments = Promised(), Counter[str]()
    for seed in range(1, KILLS + 1):
        moments[kill_once(tmp_path, seed, promised)] += 1
        with opened(tmp_path, GRAPHED) as index:
            promised.settle(index)
            wrong = [number for number, known in promised.made.items() if not is_there(index, number, known)]
            assert wrong == [], f"after kill {seed}"
            there = {f"item-{number}" for number, known in promised.made.items() if known is not None}
            assert len(index) == len(there)
            found = ids(index.search(item(0).vectors[0], 1000, exact=True))
            assert Counter(found) == Counter(there)
    assert len(promised.made) > 40
    assert moments["checkpoint"] > 0, "some kills came while a checkpoint was being written"
