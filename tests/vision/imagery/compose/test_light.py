"""The scene's light comes towards the product's; the product's own is never touched."""

import numpy as np
import pytest

from tests.vision.imagery.products import noise
from vision.imagery.compose.light import exposed, exposure
from vision.imagery.compose.place import Placed


def lit(product: int) -> Placed:
    """A grey square product in the middle."""
    image, alpha = np.full((90, 90, 3), 128, np.uint8), np.zeros((90, 90), np.uint8)
    image[30:60, 30:60], alpha[30:60, 30:60] = product, 255
    return Placed(image_hwc=image, alpha_hw=alpha)


def grey(level: int) -> np.ndarray:
    return np.full((90, 90, 3), level, np.uint8)


def test_a_scene_dimmer_than_the_product_is_brightened_half_of_the_way() -> None:
    exponent = exposure(grey(180), lit(210))
    assert exposed(grey(180), exponent)[0, 0, 0] == pytest.approx(195, abs=1)


def test_a_dark_scene_stays_a_dark_scene() -> None:
    exponent = exposure(grey(40), lit(250))
    assert exponent == 0.75
    assert exposed(grey(40), exponent)[0, 0, 0] == 64


@pytest.mark.parametrize(("scene", "product"), [(200, 60), (200, 200), (255, 255), (0, 255)])
def test_a_scene_is_never_darkened_and_nothing_is_made_of_black(scene: int, product: int) -> None:
    assert exposure(grey(scene), lit(product)) == 1.0


def test_the_curve_keeps_black_white_and_the_order_of_levels() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    curve = exposed(ramp, 0.8)[0, :, 0].astype(int)
    assert (curve[0], curve[255]) == (0, 255)
    assert np.all(np.diff(curve) >= 0)
    assert np.all(curve >= np.arange(256))


def test_a_frame_full_of_product_has_no_scene_to_measure() -> None:
    full = Placed(image_hwc=noise(20, 20), alpha_hw=np.full((20, 20), 255, np.uint8))
    assert exposure(noise(20, 20, 1), full) == 1.0


def test_without_product_there_is_nothing_to_match() -> None:
    none = Placed(image_hwc=noise(20, 20), alpha_hw=np.zeros((20, 20), np.uint8))
    assert exposure(grey(100)[:20, :20], none) == 1.0
