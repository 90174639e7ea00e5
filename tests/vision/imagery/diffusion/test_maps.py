import numpy as np
import pytest

from vision.imagery.brief import Layout, Light
from vision.imagery.diffusion.maps import control_map
from vision.imagery.diffusion.settings import Control
from vision.imagery.scenes.scene import Kept

LEFT = Layout(horizon=0.5, light=Light.LEFT)


@pytest.fixture
def kept() -> Kept:
    mask = np.zeros((200, 200), np.bool_)
    mask[80:140, 60:140] = True
    return Kept(image_hwc=np.full((200, 200, 3), 200, np.uint8), mask_hw=mask)


def test_edges_are_drawn_at_the_horizon_and_round_the_product(kept: Kept) -> None:
    alone = control_map(Control.CANNY, LEFT, None, (64, 64))
    with_product = control_map(Control.CANNY, LEFT, kept, (64, 64))

    rows = np.flatnonzero(alone[:, 5, 0])
    assert set(np.unique(alone)) == {0, 255}
    assert np.abs(rows - 32).max() <= 1
    assert with_product[30:40, 15:25].any()  # the product's left side
    assert not with_product[34:42, 26:38].any()  # nothing inside it


def test_depth_comes_nearer_from_the_horizon_down_and_the_product_stands_where_it_touches(kept: Kept) -> None:
    depth = control_map(Control.DEPTH, LEFT, kept, (100, 100))[..., 0].astype(np.int64)

    assert (depth[:40] == 40).all()
    assert (np.diff(depth[50:, 5]) >= 0).all()
    assert depth[-1, 5] == 255
    assert (depth[41:69, 31:69] == depth[69, 5]).all()


@pytest.mark.parametrize(("light", "sides"), [("left", (255, 0)), ("right", (0, 255)), ("above", (128, 128))])
def test_a_layout_map_has_table_light_and_product_in_its_channels(
    kept: Kept, light: str, sides: tuple[int, int]
) -> None:
    made = control_map(Control.LAYOUT, Layout(horizon=0.25, light=Light(light)), kept, (40, 40))

    assert (made[:10, :, 0] == 0).all()
    assert (made[10:, :, 0] == 255).all()
    assert (made[0, 0, 1], made[0, -1, 1]) == sides
    assert made[20, 20, 2] == 255
    assert made[0, 0, 2] == 0
