"""Images put right: the same for the same image, once and for all, without enlarging too far, losing a label or breaking a signature."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pictures import encoded, exif, rough, smooth
from tests.vision.imagery.compliance.mutations import (
    AIGC,
    good,
    labelled,
    on_ground,
    packet,
    without_reading,
)
from tests.vision.imagery.compliance.shots import Shot, placed, scene
from vision.errors import ImageError, ImageryError
from vision.image import decode, encode_png
from vision.imagery.compliance import Context, RuleSet, check, fix, rule_sets
from vision.imagery.compliance.fix import Fixed
from vision.imagery.compliance.metadata import read_metadata
from vision.imagery.labels.aigc import Aigc
from vision.imagery.labels.corner import Language, draw, find

AMAZON = without_reading("amazon.main")
SMALL = 560
NAMES = sorted(one.name for one in rule_sets())
MANIFEST = b"\0\0\0\x20jumdc2pa\x00\x11\x00\x10\x80\0\0\xaa\0\x38\x9b\x71"


def put_right(shot: Shot, rules: RuleSet = AMAZON) -> Fixed:
    return fix(shot.encoded(), rules, context=shot.context())


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    seed=st.integers(0, 1000),
    fill=st.floats(0.3, 1.0),
    moved=st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)),
    level=st.sampled_from([255, 254, 245, 230, 180]),
    written=st.sampled_from([("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB")]),
    told=st.booleans(),
)
def test_what_was_put_right_stays_as_it_is(
    name: str,
    seed: int,
    fill: float,
    moved: tuple[float, float],
    level: int,
    written: tuple[str, str],
    told: bool,
) -> None:
    shot = on_ground(placed(np.random.default_rng(seed), size=600, fill=fill, moved=moved), level)
    shot = replace(shot, format=written[0], mode=written[1], told=told)
    rules = without_reading(name)
    once = put_right(shot, rules)
    twice = fix(once.data, rules, context=once.context)
    assert twice.data == once.data
    assert twice.unfixable.keys() == once.unfixable.keys() == set(once.report.broken())


@pytest.mark.parametrize("image", [rough(120, 90), smooth(64, 200), scene(np.random.default_rng(1), 300)])
def test_what_is_no_product_photo_at_all_comes_to_rest_too(image: np.ndarray) -> None:
    for name in NAMES:
        once = fix(encode_png(image), without_reading(name))
        assert fix(once.data, without_reading(name), context=once.context).data == once.data


def test_a_good_image_is_handed_back_to_the_byte() -> None:
    shot = good("amazon.main", np.random.default_rng(3), told=False)
    fixed = put_right(shot)
    assert (fixed.data, fixed.changes) == (shot.encoded(), ())


def test_cropping_leaves_the_products_pixels_alone() -> None:
    shot = replace(
        placed(np.random.default_rng(8), size=1000, fill=0.6), format="PNG", name="shot.png", told=True
    )
    fixed = put_right(shot)
    image_hwc, alpha_hw = decode(fixed.data).image_hwc, fixed.context.alpha_hw
    assert alpha_hw is not None
    assert "crop or pad to 667x667" in fixed.changes
    assert np.array_equal(image_hwc[alpha_hw > 0], shot.image_hwc[shot.alpha_hw > 0])


def test_the_mask_moves_with_its_product() -> None:
    shot = replace(placed(np.random.default_rng(9), size=SMALL, fill=0.7, moved=(0.1, 0.0)), told=True)
    fixed = put_right(shot)
    assert check(fixed.data, AMAZON, context=fixed.context).broken() == ("side.zoom", "side.recommended")
    fill = next(finding for finding in fixed.report.findings if finding.rule == "fill")
    assert (fill.note, fill.status) == ("", "pass"), "by the mask, not estimated"


def test_a_product_is_never_enlarged_beyond_one_and_a_half_times() -> None:
    fixed = put_right(placed(np.random.default_rng(0), size=330))
    assert "it would have to be enlarged 1.52 times" in fixed.unfixable["side.min"]
    assert put_right(placed(np.random.default_rng(0), size=340)).report.ok


def test_a_crop_that_would_leave_too_little_is_not_made() -> None:
    fixed = put_right(placed(np.random.default_rng(0), size=600, fill=0.4))
    assert "framed anew, it would have to be enlarged" in fixed.unfixable["fill"]


def test_a_background_that_is_not_of_one_colour_is_not_gone_on_with() -> None:
    shot = replace(
        placed(np.random.default_rng(2), size=SMALL, fill=0.8, ground=scene(np.random.default_rng(2), SMALL)),
        told=True,
    )
    image = np.ascontiguousarray(shot.image_hwc[:, : SMALL - 60])
    alpha = np.ascontiguousarray(shot.alpha_hw[:, : SMALL - 60])
    fixed = put_right(replace(shot, image_hwc=image, alpha_hw=alpha), without_reading("shopify"))
    assert "not of one colour" in fixed.unfixable["aspect"]


@pytest.mark.parametrize("colour", [(255, 255, 255), (90, 120, 180)])
def test_padding_goes_on_with_the_background(colour: tuple[int, int, int]) -> None:
    image = np.full((800, 1000, 3), colour, np.uint8)
    image[200:600, 300:700] = 20
    fixed = fix(encode_png(image), without_reading("shopify"))
    padded = decode(fixed.data).image_hwc
    assert padded.shape == (1000, 1000, 3)
    assert np.array_equal(padded[0], np.full((1000, 3), colour))


def test_labels_survive_a_change_of_format() -> None:
    shot = replace(
        labelled(
            good("amazon.main", np.random.default_rng(1), told=False, size=SMALL), "trainedAlgorithmicMedia"
        ),
        format="WEBP",
        name="shot.webp",
    )
    fixed = put_right(shot)
    assert (fixed.format, fixed.context.name) == ("JPEG", "shot.jpg")
    assert read_metadata(fixed.data, "JPEG", name="it").labels.source == "trainedAlgorithmicMedia"


def test_a_label_in_a_pngs_text_is_carried_into_a_jpeg() -> None:
    shot = good("jd", np.random.default_rng(1), told=False, size=SMALL)
    fixed = fix(shot.encoded(), AMAZON, image_format="JPEG")
    assert fixed.format == "JPEG"
    label = read_metadata(fixed.data, "JPEG", name="it").labels.aigc
    assert label == Aigc.from_json(AIGC)


@pytest.mark.parametrize(
    "options", [{"mode": "CMYK", "options": {"subsampling": -1}}, {"options": {"icc_profile": b"no profile"}}]
)
@pytest.mark.parametrize("image_format", [None, "PNG"])
def test_what_no_profile_turns_into_srgb_is_not_written_anew_for_another_fault(
    options: dict[str, Any], image_format: str | None
) -> None:
    shot = placed(np.random.default_rng(4), size=SMALL, fill=0.6)
    assert put_right(shot).report.ok
    wrong = replace(shot, name="shot.png", **options)
    fixed = fix(wrong.encoded(), AMAZON, context=wrong.context(), image_format=image_format)
    assert (fixed.data, fixed.format, fixed.context.name) == (wrong.encoded(), "JPEG", "shot.jpg")
    assert fixed.changes == ("name it shot.jpg",)
    assert {"colour", "fill"} <= fixed.unfixable.keys()
    assert "convert it where it was made" in fixed.unfixable["colour"] == fixed.unfixable["fill"]


def with_drawn_label(fill: float) -> Shot:
    shot = replace(placed(np.random.default_rng(1), size=SMALL, fill=fill), format="PNG", name="shot.png")
    return replace(shot, image_hwc=draw(shot.image_hwc, [Language.ENGLISH], shot.alpha_hw > 0)[0])


def test_a_label_drawn_in_a_corner_is_not_cropped_away() -> None:
    shot = with_drawn_label(0.7)
    assert put_right(
        replace(shot, image_hwc=placed(np.random.default_rng(1), size=SMALL, fill=0.7).image_hwc)
    ).report.ok
    left = put_right(replace(shot, told=True))
    assert left.data == shot.encoded()
    assert left.unfixable["fill"] == "the label drawn in its corner would be lost"


def test_a_label_drawn_in_a_corner_survives_scaling() -> None:
    shot = with_drawn_label(0.8).resized(400, 400)
    fixed = put_right(shot, without_reading("google.merchant"))
    assert "scale to 500x500" in fixed.changes
    assert find(decode(fixed.data).image_hwc) is not None


def test_a_signed_image_is_left_alone_unless_that_is_asked_for() -> None:
    shot = replace(placed(np.random.default_rng(1), size=SMALL, fill=0.7), format="PNG", name="shot.png")
    data = shot.encoded() + MANIFEST
    left = fix(data, AMAZON, context=shot.context())
    assert left.data == data
    assert "any change breaks its signature" in left.unfixable["fill"]
    broken = fix(data, AMAZON, context=shot.context(), break_signature=True)
    assert broken.changes[0].startswith("drop the content credentials")
    assert MANIFEST not in broken.data


def test_a_signed_image_that_is_good_is_not_complained_of() -> None:
    shot = replace(
        good("amazon.main", np.random.default_rng(1), told=False, size=SMALL), format="PNG", name="shot.png"
    )
    assert fix(
        shot.encoded() + MANIFEST, without_reading("ebay"), context=shot.context()
    ).unfixable.keys() == {"side.recommended"}


def test_a_turned_picture_is_put_right_as_it_is_seen() -> None:
    shot = placed(np.random.default_rng(11), size=SMALL, fill=0.6, moved=(0.1, 0.05))
    turned = Shot(image_hwc=np.ascontiguousarray(np.rot90(shot.image_hwc)), alpha_hw=shot.alpha_hw)
    fixed = put_right(replace(turned, options={"exif": exif(6)}))
    assert fixed.report.ok
    assert fix(fixed.data, AMAZON, context=fixed.context).data == fixed.data


def test_xmp_of_somebody_else_is_kept_whole() -> None:
    shot = placed(np.random.default_rng(1), size=SMALL, fill=0.6)
    xmp = packet("digitalCapture")
    fixed = put_right(replace(shot, options={"xmp": xmp}))
    assert fixed.changes
    assert read_metadata(fixed.data, "JPEG", name="it").xmp == xmp


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "found 0 bytes"),
        (b"GIF89a" + bytes(40), "expected one of JPEG, PNG"),
        (encoded(smooth(64, 64), "JPEG")[:-9], "truncated or damaged"),
        (encoded(smooth(4, 4), "PNG"), "sides of at least 8 px"),
    ],
    ids=["empty", "GIF", "truncated", "tiny"],
)
def test_what_cannot_be_decoded_is_refused_by_name(data: bytes, complaint: str) -> None:
    for work in (check, fix):
        with pytest.raises(ImageError, match=f"mug.jpg.*{complaint}"):
            work(data, AMAZON, context=Context(name="mug.jpg"))


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ImageryError, match="mask: expected 40x30, the image's size, found 30x40"):
        check(encode_png(smooth(40, 30)), AMAZON, context=Context(alpha_hw=np.zeros((40, 30), np.uint8)))


def test_an_empty_mask_leaves_framing_unchecked_and_unfixed() -> None:
    context = Context(alpha_hw=np.zeros((600, 600), np.uint8))
    report = check(encode_png(np.full((600, 600, 3), 255, np.uint8)), AMAZON, context=context)
    found = {finding.rule: finding for finding in report.findings}
    assert found["fill"].status == found["background"].status == "not_checked"
    assert "shows no product" in found["fill"].note
