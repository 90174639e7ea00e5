"""A program that changes an index and says what was acknowledged, to be killed at any moment.

    python -m tests.e2e.index_victim FOLDER SEED [CHANGES]

prints a line for each change before it is asked for and one when it is made, and one for each checkpoint begun and ended. After so many
changes it ends; then it makes no checkpoints.
"""

import itertools
import sys
import threading
from pathlib import Path
from random import Random

from tests.vision.catalog.search.items import GRAPHED, item, opened

NUMBERS = 60


def main() -> None:
    """Put, replace and remove until killed, with checkpoints beside it."""
    chance = Random(int(sys.argv[2]))  # noqa: S311  (no secret)
    turns = range(int(sys.argv[3])) if len(sys.argv) > 3 else itertools.count()
    with opened(Path(sys.argv[1]), GRAPHED) as index:

        def checkpoints() -> None:
            while True:
                say("checkpoint")
                index.checkpoint()
                say("checkpointed")

        if len(sys.argv) == 3:
            threading.Thread(target=checkpoints, daemon=True).start()
        for turn in turns:
            some = chance.sample(range(NUMBERS), 3)
            if chance.random() < 0.3:
                say(f"asked remove {some[0]}")
                index.remove(f"item-{some[0]}")
                say(f"made remove {some[0]}")
            else:
                seed = int(sys.argv[2]) * 10_000 + turn
                names = " ".join(map(str, some))
                say(f"asked put {seed} {names}")
                index.apply([item(number, seed=seed) for number in some])
                say(f"made put {seed} {names}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()  # what stays in a buffer dies with its process


if __name__ == "__main__":
    main()
