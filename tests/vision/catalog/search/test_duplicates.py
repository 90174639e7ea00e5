"""Copies of a picture are told from pictures that look like it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.pictures import encoded, rough, smooth
from tests.vision.catalog.search.items import item, items, opened, vectors
from vision.catalog.search.duplicates import Kind, near_duplicates
from vision.catalog.search.signature import BYTES, COPY_BITS, differing_bits, known, signature, unknown
from vision.catalog.search.values import Item
from vision.errors import InputError
from vision.image import Pixels, decode


def scene(seed: int) -> Pixels:
    """uint8 (192, 256, 3): boxes of many sizes and greys, other ones for each seed."""
    rng = np.random.default_rng(seed)
    light = np.full((192, 256), 90, np.uint8)
    for _ in range(40):
        top, left = rng.integers(0, 180), rng.integers(0, 240)
        light[top : top + rng.integers(8, 100), left : left + rng.integers(8, 100)] = rng.integers(20, 200)
    return np.repeat(light[:, :, None], 3, axis=2)


def again(pixels: Pixels, quality: int = 50) -> Pixels:
    return decode(encoded(pixels, "JPEG", quality=quality)).image_hwc


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_encoded_anew_made_smaller_or_brighter_keeps_its_signature(seed: int) -> None:
    picture = scene(seed)
    brighter = np.clip(picture * 1.15, 0, 255).astype(np.uint8)
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 5, picture.shape), 0, 255).astype(np.uint8)
    smaller = np.asarray(cv2.resize(picture, (128, 96), interpolation=cv2.INTER_AREA), np.uint8)
    for copy in (again(picture), smaller, brighter, noisy):
        assert differing_bits(signature(picture), signature(copy)) <= COPY_BITS


def test_other_pictures_have_other_signatures() -> None:
    signatures = [signature(scene(seed)) for seed in range(20)]
    differences = [
        differing_bits(one, other) for one in signatures for other in signatures if one is not other
    ]
    assert min(differences) > 3 * COPY_BITS


@pytest.mark.parametrize("pixels", [rough(300, 200), smooth(64, 64), scene(0)[:, :, 0]])
def test_a_signature_is_32_bytes_and_known(pixels: Pixels) -> None:
    found = signature(pixels)
    assert found.shape == (BYTES,)
    assert found.dtype == np.uint8
    assert known(found)


def put(item_id: str, seed: int, picture: Pixels) -> Item:
    return Item(item_id=item_id, vectors=vectors(1, seed), signatures=signature(picture)[None])


def test_an_upload_is_held_against_what_is_there(tmp_path: Path) -> None:
    upload = vectors(1, 1)[0]
    close = Item(
        item_id="copy", vectors=(upload + 0.3 * vectors(1, 2)), signatures=signature(again(scene(1)))[None]
    )
    alike = Item(
        item_id="alike", vectors=(upload + 0.2 * vectors(1, 3)), signatures=signature(scene(2))[None]
    )
    with opened(tmp_path) as index:
        index.apply([put("original", 1, scene(1)), close, alike, put("other", 9, scene(9)), *items(30)[2:]])
        found = near_duplicates(index, upload, signature(scene(1)))
        assert [(one.item_id, one.kind) for one in found] == [("original", Kind.SAME), ("copy", Kind.COPY)]
        assert found[0].similarity > found[1].similarity
        itself = near_duplicates(index, upload, signature(scene(1)), exclude={"original"})
        assert [one.item_id for one in itself] == ["copy"]
        assert [one.item_id for one in near_duplicates(index, upload)] == ["original"]
        assert near_duplicates(index, vectors(1, 5000)[0], signature(scene(50))) == ()


def test_pictures_whose_signature_nobody_took_are_no_copies_of_each_other(tmp_path: Path) -> None:
    with opened(tmp_path) as index:
        index.apply(items(30))
        assert near_duplicates(index, vectors(1, 5000)[0], unknown(1)[0]) == ()
        assert [one.item_id for one in near_duplicates(index, item(7).vectors[1], unknown(1)[0])] == [
            "item-7"
        ]


@pytest.mark.parametrize("bad", [np.zeros(31, np.uint8), np.zeros(32), np.zeros((1, 32), np.uint8)])
def test_what_is_no_signature_is_refused(tmp_path: Path, bad: np.ndarray) -> None:
    with opened(tmp_path) as index, pytest.raises(InputError, match=r"signature: expected uint8 \(32,\)"):
        near_duplicates(index, vectors(1, 0)[0], bad)
