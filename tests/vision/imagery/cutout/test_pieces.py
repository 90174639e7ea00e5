"""Dust goes, pieces stay; a hole stays where the backdrop is seen through it."""

import numpy as np

from vision.imagery.cutout.backdrop import Mask
from vision.imagery.cutout.pieces import without_dust, without_false_holes


def block() -> Mask:
    mask = np.zeros((100, 100), bool)
    mask[20:80, 20:80] = True
    return mask


def test_an_empty_mask_has_no_pieces() -> None:
    empty = np.zeros((9, 9), bool)
    left, pieces = without_dust(empty)

    assert not left.any()
    assert pieces == 0


def test_dust_goes_and_a_second_piece_stays() -> None:
    dusty = block()
    dusty[2, 3:30] = True  # 27 of 3600 pixels
    dusty[90:97, 40:60] = True  # 140 of 3600
    left, pieces = without_dust(dusty)

    assert pieces == 2
    assert left[92, 50]
    assert not left[2].any()


def test_a_hole_with_the_backdrop_behind_it_stays() -> None:
    ring = block()
    ring[40:60, 40:60] = False
    like_the_backdrop = np.zeros((100, 100), np.float32)

    assert np.array_equal(without_false_holes(ring, like_the_backdrop), ring)


def test_a_hole_with_the_product_in_it_is_filled() -> None:
    ring = block()
    ring[40:60, 40:60] = False

    assert np.array_equal(without_false_holes(ring, np.full((100, 100), 9, np.float32)), block())


def test_a_pinhole_is_filled_whatever_is_seen_through_it() -> None:
    pricked = block()
    pricked[50, 50:53] = False

    assert np.array_equal(without_false_holes(pricked, np.zeros((100, 100), np.float32)), block())


def test_a_notch_is_no_hole() -> None:
    notched = block()
    notched[20:60, 45:55] = False

    assert np.array_equal(without_false_holes(notched, np.full((100, 100), 9, np.float32)), notched)
