"""`loupe imagery cutout`: an alpha plane to correct and a picture of it; the corrected one goes back in."""

from pathlib import Path

import numpy as np
import pytest

from tests.goods import goods
from tests.vision.commands.conftest import Loupe
from vision.image import encode_png, load
from vision.imagery.cutout.mask import read_mask

GOOD = goods("bag", 0, 400)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "bag.png"
    path.write_bytes(GOOD.photo_png)
    return path


def test_alpha_and_overlay_are_written_and_named(photo: Path, tmp_path: Path, loupe: Loupe) -> None:
    out = tmp_path / "out" / "alpha.png"
    said = loupe("imagery", "cutout", photo, "--out", out, "--json")

    assert said.code == 0
    assert said.json["alpha"] == str(out)
    assert said.json["quality"] > 0.8
    assert said.json["warnings"] == []
    alpha = read_mask(out.read_bytes(), (400, 400))
    assert np.abs(alpha.astype(int) - GOOD.alpha_hw).mean() < 2
    assert load(Path(said.json["overlay"])).size_wh == (400, 400)


def test_a_corrected_plane_goes_back_in_unchanged(photo: Path, tmp_path: Path, loupe: Loupe) -> None:
    mask, out = tmp_path / "mask.png", tmp_path / "alpha.png"
    mask.write_bytes(encode_png(GOOD.alpha_hw))
    said = loupe("imagery", "cutout", photo, "--mask", mask, "--out", out, "--json")

    assert said.json["how"] == "mask"
    assert np.array_equal(read_mask(out.read_bytes(), (400, 400)), GOOD.alpha_hw)


def test_people_are_told_what_is_doubtful(tmp_path: Path, loupe: Loupe) -> None:
    cropped = tmp_path / "cropped.png"
    cropped.write_bytes(encode_png(GOOD.photo_hwc[:, 150:].copy()))
    said = loupe("imagery", "cutout", cropped, "--out", tmp_path / "alpha.png")

    assert said.code == 0
    assert "alpha-overlay.jpg" in said.out
    assert "warning: the product touches the photo's border" in said.err


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("--out", "alpha.jpg"), "SettingsError", "--out: expected the name of a PNG, found alpha.jpg"),
        (
            ("--out", "alpha.png", "--mask", "none.png"),
            "ImageError",
            "none.png: cannot be read: No such file",
        ),
    ],
)
def test_what_does_not_fit_ends_with_2_and_its_name(
    arguments: tuple[str, ...], kind: str, message: str, photo: Path, loupe: Loupe
) -> None:
    said = loupe("imagery", "cutout", photo, *arguments, "--json")

    assert said.code == 2
    assert said.json["error"]["type"] == kind
    assert message in said.json["error"]["message"]


@pytest.mark.parametrize("out", ["bag.png", "../folder/bag.png", "mask.png", "photo.png"])
def test_what_is_read_is_never_written_over(out: str, tmp_path: Path, loupe: Loupe) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    mask = folder / "mask.png"
    mask.write_bytes(encode_png(GOOD.alpha_hw))
    photo = folder / ("photo-overlay.jpg" if out == "photo.png" else "bag.png")
    photo.write_bytes(GOOD.photo_png)
    said = loupe("imagery", "cutout", photo, "--mask", mask, "--out", folder / out, "--json")

    assert (said.code, said.json["error"]["type"]) == (2, "SettingsError")
    assert "--out: expected a file that is not read" in said.json["error"]["message"]
    assert photo.read_bytes() == GOOD.photo_png
    assert mask.read_bytes() == encode_png(GOOD.alpha_hw)


def test_an_inverted_mask_writes_nothing(photo: Path, tmp_path: Path, loupe: Loupe) -> None:
    mask, out = tmp_path / "mask.png", tmp_path / "alpha.png"
    mask.write_bytes(encode_png(255 - GOOD.alpha_hw))
    said = loupe("imagery", "cutout", photo, "--mask", mask, "--out", out, "--json")

    assert said.code == 2
    assert "it looks inverted" in said.json["error"]["message"]
    assert not out.exists()
