"""A product fills the frame as its marketplace asks, at its own size where that will do, and stands on the table."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vision.imagery.products import Thing, block
from vision.errors import ImageryError
from vision.imagery.brief import Layout
from vision.imagery.compose.arrange import MOST_ENLARGED, arrange
from vision.imagery.compose.place import place, product_box


@dataclass(frozen=True, slots=True)
class Numbers:
    fill_low: float
    fill_target: float
    centre: float = 0.05


FRAME = (1600, 1600)
GOOGLE = Numbers(0.75, 0.825)
WHITE = Numbers(0.85, 0.9)


def thing(width: int, height: int) -> Thing:
    """Of that size, in a photo somewhat larger."""
    return block((width + 20, height + 30), (10, 10, 10 + width, 10 + height))


@pytest.mark.parametrize(
    ("size_wh", "frame_wh", "share"),
    [
        ((1800, 1000), FRAME, 0.825),  # lying
        ((1000, 1800), FRAME, 0.825),  # standing
        ((1700, 1700), (1600, 1200), 0.705),  # square, in a wide frame: its height binds
        ((900, 1800), (1600, 1200), 0.705),  # standing, in a wide frame
    ],
)
def test_the_longest_side_fills_its_share(
    size_wh: tuple[int, int], frame_wh: tuple[int, int], share: float
) -> None:
    placed = place(thing(*size_wh), arrange(thing(*size_wh), GOOGLE, frame_wh, Layout()).placement)
    left, top, right, bottom = placed.box_xyxy
    assert max(right - left, bottom - top) / max(frame_wh) == pytest.approx(share, abs=0.001)


def test_a_product_that_fills_enough_keeps_its_size() -> None:
    arranged = arrange(thing(1250, 600), GOOGLE, FRAME, Layout())
    assert arranged.placement.scale == 1.0  # 0.78 of the frame
    assert arranged.warnings == ()


def test_a_product_is_enlarged_no_further_than_it_has_to_be() -> None:
    arranged = arrange(thing(1000, 600), GOOGLE, FRAME, Layout())
    assert arranged.placement.scale == pytest.approx(0.76 * 1.6)
    assert arranged.warnings == (
        "product: enlarged 1.22 times to 1216 px: it will look softer than its photo",
    )


def test_too_small_a_product_is_refused_with_the_photo_that_would_do() -> None:
    with pytest.raises(ImageryError) as refused:
        arrange(thing(600, 300), WHITE, FRAME, Layout(), table=False)
    assert str(refused.value) == (
        "product: expected at least 918 px on its longest side for a frame of 1600x1600, found 600 px in a photo of 620x330; "
        "a photo of 948x505 taken alike would do, or a frame of 1046x1046"
    )


@given(width=st.integers(10, 400), height=st.integers(10, 400), side=st.integers(800, 4096))
@settings(deadline=None, max_examples=50)
def test_the_photo_that_would_do_does(width: int, height: int, side: int) -> None:
    small = thing(width, height)
    with pytest.raises(ImageryError) as refused:
        arrange(small, WHITE, (side, side), Layout())
    photo, frame = (
        tuple(map(int, part.split()[0].split("x"))) for part in str(refused.value).split(" of ")[3:]
    )
    factor = photo[0] / small.alpha_hw.shape[1]
    enough = thing(int(np.ceil(width * factor)), int(np.ceil(height * factor)))
    assert arrange(enough, WHITE, (side, side), Layout()).placement.scale <= MOST_ENLARGED
    assert arrange(small, WHITE, (frame[0], frame[1]), Layout()).placement.scale <= MOST_ENLARGED


@pytest.mark.parametrize("size_wh", [(1500, 700), (700, 1500), (1501, 1499)])
def test_without_a_table_the_product_is_centred(size_wh: tuple[int, int]) -> None:
    product = thing(*size_wh)
    arranged = arrange(product, WHITE, FRAME, Layout(), table=False)
    left, top, right, bottom = place(product, arranged.placement).box_xyxy
    assert abs(left - (FRAME[0] - right)) <= 1
    assert abs(top - (FRAME[1] - bottom)) <= 1
    assert arranged.layout == Layout()


@pytest.mark.parametrize("size_wh", [(1500, 500), (500, 1500), (1400, 1400)])
def test_a_product_stands_on_a_table_that_reaches_behind_it(size_wh: tuple[int, int]) -> None:
    product = thing(*size_wh)
    arranged = arrange(product, GOOGLE, FRAME, Layout())
    left, top, right, bottom = place(product, arranged.placement).box_xyxy
    assert arranged.layout.horizon is not None
    assert 0.1 < bottom / FRAME[1] - arranged.layout.horizon < 0.3
    assert 0 < (top + bottom) / 2 / FRAME[1] - 0.5 <= GOOGLE.centre  # a little low, within the rules
    assert (left + right) / 2 == pytest.approx(FRAME[0] / 2, abs=1)


def test_the_foot_stands_in_front_of_a_horizon_that_was_asked_for() -> None:
    product = thing(1500, 400)
    low = arrange(product, GOOGLE, FRAME, Layout(horizon=0.8))
    assert low.layout.horizon == 0.8
    assert place(product, low.placement).box_xyxy[3] / FRAME[1] == pytest.approx(0.86, abs=0.001)
    high = arrange(product, GOOGLE, FRAME, Layout(horizon=0.3))
    assert high.placement == arrange(product, GOOGLE, FRAME, Layout()).placement


@given(
    size_wh=st.tuples(st.integers(900, 3000), st.integers(900, 3000)),
    frame_wh=st.tuples(st.integers(256, 1600), st.integers(256, 1600)),
    low=st.floats(0.1, 0.85),
    horizon=st.none() | st.floats(0.2, 0.9),
    table=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_the_whole_product_is_in_the_frame(
    size_wh: tuple[int, int], frame_wh: tuple[int, int], low: float, horizon: float | None, table: bool
) -> None:
    product = thing(*size_wh)
    numbers = Numbers(low, min(0.95, low + 0.05))
    arranged = arrange(product, numbers, frame_wh, Layout(horizon=horizon), table=table)
    placed = place(product, arranged.placement)
    left, top, right, bottom = placed.box_xyxy
    assert left > 0
    assert top > 0
    assert right < frame_wh[0]
    assert bottom < frame_wh[1]
    assert product_box(placed.alpha_hw) == placed.box_xyxy
