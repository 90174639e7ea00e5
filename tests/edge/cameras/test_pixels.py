"""Raw bytes to RGB, format by format."""

import numpy as np
import pytest

from edge.cameras.pixels import to_rgb

SIZE_WH = (8, 6)
COLOUR = (200, 100, 50)
CHANNEL = {"R": 0, "G": 1, "B": 2}


@pytest.mark.parametrize("first", ["RG", "GR", "GB", "BG"])
def test_a_mosaic_of_one_colour_is_that_colour(first: str) -> None:
    second = {"RG": "GB", "GR": "BG", "GB": "RG", "BG": "GR"}[first]
    tile = np.array([[COLOUR[CHANNEL[one]] for one in row] for row in (first, second)], np.uint8)
    mosaic = np.tile(tile, (3, 4))
    assert np.array_equal(to_rgb(mosaic.tobytes(), f"Bayer{first}8", SIZE_WH), np.full((6, 8, 3), COLOUR))


@pytest.mark.parametrize(("pixel_format", "raw"), [("RGB8", COLOUR), ("BGR8", COLOUR[::-1])])
def test_three_channels_come_as_red_green_blue(pixel_format: str, raw: tuple[int, int, int]) -> None:
    assert np.array_equal(to_rgb(bytes(raw) * 48, pixel_format, SIZE_WH), np.full((6, 8, 3), COLOUR))


def test_grey_is_three_equal_channels_in_rows() -> None:
    levels = np.arange(48, dtype=np.uint8)
    rgb = to_rgb(levels.tobytes(), "Mono8", SIZE_WH)
    assert np.array_equal(rgb, np.repeat(levels.reshape(6, 8, 1), 3, axis=2))


def test_bytes_that_are_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 144 bytes of RGB8, 8x6; found 143"):
        to_rgb(bytes(143), "RGB8", SIZE_WH)
