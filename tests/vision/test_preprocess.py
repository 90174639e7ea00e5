"""`prepare` gives the same bits everywhere and for ever, always the size asked for, and a way back to the picture."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.pictures import difference, encoded, exif, rough, smooth
from vision.errors import ImageError
from vision.image import Frame, ImageHeader, Pixels, encode_png
from vision.preprocess import Prepared, PreprocessSpec, prepare, prepare_bytes, prepare_file, reduction

ROOT: Final = Path(__file__).parents[2]
FITS: Final = ("stretch", "crop", "pad")
INTERPOLATIONS: Final = ("area", "linear_exact")

# SHA-256 of rough(320, 200) prepared at 96x64. A bundle's figures hold for these bits: a change of OpenCV or of
# `prepare` that moves one of them needs new models, not a new table.
GOLDEN: Final[dict[tuple[str, str, str], str]] = {
    ("stretch", "area", "rgb"): "25e673a24267401efc35404dee0f0d6a6232efce23a15b50fa5480a4023f5344",
    ("stretch", "area", "grey"): "f65fe8af6924dca70c1dc516a3714fd4fb61a0e445192b5c1d6e49e10c1d8a92",
    ("stretch", "linear_exact", "rgb"): "bfb738cfd1325dd544eb1be84901a02f5efed35cc2f0daa9016abe7aadb697dc",
    ("stretch", "linear_exact", "grey"): "7b9438b28f45b800e980cb8e99c52aabda2985a292c50fc900548b227fd9167b",
    ("crop", "area", "rgb"): "9d123b87b5de8e60fe9db31029e5558580a31fcd6de6abc44aa9bc68efcc2119",
    ("crop", "area", "grey"): "beab99ae5c5d5f9ef457e7d090339aef66266131feef77f381274ff4e61263f2",
    ("crop", "linear_exact", "rgb"): "6d89b70b18c0549faed592c94a5c9ae3bb6c5ca142f343da2c20bb01b75d528f",
    ("crop", "linear_exact", "grey"): "519d9066caf3d8ffd65e28e7c0764664fcd3664a5b9189bc3880be0b385dd715",
    ("pad", "area", "rgb"): "3b3b4b117ba3cf4e821a0b6dfaba2fe95f5b218c3cb255dfcc41427260ca272f",
    ("pad", "area", "grey"): "93c27634d942c00d1ebab22dc90ed7cb4ab73860db4d979fc1abe4b285a520e6",
    ("pad", "linear_exact", "rgb"): "f8235bd82c5d9e6451bfc9f3a9c8a88ffa65f20c8d71e9f33184ad2e27d5e1a6",
    ("pad", "linear_exact", "grey"): "ae19b69ea838bc185765f1b73546ced24959ec9870a32652d8bf848ab15922a8",
}
GOLDEN_SPECIAL: Final[list[tuple[dict[str, Any], str]]] = [
    ({"roi_xyxy": (17, 23, 211, 190)}, "2e77b60d1df535898bfaff686152e012b69e8d523e87e8dea1094404d1137d41"),
    ({"fit": "pad", "pad_value": 114}, "aece6434d224b6fb6ce3ea1a5fd6c1784eaa30ceaf47780ef551a2d716dd377d"),
    ({"size_wh": (640, 400)}, "e79fca8c75f84d28c13d4c71d1a01959d6fce94996050d56015cad29be1fe469"),
    (
        {"size_wh": (64, 128), "fit": "crop"},
        "7ce5e8a67e3fecca72d2d55d0cb1377ac8fdeffb1bfc302be814a374f902e2a7",
    ),
]

# A grey JPEG of 40x40, and every third row and column of it at 16x16: from all its pixels, and from a quarter of them.
SMALL_JPEG: Final = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxO"
    "UlNSMj5aYVpQYEpRUk//wAALCAAoACgBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAABQcG/8QAGRAAAwEBAQAAAAAAAAAAAAAAAAQx"
    "AQJB/9oACAEBAAA/AMOr4Mq+DKvgwr4Mq+EdVyDKuQZVyDCuQZVyEfVyDKuQYVyDKuQYVyEhV5gyrzBhXmDKvMGFeYSJXmDKvMGF"
    "eYMq8wZV5h//2Q=="
)
SMALL_JPEG_PREPARED: Final = {
    False: [
        [23, 61, 99, 137, 174, 211],
        [23, 61, 99, 137, 174, 211],
        [28, 65, 103, 140, 178, 215],
        [32, 70, 107, 144, 182, 218],
        [40, 77, 115, 152, 190, 226],
        [48, 85, 123, 159, 198, 235],
    ],
    True: [
        [24, 60, 99, 137, 174, 211],
        [24, 61, 99, 137, 174, 211],
        [28, 65, 102, 141, 178, 214],
        [33, 69, 107, 145, 183, 218],
        [41, 77, 115, 152, 191, 226],
        [48, 84, 122, 160, 199, 234],
    ],
}


def spec(**values: Any) -> PreprocessSpec:
    return PreprocessSpec.model_validate({"size_wh": (96, 64), **values})


def frame_of(image_hwc: Pixels, name: str = "image") -> Frame:
    return Frame(image_hwc=image_hwc, size_wh=(image_hwc.shape[1], image_hwc.shape[0]), name=name)


def digest_of(prepared: Prepared) -> str:
    return hashlib.sha256(prepared.image_hwc.tobytes()).hexdigest()


def all_digests() -> dict[str, str]:
    frame = frame_of(rough(320, 200))
    return {
        " ".join(key): digest_of(prepare(frame, spec(fit=key[0], interpolation=key[1], colour=key[2])))
        for key in GOLDEN
    }


# --- golden


@pytest.mark.parametrize(("key", "digest"), GOLDEN.items(), ids=map(" ".join, GOLDEN))
def test_prepare_gives_these_bits(key: tuple[str, str, str], digest: str) -> None:
    chosen = spec(fit=key[0], interpolation=key[1], colour=key[2])

    assert digest_of(prepare_bytes(encode_png(rough(320, 200)), chosen)) == digest


@pytest.mark.parametrize(("values", "digest"), GOLDEN_SPECIAL)
def test_prepare_gives_these_bits_for_a_region_a_frame_growth_and_a_tall_input(
    values: dict[str, Any], digest: str
) -> None:
    assert digest_of(prepare(frame_of(rough(320, 200)), spec(**values))) == digest


@pytest.mark.parametrize("reduced", [False, True])
def test_a_jpeg_is_prepared_within_two_levels_of_this(reduced: bool) -> None:
    prepared = prepare_bytes(SMALL_JPEG, spec(size_wh=(16, 16), reduced_decoding=reduced)).image_hwc

    assert difference(prepared[::3, ::3, 0], np.array(SMALL_JPEG_PREPARED[reduced])) <= 2


def test_a_processor_without_wide_vectors_and_without_ipp_gives_the_same_bits() -> None:
    script = (
        "import json; from tests.vision.test_preprocess import all_digests; print(json.dumps(all_digests()))"
    )
    plain = {"OPENCV_IPP": "disabled", "OPENCV_CPU_DISABLE": "AVX512_SKX,AVX2,AVX,FP16,SSE4_2,SSE4_1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **plain, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    digests = json.loads(done.stdout)

    assert digests == {" ".join(key): digest for key, digest in GOLDEN.items()}


def test_a_file_its_bytes_and_its_frame_are_prepared_alike(tmp_path: Path) -> None:
    path = tmp_path / "part.png"
    path.write_bytes(encode_png(rough(320, 200)))

    from_file = prepare_file(path, spec())
    assert digest_of(from_file) == digest_of(prepare(frame_of(rough(320, 200)), spec()))
    assert from_file.source_wh == (320, 200)


def test_a_picture_of_the_size_asked_for_is_left_as_it_is() -> None:
    picture = rough(96, 64)
    for fit in FITS:
        for interpolation in INTERPOLATIONS:
            prepared = prepare(frame_of(picture), spec(fit=fit, interpolation=interpolation))
            assert np.array_equal(prepared.image_hwc, picture)


def test_grey_is_luma_in_all_three_channels() -> None:
    red = np.zeros((64, 96, 3), np.uint8)
    red[:, :, 0] = 255

    assert prepare(frame_of(red), spec(colour="grey")).image_hwc[5, 7].tolist() == [76, 76, 76]  # 0.299 x 255


# --- the size asked for


@st.composite
def cases(draw: st.DrawFn) -> tuple[Frame, PreprocessSpec]:
    """A picture of any shape, and a way to prepare it."""
    width, height = draw(st.integers(8, 200)), draw(st.integers(8, 200))
    roi = None
    if draw(st.booleans()):
        left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        roi = (left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height)))
    chosen = spec(
        size_wh=(draw(st.integers(16, 80)), draw(st.integers(16, 80))),
        fit=draw(st.sampled_from(FITS)),
        interpolation=draw(st.sampled_from(INTERPOLATIONS)),
        colour=draw(st.sampled_from(["rgb", "grey"])),
        pad_value=draw(st.integers(0, 255)),
        roi_xyxy=roi,
    )
    return frame_of(rough(width, height)), chosen


@settings(deadline=None)
@given(case=cases())
def test_the_output_has_exactly_the_size_asked_for(case: tuple[Frame, PreprocessSpec]) -> None:
    frame, chosen = case
    prepared = prepare(frame, chosen)

    assert prepared.image_hwc.shape == (chosen.size_wh[1], chosen.size_wh[0], 3)
    assert prepared.image_hwc.dtype == np.uint8
    assert prepared.image_hwc.flags.c_contiguous
    assert prepared.source_wh == frame.size_wh


@settings(deadline=None)
@given(case=cases())
def test_the_frame_is_left_as_it_was(case: tuple[Frame, PreprocessSpec]) -> None:
    frame, chosen = case
    before = frame.image_hwc.copy()
    prepare(frame, chosen)

    assert np.array_equal(frame.image_hwc, before)


# --- the way back


@settings(deadline=None)
@given(case=cases(), corners=st.tuples(*[st.integers(0, 200)] * 4))
def test_a_box_of_the_picture_comes_back_from_the_input(
    case: tuple[Frame, PreprocessSpec], corners: tuple[int, int, int, int]
) -> None:
    frame, chosen = case
    prepared = prepare(frame, chosen)
    box = tuple(min(corner, frame.size_wh[index % 2]) for index, corner in enumerate(corners))

    left, top, right, bottom = (
        value * prepared.scale_xy[index % 2] + prepared.offset_xy[index % 2]
        for index, value in enumerate(box)
    )
    assert prepared.to_source((left, top, right, bottom)) == box


@settings(deadline=None)
@given(case=cases(), far=st.floats(1e4, 1e6))
def test_a_box_outside_the_picture_is_clipped_to_it(case: tuple[Frame, PreprocessSpec], far: float) -> None:
    frame, chosen = case
    width, height = frame.size_wh
    prepared = prepare(frame, chosen)

    assert prepared.to_source((-far, -far, far, far)) == (0, 0, width, height)
    assert prepared.to_source((far, far, far, far)) == (width, height, width, height)


@settings(deadline=None)
@given(
    fit=st.sampled_from(FITS),
    size_wh=st.tuples(st.integers(60, 120), st.integers(60, 120)),
    parts=st.tuples(*[st.floats(0.35, 0.45)] * 2, *[st.floats(0.55, 0.65)] * 2),
)
def test_a_marker_is_found_in_the_picture_where_it_was_put(
    fit: str, size_wh: tuple[int, int], parts: tuple[float, float, float, float]
) -> None:
    left, top, right, bottom = (int(part * size_wh[index % 2]) for index, part in enumerate(parts))
    picture = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    picture[top:bottom, left:right] = 255
    prepared = prepare(frame_of(picture), spec(size_wh=(64, 80), fit=fit))

    rows, columns = np.nonzero(prepared.image_hwc[:, :, 0] >= 128)
    box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    found = prepared.to_source(box)
    within = max(
        1.0, 1 / min(prepared.scale_xy)
    )  # a pixel of the picture or of the input, whichever is larger
    assert np.abs(np.subtract(found, (left, top, right, bottom))).max() <= within


# --- shapes


def banded(width: int, height: int) -> Pixels:
    """Black, grey, white in equal parts along the longer side."""
    picture = np.zeros((max(width, height), min(width, height), 3), np.uint8)
    third = max(width, height) // 3
    picture[third : 2 * third], picture[2 * third :] = 128, 255
    return np.ascontiguousarray(picture.swapaxes(0, 1)) if width > height else picture


@pytest.mark.parametrize(("width", "height"), [(1000, 8), (8, 1000)])
class TestAnElongatedPicture:
    def along(self, image_hwc: Pixels, width: int, height: int) -> Pixels:
        """Red, with the picture's longer side as rows."""
        return image_hwc[:, :, 0].T if width > height else image_hwc[:, :, 0]

    def test_is_stretched_whole(self, width: int, height: int) -> None:
        prepared = prepare(frame_of(banded(width, height)), spec(size_wh=(96, 96)))
        rows = self.along(prepared.image_hwc, width, height)

        assert rows[[0, 30, 34, 60, 68, 95], 50].tolist() == [0, 0, 128, 128, 255, 255]

    def test_is_cropped_to_its_middle(self, width: int, height: int) -> None:
        prepared = prepare(frame_of(banded(width, height)), spec(size_wh=(96, 96), fit="crop"))

        assert np.unique(prepared.image_hwc).tolist() == [128]
        middle = prepared.to_source((0, 0, 96, 96))
        assert middle == ((496, 0, 504, 8) if width > height else (0, 496, 8, 504))

    def test_is_padded_to_a_line(self, width: int, height: int) -> None:
        prepared = prepare(frame_of(banded(width, height)), spec(size_wh=(96, 96), fit="pad", pad_value=77))
        rows = self.along(prepared.image_hwc, width, height)

        assert rows.shape == (96, 96)
        assert np.unique(rows[:, :47]).tolist() == [77]
        assert rows[[0, 30, 34, 60, 68, 95], 47].tolist() == [0, 0, 128, 128, 255, 255]
        assert np.unique(rows[:, 48:]).tolist() == [77]


