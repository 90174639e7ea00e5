"""`loupe imagery check`, `fix` and `rules`: findings for people and programs, exit codes, and what is refused."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.vision.commands.conftest import Loupe
from tests.vision.imagery.compliance.mutations import good
from tests.vision.imagery.compliance.mutations import written as with_words
from tests.vision.imagery.compliance.shots import Shot, placed
from vision.image import encode_png

OWN = """
name = "own"
title = "Our [shop]"
version = 3
[[rules]]
id = "side.min"
kind = "shortest_side"
value = { min = 300 }
severity = "fail"
source = "our handbook"
checked_on = 2026-11-01
status = "verified"
[[rules]]
id = "fill"
kind = "fill"
value = { min = 0.8 }
severity = "fail"
source = "our handbook"
checked_on = 2026-11-01
status = "verified"
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    return path


def written(tmp_path: Path, shot: Shot, name: str = "mug.jpg") -> Path:
    path = tmp_path / name
    path.write_bytes(shot.encoded())
    return path


def small(**how: float) -> Shot:
    return placed(np.random.default_rng(1), size=400, **how)  # type: ignore[arg-type]


def test_a_good_image_passes_and_ends_with_0(tmp_path: Path, own: Path, loupe: Loupe) -> None:
    said = loupe("imagery", "check", written(tmp_path, small()), "--rules", own, "--json")
    assert (said.code, said.json["ok"]) == (0, True)
    (report,) = said.json["images"][0]["reports"]
    assert (report["rule_set"], report["version"], report["status"]) == ("own", 3, "pass")


def test_a_broken_rule_is_shown_with_its_source_and_ends_with_1(
    tmp_path: Path, own: Path, loupe: Loupe
) -> None:
    said = loupe("imagery", "check", written(tmp_path, small(fill=0.5)), "--rules", own)
    assert said.code == 1
    assert "own version 3: fail" in said.out
    line = next(line for line in said.out.splitlines() if line.startswith("│ fill"))
    for part in ("fail", "0.5", "min 0.8", "crop or pad to", "our handbook", "verified, 2026-11-01"):
        assert part in line


def test_several_images_and_sets_are_checked_and_one_that_cannot_be_read_ends_with_2(
    tmp_path: Path, own: Path, loupe: Loupe
) -> None:
    good, broken = written(tmp_path, small()), tmp_path / "no.png"
    broken.write_bytes(b"no picture")
    said = loupe("imagery", "check", good, broken, "--rules", f"{own}, shopify", "--json")
    assert said.code == 2
    first, second = said.json["images"]
    assert [report["rule_set"] for report in first["reports"]] == ["own", "shopify"]
    assert str(broken) in second["error"]


def test_the_mask_is_believed_rather_than_the_background(tmp_path: Path, own: Path, loupe: Loupe) -> None:
    mask = np.zeros((400, 400), np.uint8)
    mask[100:300, 150:250] = 255
    path = tmp_path / "mask.png"
    path.write_bytes(cv2.imencode(".png", mask)[1].tobytes())
    said = loupe("imagery", "check", written(tmp_path, small()), "--rules", own, "--mask", path, "--json")
    found = said.json["images"][0]["reports"][0]["findings"][1]
    assert (found["measured"], found["note"]) == (0.5, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--rules", "walmart"), "rules: expected one of amazon.main"),
        (("--rules", ""), "found ''"),
        (("--rules", "nowhere.toml"), "nowhere.toml: expected a TOML file"),
    ],
)
def test_unknown_rules_are_refused(
    tmp_path: Path, loupe: Loupe, arguments: tuple[str, ...], complaint: str
) -> None:
    said = loupe("imagery", "check", written(tmp_path, small()), *arguments)
    assert said.code == 2
    assert complaint in said.err


def test_a_mask_for_two_images_is_refused(tmp_path: Path, own: Path, loupe: Loupe) -> None:
    image = written(tmp_path, small())
    said = loupe("imagery", "check", image, image, "--rules", own, "--mask", image)
    assert (said.code, "--mask: expected one image to go with it, found 2" in said.err) == (2, True)


