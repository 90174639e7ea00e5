"""A shadow lies on the table, away from the light, darkest where the product stands."""

import numpy as np
import pytest

from tests.vision.imagery.products import blob, block
from vision.image import Pixels
from vision.imagery.brief import Layout, Light
from vision.imagery.compose.place import Placed, place
from vision.imagery.compose.shadow import shaded, shadow
from vision.imagery.placement import Placement

FRAME = (400, 400)
BOTTLE = place(
    block((200, 300), (50, 20, 130, 260)), Placement(frame_wh=FRAME, scale=1.0, centre_xy=(200, 220))
)  # from 160 to 240, and down to 340
HORIZON = 0.65


def lying(light: Light | None, placed: Placed = BOTTLE) -> Pixels:
    return shadow(placed, Layout(horizon=HORIZON, light=light))


def test_without_a_table_there_is_none() -> None:
    assert not shadow(BOTTLE, Layout(light=Light.LEFT)).any()


def test_it_falls_away_from_the_light() -> None:
    for light, away, towards in (
        (Light.LEFT, np.s_[280:345, 245:], np.s_[280:345, :155]),
        (Light.RIGHT, np.s_[280:345, :155], np.s_[280:345, 245:]),
    ):
        missing = lying(light)
        assert missing[away].astype(int).sum() > 8 * missing[towards].astype(int).sum()


def test_from_above_it_falls_to_neither_side() -> None:
    missing = lying(Light.ABOVE).astype(int)
    assert np.abs(missing - missing[:, ::-1]).max() <= 2
    assert np.array_equal(missing, lying(None))


def test_mirrored_light_mirrors_it() -> None:
    left, right = lying(Light.LEFT).astype(int), lying(Light.RIGHT).astype(int)
    assert np.abs(left - right[:, ::-1]).max() <= 3


def test_it_is_darkest_where_the_product_stands() -> None:
    missing = lying(Light.LEFT)
    y, _ = np.unravel_index(int(missing.argmax()), missing.shape)
    assert 330 <= y <= 345
    assert 100 < missing.max() < 200


def test_it_ends_at_the_tables_far_edge_and_before_the_front_one() -> None:
    missing = lying(Light.LEFT)
    assert not missing[: round(HORIZON * 400)].any()
    assert not missing[360:].any()


def test_it_has_no_hard_edge() -> None:
    missing = lying(Light.LEFT).astype(int)
    away = missing[:, 245:]
    assert np.abs(np.diff(away, axis=1)).max() < 16


@pytest.mark.parametrize("factor", [2, 5])
def test_a_larger_frame_has_the_same_one(factor: int) -> None:
    large = Placed(
        image_hwc=np.repeat(np.repeat(BOTTLE.image_hwc, factor, 0), factor, 1),
        alpha_hw=np.repeat(np.repeat(BOTTLE.alpha_hw, factor, 0), factor, 1),
    )
    small, grown = lying(Light.LEFT).astype(int), lying(Light.LEFT, large)[::factor, ::factor].astype(int)
    assert np.abs(small - grown).mean() < 2


def test_a_product_at_the_very_edge_of_the_frame_casts_one_too() -> None:
    placed = place(blob((120, 90), 3), Placement(frame_wh=FRAME, scale=1.0, centre_xy=(395, 395)))
    assert shadow(placed, Layout(horizon=0.2, light=Light.LEFT)).shape == (400, 400)


def test_shading_takes_light_and_adds_none() -> None:
    scene = np.full((400, 400, 3), 200, np.uint8)
    missing = lying(Light.LEFT)
    dark = shaded(scene, missing)
    assert np.array_equal(dark[missing == 0], scene[missing == 0])
    assert np.all(dark <= scene)
    deepest = missing == missing.max()
    assert dark[deepest][0, 0] == round(200 * (255 - int(missing.max())) / 255)