@pytest.mark.parametrize("size_wh", [(1_000_000, 8), (8, 1_000_000)])
def test_a_thread_of_a_picture_is_not_blown_up_to_be_cropped(size_wh: tuple[int, int]) -> None:
    frame = frame_of(np.zeros((size_wh[1], size_wh[0], 3), np.uint8), "thread.png")

    with pytest.raises(ImageError, match=r"thread\.png: expected a less elongated picture, found one of "):
        prepare(frame, spec(fit="crop"))
    for fit in ("stretch", "pad"):
        assert prepare(frame, spec(fit=fit)).image_hwc.shape == (64, 96, 3)


# --- the region


def test_only_the_region_is_seen() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[20:50, 30:90] = 200

    for fit in FITS:
        prepared = prepare(frame_of(picture), spec(fit=fit, size_wh=(120, 60), roi_xyxy=(30, 20, 90, 50)))
        assert np.unique(prepared.image_hwc).tolist() == [200]
        assert prepared.to_source((0, 0, 120, 60)) == (30, 20, 90, 50)


@pytest.mark.parametrize("roi", [(0, 0, 201, 100), (0, 0, 200, 101), (300, 300, 310, 310)])
@pytest.mark.parametrize("reduced", [True, False])
def test_a_region_outside_the_picture_is_an_error_that_names_it(
    roi: tuple[int, int, int, int], reduced: bool
) -> None:
    data = encoded(smooth(200, 100), "JPEG")

    with pytest.raises(ImageError) as refused:
        prepare_bytes(data, spec(roi_xyxy=roi, reduced_decoding=reduced), name="cam-3/0815.jpg")
    assert str(refused.value) == (
        f"cam-3/0815.jpg: expected a picture that holds the region {roi}, found 200x100"
    )


