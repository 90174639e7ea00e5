"""`loupe imagery create` and `replay`: a folder of candidates to look at, each of which can be made again."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.goods import goods
from tests.vision.commands.conftest import Loupe
from vision.image import encode_png, load
from vision.imagery.brief import Light
from vision.imagery.kept import encode_alpha
from vision.imagery.look import Table, Wall
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.studio import quiet_studio

BOTTLE = goods("bottle", seed=4, side=900)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "bottle.png"
    path.write_bytes(BOTTLE.photo_png)
    return path


def order(photo: Path, out: Path, *more: str | Path) -> list[str | Path]:
    """A command line without a scene."""
    return ["imagery", "create", "--product", photo, "--out", out, "--size", "640x640", *more]


WHITE = ("--scene", "plain-white", "--rules", "amazon.main")
OAK = ("--scene", "oak table", "--rules", "google.merchant", "--generator", "procedural")


def test_a_scene_gives_candidates_with_all_that_belongs_to_them(
    photo: Path, tmp_path: Path, loupe: Loupe
) -> None:
    out = tmp_path / "new" / "out"
    said = loupe(*order(photo, out, *OAK, "--count", "2", "--seed", "5", "--light", "left", "--json"))
    assert said.code == 0, said.err
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["index.html", "photo.png", "alpha.png"]
        + [
            f"candidate-{number}{suffix}"
            for number in (1, 2)
            for suffix in (".png", ".json", "-preview.jpg", "-difference.png")
        ]
    )
    assert (out / "photo.png").read_bytes() == BOTTLE.photo_png
    assert [one["seed"] for one in said.json["candidates"]] == [5, 6]
    for one in said.json["candidates"]:
        assert one["lock"]["changed"] == 0
        assert one["lock"]["pixels"] > 10_000
        assert load(Path(one["master"])).size_wh == (640, 640)
        assert hashlib.sha256(Path(one["manifest"]).read_bytes()).hexdigest() == one["manifest_sha256"]
    page = (out / "index.html").read_text()
    assert 'src="candidate-2-preview.jpg"' in page
    assert "http" not in page.replace("http-equiv", "")


def test_candidates_replay_from_their_manifests(photo: Path, tmp_path: Path, loupe: Loupe) -> None:
    loupe(*order(photo, tmp_path / "out", *OAK, "--count", "1"))
    manifest = tmp_path / "out" / "candidate-1.json"
    said = loupe("imagery", "replay", manifest, "--json")
    assert (said.code, said.json["verdict"], said.json["max_delta"]) == (0, "exact", 0)
    assert loupe("imagery", "replay", manifest).out.startswith("exact")
    (tmp_path / "out" / "photo.png").write_bytes(encode_png(np.zeros((900, 900, 3), np.uint8)))
    said = loupe("imagery", "replay", manifest, "--json")
    assert (said.code, said.json["verdict"]) == (2, "not_reproducible")
    assert said.json["reasons"][0].startswith("photo: expected sha256")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    path = tmp_path / "shelf.png"
    studio = replace(quiet_studio(3), wall=Wall.TEAL, table=Table.WOOD, light=Light.RIGHT)
    path.write_bytes(encode_png(render(studio, (320, 240), 11)))
    return path


def test_a_style_picture_stands_for_the_words_and_lies_beside_what_was_made(
    photo: Path, shelf: Path, tmp_path: Path, loupe: Loupe
) -> None:
    out = tmp_path / "out"
    styled = ("--style", shelf, "--rules", "google.merchant", "--generator", "procedural", "--count", "1")
    said = loupe(*order(photo, out, *styled, "--json"))
    assert said.code == 0, said.err
    assert (said.json["style"]["wall"], said.json["style"]["light"]) == ("teal", "right")
    assert said.json["candidates"][0]["facts"]["style"].startswith("taken from the style picture: teal wall")
    assert "taken from the style picture: teal wall, wood table" in said.err
    assert "taken from the style picture: teal wall" in (out / "index.html").read_text()
    assert "as in the style picture" in (out / "index.html").read_text()
    assert (out / "style.png").read_bytes() == shelf.read_bytes()
    manifest = out / "candidate-1.json"
    assert loupe("imagery", "replay", manifest, "--json").json["verdict"] == "exact"
    (out / "style.png").unlink()
    said = loupe("imagery", "replay", manifest, "--json")
    assert (said.code, said.json["reasons"]) == (2, ["style: expected beside the manifest, found none"])


def test_neither_words_nor_a_style_picture_and_one_that_is_none_are_refused(
    photo: Path, shelf: Path, tmp_path: Path, loupe: Loupe
) -> None:
    shelf.with_name("notes.txt").write_text("no picture, though long enough to be looked at")
    for more, message in (
        ((), "brief: scene: Value error, expected words or a style picture, found neither"),
        (("--style", tmp_path / "absent.png"), "absent.png"),
        (("--style", tmp_path / "notes.txt"), "style: expected one of JPEG"),
        (("--style", shelf, "--scene", "plain-white"), "expected a scene with a look to a style picture"),
    ):
        said = loupe(*order(photo, tmp_path / "out", "--rules", "shopify", *more, "--json"))
        assert said.code == 2
        assert message in said.json["error"]["message"]
        assert not (tmp_path / "out").exists()


def test_no_manifest_is_no_candidate(tmp_path: Path, loupe: Loupe) -> None:
    (tmp_path / "candidate-1.json").write_text("[1]")
    for path, message in (
        (tmp_path / "candidate-1.json", "manifest: "),
        (tmp_path / "absent.json", "cannot be read"),
    ):
        said = loupe("imagery", "replay", path, "--json")
        assert said.code == 2
        assert message in said.json["error"]["message"]


def test_plain_white_is_one_candidate_by_the_plain_generator(
    photo: Path, tmp_path: Path, loupe: Loupe
) -> None:
    said = loupe(*order(photo, tmp_path / "out", *WHITE, "--json"))
    assert said.code == 0, said.err
    (one,) = said.json["candidates"]
    assert said.json["brief"]["generator"] == "plain-white"
    image = load(Path(one["master"])).image_hwc
    assert np.all(image[0] == 255)
    refused = loupe(*order(photo, tmp_path / "other", *WHITE, "--generator", "procedural", "--json"))
    assert refused.code == 2
    assert "--generator: expected none with --scene plain-white" in refused.json["error"]["message"]


def test_a_mask_that_is_handed_in_is_the_cut_out(photo: Path, tmp_path: Path, loupe: Loupe) -> None:
    mask = tmp_path / "mask.png"
    mask.write_bytes(encode_alpha(BOTTLE.alpha_hw))
    said = loupe(*order(photo, tmp_path / "out", *WHITE, "--mask", mask, "--json"))
    assert said.json["cutout"]["how"] == "mask"


def test_nothing_in_the_folder_is_written_over(photo: Path, tmp_path: Path, loupe: Loupe) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert loupe(*order(photo, out, *WHITE)).code == 0
    assert (out / "notes.txt").read_text() == "mine"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    said = loupe(*order(photo, out, *WHITE, "--json"))
    assert said.code == 2
    assert "nothing is written over, choose another folder" in said.json["error"]["message"]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    "name", ["photo.jpg", "photo.tif", "style.webp", "alpha.png", "candidate-1-difference.png"]
)
def test_a_folder_with_anything_that_would_be_taken_for_the_candidates_own_is_refused(
    name: str, photo: Path, tmp_path: Path, loupe: Loupe
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_bytes(b"another")
    said = loupe(*order(photo, out, *WHITE, "--json"))
    assert said.code == 2
    assert f"expected a folder without {name}, found one" in said.json["error"]["message"]
    assert [path.name for path in out.iterdir()] == [name]


def test_a_folder_that_holds_candidates_is_no_place_for_an_orders_either(
    photo: Path, tmp_path: Path, loupe: Loupe
) -> None:
    out = tmp_path / "out"
    loupe(*order(photo, out, *WHITE))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    said = loupe("imagery", "submit", "--product", photo, *OAK, "--out", out, "--json")
    assert (said.code, said.json["error"]["type"]) == (2, "ImageryError"), "and not that there is no server"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_an_out_that_is_a_file_is_left_alone(photo: Path, tmp_path: Path, loupe: Loupe) -> None:
    said = loupe(*order(photo, photo, *WHITE, "--json"))
    assert (said.code, said.json["error"]["type"]) == (1, "StorageError")
    assert photo.read_bytes() == BOTTLE.photo_png


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--scene", "oak " * 2500, "--rules", "amazon.main"), "at most 1000 characters; found 10000 characters"),
        (("--scene", "oak\x07", "--rules", "amazon.main"), "found the character U+0007"),
        (("--scene", "oak table, big logo", "--rules", "amazon.main"), "found 'logo'"),
        (("--scene", "oak", "--rules", "nowhere"), "nowhere"),
        (("--scene", "oak", "--rules", ""), "rule"),
        ((*OAK[:4], "--generator", "nothing"), "expected one of plain-white, procedural, studio-64, found 'nothing'"),
        ((*OAK[:4], "--generator", "../x"), "brief: generator"),
        ((*OAK, "--size", "big"), "--size: expected width x height in pixels, such as 1600x1600, found 'big'"),
        ((*OAK, "--size", "99x640"), "brief: size_wh.0"),
        ((*OAK, "--size", "4096x4096"), "taken alike would do"),
        ((*OAK, "--count", "99"), "brief: count"),
        ((*OAK, "--horizon", "2"), "brief: layout.horizon"),
        ((*OAK, "--mask", "absent.png"), "absent.png: cannot be read"),
    ],
)  # fmt: skip
def test_bad_input_is_named_and_nothing_is_written(
    options: tuple[str, ...], message: str, photo: Path, tmp_path: Path, loupe: Loupe
) -> None:
    said = loupe(*order(photo, tmp_path / "out"), *options, "--json")
    assert said.code == 2
    assert message in said.json["error"]["message"]
    assert not (tmp_path / "out").exists()


@pytest.mark.torch
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--offload",), "offload: expected with a GPU alone, found the device cpu"),
        (("--dtype", "int8"), "dtype: expected one of float32, float16, bfloat16, found 'int8'"),
    ],
)
def test_what_a_trained_model_cannot_run_on_is_named(
    options: tuple[str, ...], message: str, photo: Path, tmp_path: Path, loupe: Loupe
) -> None:
    pytest.importorskip("diffusers", reason="needs the extra diffusion: pip install 'loupe[diffusion]'")
    studio = (*OAK[:4], "--generator", "studio-64", *options, "--json")
    said = loupe(*order(photo, tmp_path / "out"), *studio)
    assert said.code == 2
    assert message in said.json["error"]["message"]


def test_people_see_a_table_and_where_to_look(photo: Path, tmp_path: Path, loupe: Loupe) -> None:
    said = loupe(*order(photo, tmp_path / "out", *WHITE))
    assert "changed" in said.out
    assert f"to look at: {tmp_path}/out/index.html" in said.out