def test_text_on_the_product_that_its_photo_does_not_show_is_told(tmp_path: Path, loupe: Loupe) -> None:
    pytest.importorskip("rapidocr", reason="the ocr extra is not installed")
    plain = good("google.merchant", np.random.default_rng(4), told=True, size=1000)
    lettered = with_words(plain, "ACME COFFEE", (0.3, 0.6), 0.06, (255, 255, 255))
    mask = tmp_path / "mask.png"
    mask.write_bytes(encode_png(plain.alpha_hw))

    def text_by(photo: Shot) -> str:
        said = loupe(
            "imagery", "check", written(tmp_path, lettered), "--mask", mask, "--photo", written(tmp_path, photo, "photo.jpg"),
            "--rules", "google.merchant", "--json",
        )  # fmt: skip
        findings = said.json["images"][0]["reports"][0]["findings"]
        return str(next(one["status"] for one in findings if one["kind"] == "no_text"))

    assert text_by(lettered) == "pass"
    assert text_by(plain) == "fail"


def test_an_image_is_put_right_into_a_new_file(tmp_path: Path, own: Path, loupe: Loupe) -> None:
    out = tmp_path / "out.png"
    said = loupe("imagery", "fix", written(tmp_path, small(fill=0.7)), "--rules", own, "--out", out, "--json")
    assert (said.code, said.json["ok"], said.json["format"]) == (0, True, "PNG")
    assert said.json["changes"][0].startswith("crop or pad to")
    assert loupe("imagery", "check", out, "--rules", own).code == 0


def test_an_image_is_not_put_right_over_itself(tmp_path: Path, own: Path, loupe: Loupe) -> None:
    image = written(tmp_path, small(fill=0.7))
    before = image.read_bytes()
    said = loupe("imagery", "fix", image, "--rules", own, "--out", image)
    assert (said.code, "--out: expected a file that is not read" in said.err) == (2, True)
    assert image.read_bytes() == before


def test_what_cannot_be_put_right_is_said_and_ends_with_1(tmp_path: Path, own: Path, loupe: Loupe) -> None:
    out = tmp_path / "out.jpg"
    tiny = written(tmp_path, small().resized(100, 100))
    said = loupe("imagery", "fix", tiny, "--rules", own, "--out", out)
    assert said.code == 1
    assert "unfixable: side.min: it would have to be enlarged 3.00 times" in said.out
    assert out.read_bytes() == tiny.read_bytes()


def test_a_format_that_is_not_allowed_is_not_written(tmp_path: Path, loupe: Loupe) -> None:
    image = written(tmp_path, replace(small(), format="PNG"), "mug.png")
    said = loupe("imagery", "fix", image, "--rules", "etsy", "--out", tmp_path / "out.webp")
    assert said.code == 2
    assert "--out: expected a name that ends in .png, found 'out.webp'" in said.err
    assert not (tmp_path / "out.webp").exists()


def test_rule_sets_are_listed_and_shown_with_their_sources(loupe: Loupe, own: Path) -> None:
    listed = loupe("imagery", "rules", "--json").json["rule_sets"]
    assert {one["name"]: one["status"] for one in listed}["taobao"] == "unverified"
    shown = loupe("imagery", "rules", "ebay")
    assert "ebay.com/help/policies/listing-policies/picture-policy?id=4370" in shown.out
    assert "Our [shop]" in loupe("imagery", "rules", own).out


def test_what_is_not_known_is_said_not_to_be_checked(tmp_path: Path, loupe: Loupe) -> None:
    path = tmp_path / "white.png"
    path.write_bytes(encode_png(np.full((900, 900, 3), 255, np.uint8)))
    said = loupe("imagery", "check", path, "--rules", "tmall")
    assert said.code == 0
    assert "not checked" in said.out
    assert "it is not known whether AI made a part of the image" in said.out
    assert loupe("imagery", "check", path, "--rules", "tmall", "--ai").code == 1
