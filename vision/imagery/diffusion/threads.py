"""How many threads torch computes on: a setting of the whole process, borrowed and given back."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def computing_on(threads: int) -> Iterator[None]:
    """Compute on so many threads within the block; another number gives other pixels, and trains to other weights."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
