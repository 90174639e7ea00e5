import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.tiles import Tiles
from vision.errors import ImageError
from vision.image import Frame


def numbered(width: int, height: int) -> Frame:
    """Every pixel tells where it lies."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([x % 256, y % 256, x // 256 + 16 * (y // 256)], axis=-1).astype(np.uint8)
    return Frame(image_hwc=image, size_wh=(width, height))


@given(
    st.integers(150, 700),
    st.integers(150, 700),
    st.builds(Tiles, columns=st.integers(1, 6), rows=st.integers(1, 6), overlap=st.floats(0, 0.5)),
)
def test_tiles_are_of_one_size_and_cover_the_picture(width: int, height: int, tiles: Tiles) -> None:
    frame = numbered(width, height)
    covered = np.zeros((height, width), bool)
    sizes = set()
    for tile in tiles.cut(frame):
        x, y = (int(value) for value in tile.name.rpartition(" ")[2].split(","))
        tile_w, tile_h = tile.size_wh
        assert np.array_equal(tile.image_hwc, frame.image_hwc[y : y + tile_h, x : x + tile_w])
        covered[y : y + tile_h, x : x + tile_w] = True
        sizes.add(tile.size_wh)
    assert covered.all()
    assert len(sizes) == 1


def test_neighbours_have_the_overlap_in_common() -> None:
    first, second = Tiles(columns=2, rows=1, overlap=0.2).cut(numbered(180, 100))
    assert first.size_wh == second.size_wh == (100, 100)
    assert second.name == "image, tile at 80,0"


def test_one_tile_is_the_picture() -> None:
    (whole,) = Tiles(columns=1, rows=1).cut(numbered(60, 40))
    assert np.array_equal(whole.image_hwc, numbered(60, 40).image_hwc)


def test_a_picture_too_small_for_its_tiles_is_refused() -> None:
    with pytest.raises(ImageError, match=r"16x16 tiles are 8 px a side at least, found one of 60x40"):
        list(Tiles(columns=16, rows=16).cut(numbered(60, 40)))
