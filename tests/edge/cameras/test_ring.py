"""Pictures through shared memory: whole, or not at all."""

import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras.ring import RingReader, RingWriter

SLOTS = 4


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = os.memfd_create("frames")
    yield descriptor
    os.close(descriptor)


def plain(level: int, width: int = 6, height: int = 5) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((height, width, 3), level % 256, np.uint8)


@given(written=st.integers(1, 40), back=st.integers(0, 39))
def test_a_picture_is_there_until_the_ring_has_gone_round(written: int, back: int) -> None:
    memory = os.memfd_create("frames")
    ring = RingWriter(memory, SLOTS, (6, 5))
    numbers = [ring.put(plain(level)) for level in range(written)]
    reader = RingReader(memory, SLOTS, (6, 5))
    os.close(memory)
    assert numbers == list(range(written))
    wanted = max(0, written - 1 - back)
    copied = reader.copy(wanted)
    if wanted > written - 1 - SLOTS:
        assert copied is not None
        assert np.array_equal(copied, plain(wanted))
    else:
        assert copied is None


def test_a_copy_that_was_written_into_meanwhile_is_none_and_never_two_pictures(memory: int) -> None:
    wide, high = 640, 480
    ring, done = RingWriter(memory, SLOTS, (wide, high)), threading.Event()
    reader, newest, whole = RingReader(memory, SLOTS, (wide, high)), [ring.put(plain(0, wide, high))], 0

    def write() -> None:
        for level in range(1, 1500):
            newest[0] = ring.put(plain(level, wide, high))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        number = max(0, newest[0] - SLOTS + 1)  # the next to be written over
        copied = reader.copy(number)
        if copied is not None:
            assert np.unique(copied).tolist() == [number % 256]
            whole += 1
    writer.join()
    assert whole > 0


def test_a_picture_of_another_size_is_refused(memory: int) -> None:
    with pytest.raises(ValueError, match="expected pictures of 6x5, found one of 7x5"):
        RingWriter(memory, SLOTS, (6, 5)).put(plain(0, width=7))
