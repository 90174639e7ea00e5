"""A photo in, its own pixels and the product's alpha out: by mask, by its transparency, or found; else an error that says why."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.goods import BACKDROPS, KINDS, Backdrop, Good, Kind, goods
from tests.pictures import encoded, exif, hollow_png, rough
from tests.vision.imagery.cutout.networks import always_sees, u2netp
from vision.errors import ImageError, ImageryError
from vision.image import Pixels, encode_jpeg, encode_png
from vision.imagery.cutout.cutout import cut_out
from vision.imagery.cutout.find import find
from vision.imagery.cutout.overlay import overlay
from vision.imagery.cutout.quality import LOW
from vision.imagery.cutout.quality import overlap as iou
from vision.imagery.cutout.saliency import Saliency

SIDE = 480


@pytest.fixture
def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Saliency, "installed", lambda _: None)


def likeness(alpha: Pixels, good: Good) -> float:
    return iou(alpha >= 128, good.alpha_hw >= 128)


def plain(level: int, side: int = 300) -> Pixels:
    return np.full((side, side, 3), level, np.uint8)


# --- found


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_network_and_grabcut_find_every_kind_of_product(kind: Kind) -> None:
    u2netp()
    good = goods(kind, KINDS.index(kind), SIDE)  # on white, grey and gradients in turn
    found = cut_out(good.photo_png)

    assert found.how.startswith("u2netp+")
    assert likeness(found.alpha_hw, good) > (0.9 if kind == "brush" else 0.96)
    assert found.quality > LOW


@pytest.mark.usefixtures("without_network")
@pytest.mark.parametrize("kind", ["box", "bag"])
@pytest.mark.parametrize("backdrop", BACKDROPS)
def test_without_a_network_a_coloured_product_is_found_on_a_plain_backdrop(
    kind: Kind, backdrop: Backdrop
) -> None:
    good = goods(kind, 1, SIDE, backdrop=backdrop)
    found = cut_out(good.photo_png)

    assert found.how.startswith("grabcut+")
    assert likeness(found.alpha_hw, good) > 0.97
    assert found.quality > 0.7


@pytest.mark.usefixtures("without_network")
def test_without_a_network_a_product_that_may_be_a_shadow_is_rated_lower() -> None:
    grey_on_grey, red_on_grey = goods("shoe", 1, SIDE), goods("bag", 1, SIDE)

    assert cut_out(grey_on_grey.photo_png).quality < LOW < cut_out(red_on_grey.photo_png).quality


@pytest.mark.usefixtures("without_network")
def test_the_hole_of_a_handle_is_no_product() -> None:
    bag = goods("bag", 0, SIDE)
    found = cut_out(bag.photo_png).alpha_hw
    inside = cv2.morphologyEx(bag.alpha_hw, cv2.MORPH_CLOSE, np.ones((99, 99), np.uint8)) - bag.alpha_hw
    hole = cv2.erode(inside, np.ones((9, 9), np.uint8)) == 255

    assert hole.sum() > 500
    assert not found[hole].any()


@pytest.mark.usefixtures("without_network")
@pytest.mark.parametrize("suffix", ["PNG", "JPEG"])
def test_the_pixels_are_the_photos_own_also_where_they_are_no_product(suffix: str) -> None:
    good = goods("box", 2, 400)
    data = good.photo_png if suffix == "PNG" else encode_jpeg(good.photo_hwc, quality=90)
    expected = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))[:, :, ::-1]

    assert np.array_equal(cut_out(data).image_hwc, expected)


@pytest.mark.usefixtures("without_network")
def test_the_same_photo_gives_the_same_alpha() -> None:
    photo = goods("bottle", 4, 700).photo_png

    assert np.array_equal(cut_out(photo).alpha_hw, cut_out(photo).alpha_hw)


@pytest.mark.usefixtures("without_network")
@settings(deadline=None, max_examples=8)
@given(
    st.integers(20, 70), st.integers(10, 60), st.integers(60, 100), st.sampled_from([(400, 300), (160, 90)])
)
def test_a_box_is_found_wherever_it_stands(left: int, top: int, side: int, size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    photo = plain(245, max(size_wh))[:height, :width].copy()
    box = np.s_[top : min(top + side, height - 8), left : min(left + side, width - 8)]
    photo[box] = (40, 90, 160)
    found = find(photo, None, matting="guided").alpha_hw

    meant = np.zeros((height, width), bool)
    meant[box] = True
    assert iou(found >= 128, meant) > 0.95


# --- what is doubtful, and what is no product


@pytest.mark.usefixtures("without_network")
@pytest.mark.parametrize(
    "photo",
    [plain(255), plain(128), np.tile(np.linspace(90, 220, 300).astype(np.uint8)[:, None, None], (1, 300, 3))],
    ids=["white", "grey", "gradient"],
)
def test_a_photo_without_a_product_is_refused(photo: Pixels) -> None:
    with pytest.raises(
        ImageryError, match=r"empty\.jpg: expected a product that stands out .* hand in a mask"
    ):
        cut_out(encode_png(photo), name="empty.jpg")


def test_a_photo_without_a_product_is_refused_by_the_network_too() -> None:
    u2netp()
    with pytest.raises(ImageryError, match="expected a product that stands out"):
        cut_out(encode_png(plain(240)))


@pytest.mark.usefixtures("without_network")
def test_a_product_on_the_border_is_found_and_told() -> None:
    good = goods("bag", 0, SIDE)
    cropped = good.photo_hwc[:, SIDE // 3 :]
    found = cut_out(encode_png(np.ascontiguousarray(cropped)))

    assert iou(found.alpha_hw >= 128, good.alpha_hw[:, SIDE // 3 :] >= 128) > 0.95
    assert any("touches the photo's border" in warning for warning in found.warnings)
    assert found.quality < cut_out(good.photo_png).quality


@pytest.mark.usefixtures("without_network")
def test_two_products_are_told_to_be_two_pieces() -> None:
    photo = plain(250)
    photo[100:200, 40:120] = photo[100:200, 180:260] = (150, 30, 40)

    assert "the product is in 2 separate pieces" in cut_out(encode_png(photo)).warnings


def test_a_white_part_that_could_be_a_hole_is_told(tmp_path: Path) -> None:
    photo = plain(255)
    photo[60:240, 60:240] = (150, 30, 40)
    photo[120:180, 120:180] = 255
    seen = np.zeros((50, 50), np.float32)
    seen[10:40, 10:40] = 1
    (tmp_path / "sure.onnx").write_bytes(always_sees(seen))
    found = find(photo, Saliency.loaded(tmp_path / "sure.onnx"), matting="guided")

    assert found.how == "sure+guided"
    assert found.alpha_hw[150, 150] == 255
    assert "looks exactly like the backdrop" in found.warnings[0]


@pytest.mark.usefixtures("without_network")
@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (encode_png(rough(63, 63)), "expected sides of at least 64 px, found 63x63"),
        (hollow_png(10_000, 7_000), "expected at most 64000000 pixels, found 10000x7000"),
        (encoded(Image.fromarray(plain(200)).convert("CMYK"), "JPEG"), "found CMYK"),
        (b"", "found 0 bytes"),
        (encode_png(plain(9))[:-20], "truncated or damaged"),
    ],
    ids=["tiny", "huge", "CMYK", "empty", "cut short"],
)
def test_what_cannot_be_a_products_photo_is_refused(photo: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=f"mug: .*{message}"):
        cut_out(photo, name="mug")


@pytest.mark.slow
@pytest.mark.usefixtures("without_network")
def test_a_photo_of_twelve_megapixels_is_cut_out_at_its_own_size() -> None:
    photo = np.full((3000, 4000, 3), 240, np.uint8)
    photo[750:2250, 1000:3000] = (40, 90, 160)
    found = cut_out(encode_jpeg(photo, quality=95))

    assert found.alpha_hw.shape == (3000, 4000)
    assert (found.alpha_hw[755:2245, 1005:2995] == 255).all()
    assert not found.alpha_hw[:745].any()


# --- by the photo's own transparency


def with_alpha(good: Good) -> bytes:
    return encoded(np.dstack([good.photo_hwc, good.alpha_hw]), "PNG")


def test_the_photos_own_transparency_is_taken_as_it_is() -> None:
    good = goods("brush", 0, 400)
    found = cut_out(with_alpha(good))

    assert found.how == "alpha"
    assert np.array_equal(found.alpha_hw, good.alpha_hw)
    assert np.array_equal(found.image_hwc, good.photo_hwc)
    assert found.warnings == ()
    assert found.quality == 1


def test_a_photo_that_is_transparent_throughout_is_refused() -> None:
    nothing = np.dstack([plain(90), np.zeros((300, 300), np.uint8)])

    with pytest.raises(ImageryError, match=r"mug: expected a product, found all but 0\.00% .* transparent"):
        cut_out(encoded(nothing, "PNG"), name="mug")


@pytest.mark.usefixtures("without_network")
def test_a_transparency_that_cuts_nothing_out_is_not_taken_for_a_product() -> None:
    good = goods("box", 0, 400)
    alpha = np.full((400, 400), 255, np.uint8)
    alpha[0, 0] = 254
    found = cut_out(encoded(np.dstack([good.photo_hwc, alpha]), "PNG"))

    assert found.how.startswith("grabcut+")
    assert likeness(found.alpha_hw, good) > 0.95


# --- by a mask


def test_a_mask_is_taken_as_it_is() -> None:
    good = goods("shoe", 1, 400)
    found = cut_out(good.photo_png, encode_png(good.alpha_hw))

    assert found.how == "mask"
    assert np.array_equal(found.alpha_hw, good.alpha_hw)
    assert found.warnings == ()
    assert found.quality > 0.75


def test_a_mask_that_misses_the_product_is_taken_and_told() -> None:
    good = goods("mug", 0, 400)
    found = cut_out(good.photo_png, encode_png(np.roll(good.alpha_hw, (120, -90), (0, 1))))

    assert found.quality < LOW
    assert any("low quality" in warning for warning in found.warnings)


def test_a_mask_for_a_photo_that_lies_on_its_side_is_upright() -> None:
    good = goods("bottle", 0, 400)
    photo, mask = good.photo_hwc[:, 60:].copy(), good.alpha_hw[:, 60:].copy()
    lying = encoded(np.rot90(photo), "PNG", exif=exif(6))
    found = cut_out(lying, encode_png(mask))

    assert np.array_equal(found.image_hwc, photo)
    assert np.array_equal(found.alpha_hw, mask)
    with pytest.raises(
        ImageryError, match="expected 340x400 px, the size of the upright photo, found 400x340"
    ):
        cut_out(lying, encode_png(np.rot90(mask)))


def test_a_mask_wins_over_transparency_and_what_it_uncovers_is_told() -> None:
    good = goods("box", 0, 400)
    wide = cv2.dilate(good.alpha_hw, np.ones((15, 15), np.uint8))
    found = cut_out(with_alpha(good), encode_png(np.asarray(wide, np.uint8)))

    assert found.how == "mask"
    assert any("of the mask's product is transparent in the photo" in warning for warning in found.warnings)
    assert cut_out(with_alpha(good), encode_png(good.alpha_hw)).warnings == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (np.zeros_like, "it is empty"),
        (lambda mask: 255 - mask, "it looks inverted"),
        (lambda mask: mask[::2, ::2], "expected 400x400 px, .* found 200x200"),
    ],
    ids=["empty", "inverted", "another size"],
)
def test_a_mask_that_does_not_fit_is_refused(change: Callable[[Pixels], Pixels], message: str) -> None:
    good = goods("mug", 1, 400)
    with pytest.raises(ImageryError, match=f"mug, mask: .*{message}"):
        cut_out(good.photo_png, encode_png(np.ascontiguousarray(change(good.alpha_hw))), name="mug")


# --- to look at


def test_an_overlay_shows_the_product_as_it_is_and_tints_the_rest() -> None:
    good = goods("bag", 0, 400)
    before = good.photo_hwc.copy()
    shown = overlay(good.photo_hwc, good.alpha_hw)

    inner = cv2.erode(good.alpha_hw, np.ones((5, 5), np.uint8)) == 255
    assert np.array_equal(shown[inner], before[inner])
    assert (np.ptp(shown[:20].astype(int), axis=2) > 60).all()
    assert np.array_equal(good.photo_hwc, before)
