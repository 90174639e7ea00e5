"""Frame ids of 16 bits that leave out 0, and longer ones."""

from hypothesis import given
from hypothesis import strategies as st

from edge.cameras.blocks import steps

LAST = 65535
short = st.integers(1, LAST)


def later(block: int, ahead: int) -> int:
    """As a camera of the older protocol counts."""
    return (block - 1 + ahead) % LAST + 1


@given(short, st.integers(-LAST // 2 + 1, LAST // 2))
def test_short_ids_are_told_apart_for_half_a_round(block: int, ahead: int) -> None:
    assert steps(block, later(block, ahead)) == ahead


@given(st.integers(LAST + 1, 2**63), st.integers(-1000, 2**40))
def test_long_ids_do_not_begin_anew(block: int, ahead: int) -> None:
    assert steps(block, block + ahead) == ahead


def test_a_camera_that_counts_0_goes_on_from_it() -> None:
    assert [steps(65534, 65535), steps(65535, 0), steps(0, 1)] == [1, 1, 1]
