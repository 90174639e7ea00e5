"""The explicit label: large enough, readable on any ground, beside the product, and found again."""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pictures import rough, smooth
from vision.image import Pixels, decode, encode_jpeg
from vision.imagery.compliance import text
from vision.imagery.labels.corner import MIN_HEIGHT, Label, Language, Place, draw, find
from vision.imagery.labels.glyphs import GLYPHS, HEIGHT

WORDINGS = [(Language.CHINESE,), (Language.ENGLISH,), (Language.CHINESE, Language.ENGLISH)]


def nowhere(image_hwc: Pixels) -> npt.NDArray[np.bool_]:
    return np.zeros(image_hwc.shape[:2], np.bool_)


def plain(level: int, width: int = 640, height: int = 640) -> Pixels:
    return np.full((height, width, 3), level, np.uint8)


def ink_rows(drawn: Pixels, label: Label) -> int:
    """Rows of the plate that hold letters."""
    x0, y0, x1, y1 = label.box_xyxy
    return int((drawn[y0:y1, x0:x1].min(axis=2) > 170).any(axis=1).sum())


@pytest.mark.parametrize("size_wh", [(256, 256), (1600, 1600), (1000, 1500), (4096, 2048)])
def test_letters_are_at_least_five_percent_of_the_shorter_side(size_wh: tuple[int, int]) -> None:
    drawn, label = draw(plain(0, *size_wh), (Language.CHINESE,), nowhere(plain(0, *size_wh)))
    assert label.letters_px >= MIN_HEIGHT * min(size_wh)
    assert ink_rows(drawn, label) >= MIN_HEIGHT * min(size_wh)


def luminance(level: float) -> float:
    """Relative, of a grey (WCAG 2.2)."""
    share = level / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


