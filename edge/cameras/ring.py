"""The memory that a camera's child process and its parent share: a ring of slots, one picture each.

The child writes and says so; the parent copies. A slot is written again after as many pictures as there are slots; a header names the
picture that is being written, so a copy that the child wrote into meanwhile is known, and is never taken for a picture.
"""

import mmap
import os
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Pixels: TypeAlias = npt.NDArray[np.uint8]

_HEADER: Final = 64  # bytes before the first slot; an int64 in it: the last picture whose writing began


class RingWriter:
    """The child's side: pictures of one size, numbered from 0.

    Args:
        memory: a file descriptor of shared memory, which is given its size here.
        size_wh: of every picture.
    """

    def __init__(self, memory: int, slots: int, size_wh: tuple[int, int]) -> None:
        self._shape = (size_wh[1], size_wh[0], 3)
        length = _HEADER + slots * size_wh[0] * size_wh[1] * 3
        os.ftruncate(memory, length)
        mapped = mmap.mmap(memory, length)
        self._begun, self._slots = _arrays(mapped, slots, self._shape)
        self._next = 0

    def put(self, pixels_hwc: Pixels) -> int:
        """Write a picture, uint8 RGB, and give its number.

        Raises:
            ValueError: it has another size than the others.
        """
        if pixels_hwc.shape != self._shape:
            height, width, _ = self._shape
            found = "x".join(str(side) for side in reversed(pixels_hwc.shape[:2]))
            raise ValueError(f"expected pictures of {width}x{height}, found one of {found}")
        number, self._next = self._next, self._next + 1
        self._begun[0] = number
        self._slots[number % len(self._slots)] = pixels_hwc
        return number


class RingReader:
    """The parent's side; it outlives the child."""

    def __init__(self, memory: int, slots: int, size_wh: tuple[int, int]) -> None:
        mapped = mmap.mmap(memory, 0, prot=mmap.PROT_READ)
        self._begun, self._slots = _arrays(mapped, slots, (size_wh[1], size_wh[0], 3))

    def copy(self, number: int) -> Pixels | None:
        """A picture; none where the child has begun to write a later one over it."""
        pixels = self._slots[number % len(self._slots)].copy()
        return pixels if self._begun[0] < number + len(self._slots) else None


def _arrays(
    mapped: mmap.mmap, slots: int, shape: tuple[int, int, int]
) -> tuple[npt.NDArray[np.int64], Pixels]:
    begun = np.frombuffer(mapped, np.int64, 1)
    return begun, np.frombuffer(mapped, np.uint8, offset=_HEADER).reshape(slots, *shape)
