"""White is pure beyond the product's halo and along the frame; within the halo, encoding may ring."""

import numpy as np
import pytest

from tests.vision.imagery.compliance.shots import Shot, placed
from vision.image import Pixels, decode
from vision.imagery.compliance.product import Product, from_alpha
from vision.imagery.compliance.rules import White
from vision.imagery.compliance.white import whiteness

RULE = White(halo_px=16, halo_level=200)


def shot_on_white() -> tuple[Shot, Product]:
    shot = placed(np.random.default_rng(5), size=640, fill=0.8)
    product = from_alpha(shot.alpha_hw)
    assert isinstance(product, Product)
    return shot, product


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [85, 95])
def test_a_jpeg_of_a_product_on_pure_white_is_white(quality: int, subsampling: str) -> None:
    shot, product = shot_on_white()
    data = Shot(
        image_hwc=shot.image_hwc,
        alpha_hw=shot.alpha_hw,
        options={"quality": quality, "subsampling": subsampling},
    ).encoded()
    image_hwc = decode(data).image_hwc
    assert (image_hwc[~product.mask_hw] < 255).any(), "encoding rings, or this proves nothing"
    assert whiteness(image_hwc, product, RULE)


def stain(image_hwc: Pixels, x: int, y: int, level: int) -> Pixels:
    stained = image_hwc.copy()
    stained[y, x] = level
    return stained


def test_one_pixel_a_level_off_is_found_beyond_the_halo_and_on_the_border() -> None:
    shot, product = shot_on_white()
    beyond = whiteness(stain(shot.image_hwc, 30, 30, 254), product, RULE)
    assert (beyond.beyond, beyond.border, beyond.halo, beyond.darkest) == (1, 0, 0, 254)
    border = whiteness(stain(shot.image_hwc, 0, 320, 254), product, RULE)
    assert border.border == 1
    assert not border


def test_within_the_halo_only_what_is_darker_than_ringing_is_found() -> None:
    image = np.full((100, 100, 3), 255, np.uint8)
    alpha = np.zeros((100, 100), np.uint8)
    image[30:70, 30:70], alpha[30:70, 30:70] = 50, 255
    product = from_alpha(alpha)
    assert isinstance(product, Product)
    assert whiteness(stain(image, 80, 50, 201), product, RULE)
    assert whiteness(stain(image, 80, 50, 199), product, RULE).halo == 1
    assert whiteness(stain(image, 87, 50, 201), product, RULE).beyond == 1


def test_without_a_product_the_border_alone_is_held_against_white() -> None:
    image = np.full((60, 60, 3), 255, np.uint8)
    image[20:40, 20:40] = 0
    assert whiteness(image, None, RULE)
    assert whiteness(stain(image, 0, 0, 250), None, RULE).value() == {
        "beyond": 0,
        "border": 1,
        "halo": 0,
        "darkest": 250,
    }
