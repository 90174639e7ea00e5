"""Pictures that say which they are and when they were taken."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.rig.marks import Mark, drawn, read


@given(st.integers(0, 65535), st.floats(0, 1e7), st.floats(-3600, 3600))
def test_what_was_drawn_is_read(number: int, taken_s: float, away_s: float) -> None:
    picture = np.repeat(drawn(Mark(number=number, taken_s=taken_s))[..., None], 3, axis=2)
    said = read(picture, near_s=taken_s + away_s)
    assert said.number == number
    assert said.taken_s == pytest.approx(taken_s, abs=0.0015)


def test_half_of_one_and_half_of_another_is_no_picture() -> None:
    one, other = (drawn(Mark(number=number, taken_s=0.0)) for number in (0, 65535))
    mixed = np.concatenate([one[:110], other[110:]])
    with pytest.raises(ValueError, match="found grey ones"):
        read(np.repeat(mixed[..., None], 3, axis=2), near_s=0.0)
