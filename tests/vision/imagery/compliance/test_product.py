"""The product in a picture: told from a plain background to a few pixels, or said not to be told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pictures import rough
from tests.vision.imagery.compliance.shots import placed, scene
from vision.image import decode
from vision.imagery.compliance.product import Product, background, estimate, from_alpha, within


def found(image_hwc: np.ndarray) -> Product:
    product = estimate(image_hwc, background(image_hwc))
    assert isinstance(product, Product), product
    return product


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), fill=st.floats(0.3, 0.9), encoded=st.booleans())
def test_a_product_on_white_is_found_to_a_few_pixels(seed: int, fill: float, encoded: bool) -> None:
    shot = placed(np.random.default_rng(seed), size=640, fill=fill)
    image_hwc = decode(shot.encoded()).image_hwc if encoded else shot.image_hwc
    expected = from_alpha(shot.alpha_hw)
    assert isinstance(expected, Product)
    away = np.abs(np.subtract(found(image_hwc).box_xyxy, expected.box_xyxy)).max()
    assert away <= 3


def test_specks_belong_to_the_background_and_halves_of_a_pair_to_the_product() -> None:
    image = np.full((400, 400, 3), 250, np.uint8)
    image[100:300, 50:180] = 60
    image[100:300, 220:350] = 60
    image[20:24, 380:384] = 0
    assert found(image).box_xyxy == (50, 100, 350, 300)
    assert not found(image).mask_hw[20:24, 380:384].any()


def test_what_a_product_encloses_counts_as_product() -> None:
    image = np.full((300, 300, 3), 255, np.uint8)
    image[50:250, 50:250] = 30
    image[100:200, 100:200] = 255
    assert found(image).mask_hw[150, 150]


def test_a_product_that_reaches_the_border_is_found_and_touches_it() -> None:
    image = np.full((300, 300, 3), 255, np.uint8)
    image[100:, 80:200] = 40
    product = found(image)
    assert product.box_xyxy == (80, 100, 200, 300)
    assert product.touches((300, 300)) == ("bottom",)


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (rough(300, 300), "the background is not plain"),
        (np.full((300, 300, 3), 255, np.uint8), "nothing stands out"),
        (scene(np.random.default_rng(0), 300), "the background is not plain|nothing"),
    ],
    ids=["noise", "blank", "scene"],
)
def test_where_no_product_can_be_told_the_reason_is_given(image: np.ndarray, why: str) -> None:
    product = estimate(image, background(image))
    assert isinstance(product, str)
    assert any(part in product for part in why.split("|"))


def test_an_empty_mask_is_no_product() -> None:
    assert from_alpha(np.zeros((20, 20), np.uint8)) == "the mask handed in shows no product"


def test_a_product_of_a_part_is_moved_into_the_whole() -> None:
    alpha = np.zeros((10, 20), np.uint8)
    alpha[2:5, 3:9] = 255
    product = from_alpha(alpha)
    assert isinstance(product, Product)
    moved = within(product, (40, 30), left=7, top=11)
    assert moved.box_xyxy == (10, 13, 16, 16)
    assert moved.mask_hw.shape == (30, 40)
    assert moved.mask_hw.sum() == 18