def test_the_region_is_one_of_the_upright_picture() -> None:
    tall = smooth(60, 120)
    lying = np.ascontiguousarray(np.rot90(tall))  # as a camera held upright stores it, with orientation 6
    chosen = spec(size_wh=(40, 40), roi_xyxy=(10, 70, 50, 110))

    prepared = prepare_bytes(encoded(lying, "PNG", exif=exif(6)), chosen)
    assert np.array_equal(prepared.image_hwc, tall[70:110, 10:50])


# --- reduced decoding


@settings(deadline=None)
@given(
    size_wh=st.tuples(st.integers(8, 5000), st.integers(8, 5000)),
    input_wh=st.tuples(st.integers(16, 600), st.integers(16, 600)),
    fit=st.sampled_from(FITS),
)
def test_a_reduction_leaves_the_pixels_the_input_needs_and_no_stronger_one_would(
    size_wh: tuple[int, int], input_wh: tuple[int, int], fit: str
) -> None:
    header = ImageHeader(format="JPEG", size_wh=size_wh, orientation=1)
    chosen = reduction(header, spec(size_wh=input_wh, fit=fit))
    scales = [target / side for target, side in zip(input_wh, size_wh, strict=True)]
    if fit != "stretch":
        scales = [max(scales) if fit == "crop" else min(scales)] * 2
    needed = [max(1, round(side * scale)) for side, scale in zip(size_wh, scales, strict=True)]

    def covers(factor: int) -> bool:
        return all(side // factor >= need for side, need in zip(size_wh, needed, strict=True))

    assert chosen in {1, 2, 4, 8}
    assert chosen == 1 or covers(chosen)
    assert chosen == 8 or not covers(2 * chosen)


@settings(deadline=None)
@given(
    full=st.integers(64, 400),
    factor=st.sampled_from([2, 4, 8]),
    left=st.integers(0, 100),
    needed=st.integers(16, 40),
)
def test_a_region_of_a_reduced_picture_keeps_a_column_for_each_the_input_needs(
    full: int, factor: int, left: int, needed: int
) -> None:
    """Were one missing, resizing would have to make two columns of one, and the ramp would stand still."""
    right = left + needed * factor
    assume(right <= full)
    decoded = -(-full // factor)
    ramp = np.broadcast_to(np.arange(decoded, dtype=np.uint8)[:, None], (64, decoded, 3))
    frame = Frame(image_hwc=np.ascontiguousarray(ramp), size_wh=(full, 64 * factor))
    roi = (left, 0, right, 64 * factor)

    prepared = prepare(frame, spec(size_wh=(needed, 64), roi_xyxy=roi))
    steps = np.diff(prepared.image_hwc[0, :, 0].astype(int))
    assert steps.min() >= 1


@settings(max_examples=40, deadline=None)
@given(
    size_wh=st.tuples(st.integers(240, 600), st.integers(240, 600)),
    fit=st.sampled_from(FITS),
    roi_part=st.none() | st.tuples(*[st.floats(0, 0.4)] * 2, *[st.floats(0.6, 1)] * 2),
)
def test_a_reduced_decoding_looks_like_the_full_one(
    size_wh: tuple[int, int], fit: str, roi_part: tuple[float, float, float, float] | None
) -> None:
    roi = None
    if roi_part is not None:
        roi = tuple(int(part * size_wh[index % 2]) for index, part in enumerate(roi_part))
    data = encoded(smooth(*size_wh), "JPEG", quality=95)
    reduced, full = (
        prepare_bytes(data, spec(size_wh=(32, 32), fit=fit, roi_xyxy=roi, reduced_decoding=allowed))
        for allowed in (True, False)
    )

    # The last row and column of a reduced picture may stand for fewer pixels than the others: 6 levels of a ramp here.
    assert difference(reduced.image_hwc, full.image_hwc) <= 8
    assert (reduced.scale_xy, reduced.offset_xy) == (full.scale_xy, full.offset_xy)


def test_reduced_decoding_can_be_refused_and_is_for_pictures_too_small_for_it() -> None:
    large, small = (
        ImageHeader(format="JPEG", size_wh=side, orientation=1) for side in ((1000, 800), (180, 120))
    )

    assert reduction(large, spec()) == 8
    assert reduction(large, spec(reduced_decoding=False)) == 1
    assert reduction(large, spec(roi_xyxy=(0, 0, 300, 300))) == 2
    assert reduction(small, spec()) == 1


# --- the specification


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"size": (224, 224)}, "size"),
        ({"mean": [0.5]}, "mean"),
        ({"fit": "squash"}, "fit"),
        ({"interpolation": "cubic"}, "interpolation"),
        ({"colour": "bgr"}, "colour"),
        ({"pad_value": 256}, "pad_value"),
        ({"pad_value": -1}, "pad_value"),
        ({"size_wh": (15, 64)}, "size_wh"),
        ({"size_wh": (64, 4097)}, "size_wh"),
        ({"size_wh": (64,)}, "size_wh"),
        ({"roi_xyxy": (10, 10, 10, 20)}, "roi_xyxy: expected left < right and top < bottom"),
        ({"roi_xyxy": (10, 30, 20, 20)}, "roi_xyxy: expected left < right and top < bottom"),
        ({"roi_xyxy": (-1, 0, 20, 20)}, "roi_xyxy"),
        ({"roi_xyxy": (0, 0, 20)}, "roi_xyxy"),
    ],
)
def test_a_wrong_field_is_refused_by_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        spec(**values)


def test_a_specification_cannot_be_changed_after_the_fact() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        spec().fit = "pad"


CHANGED: Final[dict[str, Any]] = {
    "size_wh": (64, 96),
    "fit": "pad",
    "interpolation": "linear_exact",
    "colour": "grey",
    "roi_xyxy": (0, 0, 10, 10),
    "pad_value": 1,
    "reduced_decoding": False,
}


def test_the_digest_changes_with_every_field() -> None:
    digests = {spec(**{name: value}).digest() for name, value in CHANGED.items()} | {spec().digest()}

    assert CHANGED.keys() == PreprocessSpec.model_fields.keys()
    assert len(digests) == len(CHANGED) + 1


def test_the_digest_is_the_one_certificates_were_bound_to() -> None:
    default = PreprocessSpec()

    assert default.digest() == "ea5b26b83ed7b0b78917d8452b460172226f2079c9233344db7ca85d51481803"
    assert PreprocessSpec.model_validate_json(default.model_dump_json()).digest() == default.digest()


def test_another_input_size_leaves_the_rest_of_the_specification() -> None:
    smaller = spec(fit="crop", pad_value=9).resized((32, 48))

    assert smaller == spec(fit="crop", pad_value=9, size_wh=(32, 48))
