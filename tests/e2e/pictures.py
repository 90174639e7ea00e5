"""Pictures that cost a server something, and all that it must refuse: the core's own list of bad ones."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.pictures import encoded, rough
from tests.vision import test_image as core


@cache
def huge() -> bytes:
    """A sound picture that takes far longer to decode than any of the small bundle's: 36 megapixels in 1 MiB."""
    image = np.full((6000, 6000, 3), 128, np.uint8)
    return bytes(cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])


@cache
def bad() -> dict[str, bytes]:
    """By what is wrong with them."""
    return dict(_bad())


def _bad() -> Iterator[tuple[str, bytes]]:
    for number, data in enumerate(_given(core.test_what_is_no_picture_is_refused_by_name)):
        yield f"no picture {number}", data
    for name in _given(core.test_a_format_outside_the_list_is_refused):
        yield name, encoded(core.RGB, name)
    second = Image.fromarray(core.RGB[::-1].copy())
    for name in _given(core.test_a_file_of_several_pictures_is_refused):
        yield f"several in one {name}", encoded(core.RGB, name, save_all=True, append_images=[second])
    for data, why in _given(core.test_a_tiff_whose_pixels_would_come_out_other_than_meant_is_refused):
        yield f"TIFF: expected {why}", data
    for kind, announcing in core.ANNOUNCING.items():
        yield f"{kind} of 60 megapixels", announcing(10_000, 6_000)
    for name in core.ONE_EACH:
        yield f"{name} of one pixel", encoded(rough(1, 1), name)
    for kind, data in core.WHOLE.items():
        yield f"{kind}, cut", data[: len(data) // 2]
    flipped = bytearray(core.ONE_EACH["PNG"])
    flipped[len(flipped) // 2] ^= 4
    yield "PNG with a bit flipped", bytes(flipped)


def _given(test: Any) -> list[Any]:
    """The values that a test of the core is run with."""
    (values,) = [mark.args[1] for mark in test.pytestmark if mark.name == "parametrize"]
    return list(values)
