"""A mask is taken as it is, or refused with what is wrong with it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from tests.pictures import encoded, exif
from vision.errors import ImageError, ImageryError
from vision.image import Pixels, encode_png
from vision.imagery.cutout.mask import border_share, read_mask

W, H = 120, 90


def disc(width: int = W, height: int = H) -> Pixels:
    """A disc whose edge is soft over three pixels."""
    y, x = np.mgrid[:height, :width]
    away = np.hypot(x - width / 2, y - height / 2)
    return np.asarray(np.clip(255 * (30 - away) / 3, 0, 255), np.uint8)


@pytest.mark.parametrize(
    "data",
    [
        encode_png(disc()),
        encoded(np.dstack([disc()] * 3), "PNG"),
        encoded(np.dstack([np.zeros((H, W, 3), np.uint8), disc()]), "PNG"),
        encoded(Image.merge("LA", (Image.new("L", (W, H), 7), Image.fromarray(disc()))), "PNG"),
        encoded(np.dstack([disc(), disc(), disc(), np.full((H, W), 255, np.uint8)]), "PNG"),
    ],
    ids=["grey", "grey as RGB", "alpha", "alpha beside grey", "grey with an opaque alpha"],
)
def test_a_masks_levels_are_taken_as_they_are(data: bytes) -> None:
    assert np.array_equal(read_mask(data, (W, H)), disc())


def test_a_mask_of_one_bit_is_a_mask() -> None:
    hard = disc() >= 128

    assert np.array_equal(read_mask(encoded(Image.fromarray(hard), "PNG"), (W, H)), 255 * hard)


def test_a_mask_is_turned_upright_as_the_photo_is() -> None:
    assert np.array_equal(read_mask(encoded(disc(), "PNG", exif=exif(8)), (H, W)), np.rot90(disc()))


@pytest.mark.parametrize(
    ("alpha", "message"),
    [
        (np.zeros((H, W), np.uint8), "found 0.00% white: it is empty"),
        (np.full((H, W), 127, np.uint8), "found 0.00% white: it is empty"),
        (np.full((H, W), 255, np.uint8), "found 100.00% white: it is everything"),
        (255 - disc(), "found 100% of the border white: it looks inverted"),
    ],
    ids=["black", "darker than half", "white", "inverted"],
)
def test_a_mask_that_tells_no_product_is_refused(alpha: Pixels, message: str) -> None:
    with pytest.raises(ImageryError, match=f"mug mask: expected .*{message}"):
        read_mask(encode_png(alpha), (W, H), name="mug mask")


@pytest.mark.parametrize("size_wh", [(W + 1, H), (H, W), (2 * W, 2 * H)])
def test_a_mask_of_another_size_is_refused_with_both_sizes(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    with pytest.raises(ImageryError, match=f"expected {width}x{height} px, .*, found {W}x{H}"):
        read_mask(encode_png(disc()), size_wh)


def test_a_mask_in_colours_is_refused() -> None:
    painted = np.dstack([disc(), disc(), np.zeros((H, W), np.uint8)])

    with pytest.raises(ImageryError, match="expected grey or transparency, found colours"):
        read_mask(encoded(painted, "PNG"), (W, H))


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "BMP"])
def test_a_mask_in_another_format_is_refused(image_format: str) -> None:
    with pytest.raises(ImageryError, match=f"expected a PNG, found {image_format}"):
        read_mask(encoded(disc(), image_format), (W, H))


def test_a_mask_that_is_no_picture_is_refused() -> None:
    with pytest.raises(ImageError, match="mask: "):
        read_mask(b"not a mask", (W, H))


@settings(deadline=None)
@given(arrays(np.uint8, (70, 65)))
def test_any_plane_comes_back_as_it_was_or_is_refused(alpha: Pixels) -> None:
    try:
        read = read_mask(encode_png(alpha), (65, 70))
    except ImageryError:
        share = (alpha >= 128).mean()
        assert share < 0.001 or share > 0.99 or border_share(alpha) > 0.5
        return
    assert np.array_equal(read, alpha)


@given(st.integers(3, 40), st.integers(3, 40), st.data())
def test_the_borders_share_counts_each_outer_pixel_once(width: int, height: int, data: st.DataObject) -> None:
    alpha = data.draw(arrays(np.uint8, (height, width), elements=st.sampled_from([0, 255])))
    inner = alpha[1:-1, 1:-1]
    outer = alpha.size - inner.size

    assert border_share(alpha) == pytest.approx(((alpha == 255).sum() - (inner == 255).sum()) / outer)
