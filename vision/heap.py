"""Python's own pauses: looking for cycles in the whole heap stops every thread.

A server's objects take 0.1 s to look through (`docs/log.md`), while parts wait to be judged.
"""

import gc


def settle_heap() -> None:
    """Leave what is there now out of every later search for cycles: for a program that has loaded all it runs with.

    What of it is dropped later, such as a model that another one replaces, is freed as ever unless it stands in a cycle.
    """
    gc.collect()
    gc.freeze()