@pytest.mark.parametrize("level", [0, 64, 128, 200, 255])
def test_letters_stand_out_from_the_plate_on_any_ground(level: int) -> None:
    drawn, label = draw(plain(level), (Language.ENGLISH,), nowhere(plain(level)))
    x0, y0, x1, y1 = label.box_xyxy
    letters, plate = int(drawn[y0:y1, x0:x1].max()), int(drawn[(y0 + y1) // 2, x0 + 2, 0])
    assert (luminance(letters) + 0.05) / (luminance(plate) + 0.05) >= 4.5


@cache
def stands(languages: tuple[Language, ...]) -> dict[Place, npt.NDArray[np.bool_]]:
    """Where the label stands at each place, learned by blocking the places that are preferred to it."""
    blocked, found = nowhere(plain(255)), {}
    for _ in Place:
        _, label = draw(plain(255), languages, blocked)
        x0, y0, x1, y1 = label.box_xyxy
        found[label.place] = nowhere(plain(255))
        found[label.place][y0:y1, x0:x1] = True
        # where no other place is that is not found yet
        x = x1 - 1 if "right" in label.place else x0 if "left" in label.place else (x0 + x1) // 2
        blocked[(y0 + y1) // 2, x] = True
    return found


@pytest.mark.parametrize("languages", WORDINGS)
def test_every_place_is_taken_in_the_order_of_preference(languages: tuple[Language, ...]) -> None:
    assert list(stands(languages)) == list(Place)


@settings(deadline=None)
@given(st.integers(0, 639), st.integers(0, 639), st.integers(20, 400), st.sampled_from(WORDINGS))
def test_the_label_covers_the_product_only_where_no_place_is_free(
    x: int, y: int, radius: int, languages: tuple[Language, ...]
) -> None:
    rows, columns = np.mgrid[:640, :640]
    product = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    _, label = draw(plain(255), languages, product)
    covered = {place: int((product & there).sum()) for place, there in stands(languages).items()}
    assert label.covered_px == covered[label.place] == min(covered.values())
    free = [place for place, pixels in covered.items() if pixels == 0]
    assert not free or label.place == free[0]


def test_a_product_that_fills_the_picture_is_covered_as_little_as_can_be_and_it_is_said() -> None:
    product = ~nowhere(plain(255))
    product[:120, :400] = False
    _, label = draw(plain(255), (Language.CHINESE,), product)
    assert (label.place, label.covered_px) == (Place.LEFT_TOP, 0)
    _, label = draw(plain(255), (Language.CHINESE,), ~nowhere(plain(255)))
    x0, y0, x1, y1 = label.box_xyxy
    assert label.covered_px == (x1 - x0) * (y1 - y0)


def test_nothing_changes_beyond_the_plate_and_the_input_stays_as_it_was() -> None:
    image = rough(400, 300)
    before = image.copy()
    drawn, label = draw(image, (Language.CHINESE, Language.ENGLISH), nowhere(image))
    np.testing.assert_array_equal(image, before)
    x0, y0, x1, y1 = label.box_xyxy
    drawn[y0:y1, x0:x1] = image[y0:y1, x0:x1]
    np.testing.assert_array_equal(drawn, image)


@pytest.mark.parametrize("languages", WORDINGS)
@pytest.mark.parametrize(
    "picture",
    [plain(255), plain(0), rough(700, 500), smooth(500, 900)],
    ids=["white", "black", "rough", "smooth"],
)
def test_a_label_is_found_again(picture: Pixels, languages: tuple[Language, ...]) -> None:
    drawn, label = draw(picture, languages, nowhere(picture))
    found = find(drawn)
    assert found is not None
    assert (found.languages, found.place) == (languages, label.place)
    np.testing.assert_allclose(found.box_xyxy, label.box_xyxy, atol=4)


@pytest.mark.parametrize("languages", WORDINGS)
@pytest.mark.parametrize("share", [0.4, 0.77, 1.6])
def test_a_label_is_found_again_after_scaling_and_compression(
    share: float, languages: tuple[Language, ...]
) -> None:
    picture = smooth(1200, 900)
    drawn, _ = draw(picture, languages, nowhere(picture))
    scaled = cv2.resize(drawn, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    found = find(decode(encode_jpeg(np.asarray(scaled, np.uint8), quality=70)).image_hwc)
    assert found is not None
    assert found.languages == languages


@pytest.mark.parametrize(
    "picture", [plain(255), plain(0), rough(640, 640), rough(300, 900), smooth(640, 640)]
)
def test_no_label_is_found_where_there_is_none(picture: Pixels) -> None:
    assert find(picture) is None


@pytest.mark.parametrize("languages", WORDINGS)
def test_others_read_what_is_written(languages: tuple[Language, ...]) -> None:
    pytest.importorskip("rapidocr", reason="needs the extra ocr")
    drawn, _ = draw(smooth(500, 500), languages, nowhere(smooth(500, 500)))
    lines = {line.words: line.score for line in text.read(drawn)}
    words = {Language.CHINESE: "AI生成", Language.ENGLISH: "AI GENERATED"}
    assert set(lines) == {words[language] for language in languages}
    assert min(lines.values()) > 0.9


def test_an_effaced_label_is_not_found() -> None:
    picture = smooth(640, 640)
    drawn, label = draw(picture, (Language.CHINESE,), nowhere(picture))
    x0, y0, x1, y1 = label.box_xyxy
    drawn[y0:y1, x0:x1] = cv2.GaussianBlur(drawn[y0:y1, x0:x1], (0, 0), 12)
    assert find(drawn) is None


def test_glyphs_stay_within_their_boxes() -> None:
    for letter, glyph in GLYPHS.items():
        for stroke in glyph.strokes:
            assert len(stroke) >= 2, letter
            assert all(0 <= x <= glyph.width and 0 <= y <= HEIGHT for x, y in stroke), letter


def test_letters_reach_from_top_to_bottom() -> None:
    for letter, glyph in GLYPHS.items():
        heights = [y for stroke in glyph.strokes for _, y in stroke]
        if heights:
            assert max(heights) - min(heights) >= 0.98 * HEIGHT, letter


def test_the_same_label_has_the_same_pixels() -> None:
    one, other = (
        draw(smooth(1600, 1600), (Language.CHINESE,), nowhere(smooth(1600, 1600)))[0] for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)
