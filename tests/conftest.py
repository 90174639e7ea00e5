"""What holds for all tests."""

import pytest

from vision.heap import settle_heap


@pytest.fixture(autouse=True, scope="module")
def settled_heap() -> None:
    """The programs under test do the same; what thousands of tests have left takes a second to look through, in the middle of a later one."""
    settle_heap()
