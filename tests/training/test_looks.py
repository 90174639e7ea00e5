from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.pictures import encoded, rough, smooth
from training.looks import GREY_PX, Look, look, look_at
from vision.errors import ImageError


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_look_keeps_digests_size_and_a_small_grey_copy(tmp_path: Path) -> None:
    seen = look(written(tmp_path / "part.png", encoded(smooth(300, 200), "PNG")))
    assert seen.size_wh == (300, 200)
    assert seen.grey.shape == (GREY_PX, GREY_PX)
    assert seen.grey.dtype == np.uint8
    assert seen.luma == pytest.approx(float(seen.grey.mean()), abs=1)


def test_lossless_reencoding_keeps_the_pixels_digest_and_changes_the_files(tmp_path: Path) -> None:
    png = look(written(tmp_path / "part.png", encoded(rough(200, 200), "PNG")))
    bmp = look(written(tmp_path / "part.bmp", encoded(rough(200, 200), "BMP")))
    assert png.pixels == bmp.pixels
    assert png.sha256 != bmp.sha256


def test_a_change_of_colour_alone_changes_the_pixels_digest(tmp_path: Path) -> None:
    red, green = np.zeros((2, 50, 50, 3), np.uint8)
    red[:] = (100, 0, 0)
    green[:] = (0, 51, 0)  # the same luma
    seen = [look(written(tmp_path / f"{n}.png", encoded(p, "PNG"))) for n, p in enumerate((red, green))]
    assert np.array_equal(seen[0].grey, seen[1].grey)
    assert seen[0].pixels != seen[1].pixels


def test_a_blurred_picture_is_less_sharp_and_a_white_one_clipped(tmp_path: Path) -> None:
    sharp = look(written(tmp_path / "sharp.png", encoded(rough(200, 200), "PNG")))
    blurred = look(
        written(tmp_path / "blurred.png", encoded(cv2.GaussianBlur(rough(200, 200), (0, 0), 3), "PNG"))
    )
    white = look(written(tmp_path / "white.png", encoded(np.full((50, 50, 3), 255, np.uint8), "PNG")))
    assert blurred.sharpness < sharp.sharpness - 3
    assert (white.clipped, white.luma) == (1.0, 255.0)
    assert sharp.clipped < 0.1


def test_those_that_cannot_be_read_keep_their_place_and_the_others_go_on(tmp_path: Path) -> None:
    good = written(tmp_path / "good.png", encoded(smooth(50, 50), "PNG"))
    text = written(tmp_path / "notes.png", b"not a picture at all")
    done: list[int] = []
    results = look_at([tmp_path / "missing.png", good, text, good], done.append)
    assert [type(result) for result in results] == [ImageError, Look, ImageError, Look]
    assert "missing.png: cannot be read" in str(results[0])
    assert sum(done) == 4


def test_looking_at_nothing_gives_nothing() -> None:
    assert look_at([]) == []
