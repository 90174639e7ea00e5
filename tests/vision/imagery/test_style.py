"""A style picture is read as far as it shows something plainly: what is told is right, and what is not plain is not told."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.goods import KINDS, goods
from tests.pictures import encoded, exif, hollow_png, rough
from vision.errors import ImageError, ImageryError
from vision.image import Pixels, encode_png
from vision.imagery.brief import Light
from vision.imagery.look import Look, Table, Wall
from vision.imagery.scenes.procedural.reading import Reader
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.studio import Studio, any_studio
from vision.imagery.style import look_of, read_style, sides, told

SCENES = 100


def studios() -> Sequence[Studio]:
    rng = np.random.default_rng(41)
    return [any_studio(rng) for _ in range(SCENES)]


def drawn(studio: Studio, number: int, size_wh: tuple[int, int] = (192, 192)) -> Pixels:
    return render(studio, size_wh, 8_000_000 + number)


def with_a_product(scene_hwc: Pixels, number: int) -> Pixels:
    """As advertising shows it: the goods in the middle, seven tenths of the height."""
    height, width = scene_hwc.shape[:2]
    side = round(0.7 * height)
    good = goods(KINDS[number % len(KINDS)], number, 256)
    image = cv2.resize(good.photo_hwc, (side, side), interpolation=cv2.INTER_AREA)
    share = cv2.resize(good.alpha_hw, (side, side), interpolation=cv2.INTER_AREA)[..., None] / 255
    left, top = (width - side) // 2, height - side - height // 25
    shown = scene_hwc.astype(np.float64)
    part = shown[top : top + side, left : left + side]
    shown[top : top + side, left : left + side] = part * (1 - share) + image * share
    return shown.astype(np.uint8)


def right(name: str, studio: Studio, look: Look) -> bool:
    if name == "horizon":
        return abs((look.horizon or 0) - studio.horizon) < 0.04
    return getattr(look, name) is getattr(studio, name)


def tell(change: Callable[[Pixels, int], Pixels]) -> dict[str, tuple[float, float]]:
    """Of each part of the look: how often it was told, and how often that was right."""
    looks = [(one, look_of(change(drawn(one, number), number))) for number, one in enumerate(studios())]
    found = {}
    for name in ("wall", "table", "light", "horizon"):
        told = [right(name, one, look) for one, look in looks if name in look.said]
        found[name] = len(told) / len(looks), float(np.mean(told))
    return found


def test_drawn_scenes_are_read_right_in_all_that_is_told() -> None:
    found = tell(lambda image_hwc, _: image_hwc)

    for name, (share, accuracy) in found.items():
        assert share >= 0.95, name
        assert accuracy >= 0.97, name


def test_a_product_in_the_middle_may_leave_the_table_untold_and_makes_nothing_wrong() -> None:
    found = tell(with_a_product)

    assert found["table"][0] >= 0.5
    assert all(found[name][0] >= 0.95 for name in ("wall", "light", "horizon"))
    assert all(accuracy >= 0.97 for _, accuracy in found.values())


@pytest.mark.parametrize("size_wh", [(340, 192), (192, 340)])
def test_wide_and_tall_scenes_are_read_nearly_as_well(size_wh: tuple[int, int]) -> None:
    pairs = [(one, look_of(drawn(one, number, size_wh))) for number, one in enumerate(studios())]

    for name in ("wall", "table", "light", "horizon"):
        seen = [right(name, one, look) for one, look in pairs if name in look.said]
        assert len(seen) >= 0.8 * SCENES, name
        assert np.mean(seen) >= (0.85 if name == "table" else 0.95), name


def test_of_pictures_that_are_no_scenes_nothing_is_told() -> None:
    squares = (np.indices((256, 256)).sum(0) // 32 % 2)[..., None] * np.array([200, 40, 90])

    assert look_of(np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)) == Look()
    assert look_of(squares.astype(np.uint8)) == Look()
    assert look_of(goods("box", 3, 256).photo_hwc) == Look()


@pytest.mark.parametrize("size_wh", [(256, 256), (64, 2000), (4000, 64)])
def test_of_one_even_colour_the_wall_alone_is_told(size_wh: tuple[int, int]) -> None:
    grey = np.full((*size_wh[::-1], 3), 170, np.uint8)

    assert look_of(grey) == Look(wall=Wall.GREY)


def test_a_light_from_neither_side_is_from_above_only_where_the_middle_is_brighter() -> None:
    levels = np.full((256, 256, 3), 170, np.uint8)
    lamp = np.clip(250 - np.abs(np.arange(256) - 128) * 0.9, 0, 255)[None, :, None] * np.ones((256, 1, 3))

    assert look_of(levels).light is None
    assert look_of(lamp.astype(np.uint8)).light is Light.ABOVE
    assert look_of(np.ascontiguousarray(lamp[:, :128].astype(np.uint8))).light is Light.RIGHT


def test_a_designer_is_told_what_was_taken_and_what_was_not() -> None:
    look = Look(wall=Wall.BLUE, table=Table.MARBLE, horizon=0.62)

    assert told(look) == (
        "taken from the style picture: blue wall, white marble table, horizon 62; "
        "not to be told, and left to the generator: light"
    )
    assert told(Look()).startswith("taken from the style picture: nothing; ")


# --- files


def test_a_picture_is_read_upright() -> None:
    scene = drawn(studios()[0], 0)
    turned = encoded(np.rot90(scene), "PNG", exif=exif(6))

    found = read_style(turned)

    assert np.array_equal(found.image_hwc, scene)
    assert found.look == look_of(scene)


def test_what_is_transparent_is_white_as_it_is_shown_and_a_cut_out_is_refused() -> None:
    scene = drawn(studios()[0], 0)
    alpha = np.full(scene.shape[:2], 255, np.uint8)
    alpha[:40] = 0

    found = read_style(encoded(np.dstack([scene, alpha]), "PNG")).image_hwc

    assert np.all(found[:40] == 255)
    assert np.array_equal(found[40:], scene[40:])
    alpha[:150] = 0
    with pytest.raises(
        ImageryError, match="style: expected a picture of a scene, found 78% of it transparent"
    ):
        read_style(encoded(np.dstack([scene, alpha]), "PNG"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "style: "),
        (b"no picture", "style: expected one of JPEG"),
        (encode_png(rough(200, 200))[:900], "style: "),
        (encode_png(rough(63, 200)), "style: expected .*64"),
        (hollow_png(9000, 9000), "style: expected .*64000000"),
        (encoded(Image.fromarray(rough(200, 200)).convert("CMYK"), "JPEG"), "style: expected a photo in RGB or grey, found CMYK"),
    ],
    ids=["empty", "no picture", "cut off", "tiny", "huge", "CMYK"],
)  # fmt: skip
def test_a_file_that_cannot_be_a_style_picture_is_refused_by_its_name(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        read_style(data)


@pytest.mark.slow
def test_the_classifiers_that_are_carried_are_those_that_drawn_scenes_give() -> None:
    anew = Reader.fitted(scenes=800, seed=900_000, seen=sides)
    agree = [
        (anew.read(sides(drawn(one, number))).wall, anew.read(sides(drawn(one, number))).table)
        == (look_of(drawn(one, number)).wall, look_of(drawn(one, number)).table)
        for number, one in enumerate(studios())
    ]

    assert np.mean(agree) >= 0.95
