"""What a program runs with is not looked through again."""

import subprocess
import sys
from typing import Final

_PROGRAM: Final = """
import gc
from vision.heap import settle_heap

there = [[] for _ in range(1000)]
settle_heap()
later = [[] for _ in range(10)]
watched = {id(one) for one in gc.get_objects()}
print(sum(id(one) in watched for one in there), sum(id(one) in watched for one in later))
"""


def test_what_is_there_is_left_alone_and_what_comes_later_is_not() -> None:
    # a process of its own: here it would collect, and warn of, what other tests have left
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["0", "10"]
