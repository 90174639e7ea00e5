"""A program that changes an index and says what was acknowledged, to be killed at any moment.

    python -m tests.e2e.index_victim FOLDER SEED

prints a line for each change before it is asked for and one when it is made, and one for each checkpoint begun and ended.
"""

import sys
import threading
from pathlib import Path
from random import Random

from tests.vision.catalog.search.items import GRAPHED, item, opened

NUMBERS = 60


def main() -> None:
    """Put, replace and remove until killed, with checkpoints beside it."""
    chance, turn = Random(int(sys.argv[2])), 0  # noqa: S311  (no secret)
    with opened(Path(sys.argv[1]), GRAPHED) as index:

        def checkpoints() -> None:
            while True:
                say("checkpoint")
                index.checkpoint()
                say("checkpointed")

        threading.Thread(target=checkpoints, daemon=True).start()
        while True:
            turn += 1
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
