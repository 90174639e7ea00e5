"""Lines between a camera's process and its parent."""

import os

import pytest

from edge.cameras.telling import Told


def test_lines_come_one_by_one_however_they_were_written() -> None:
    source, sink = os.pipe()
    told = Told(source)
    assert told.next(0) is None
    os.write(sink, b'{"a": 1}\n{"b"')
    assert told.next(1) == {"a": 1}
    assert told.next(0) is None
    os.write(sink, b": 2}\n")
    assert told.next(1) == {"b": 2}
    os.close(sink)
    with pytest.raises(EOFError, match="the parent is gone"):
        told.next(1)
    os.close(source)
