"""`loupe inspect`: every picture gets its answer, whatever is wrong with the others."""

from pathlib import Path

import pytest

from tests.bundles import (
    BLUE,
    FLOAT32,
    INT8,
    PALE,
    SIDE,
    blank,
    make_bundle,
    part,
    spotted,
    stranger,
)
from tests.vision.commands.conftest import Loupe
from vision.image import Pixels, encode_png, load


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "plates.loupe", int8=True).path


def picture(path: Path, image_hwc: Pixels) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode_png(image_hwc))
    return path


def test_each_picture_gets_its_verdict_in_its_place(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    pictures = {
        "good": part(),
        "red": spotted(),
        "pale": spotted(colour=PALE),
        "odd": stranger(),
        "off": blank(),
    }
    paths = [picture(tmp_path / f"{name}.png", image_hwc) for name, image_hwc in pictures.items()]
    said = loupe("inspect", bundle, *paths, "--json")
    assert said.code == 0
    assert [result["image"] for result in said.json["results"]] == [str(path) for path in paths]
    assert [(result["decision"], result["reason"]) for result in said.json["results"]] == [
        ("accept", "confident"),
        ("reject", "confident"),
        ("review", "uncertain"),
        ("review", "novel"),
        ("review", "image_quality"),
    ]
    assert said.json["counts"] == {"accept": 1, "reject": 1, "review": 3}
    assert said.json["certificate"].startswith("at most 1% of defective parts")
    assert said.json["signed_by"] is None


def test_a_result_says_all_that_a_verdict_holds(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    said = loupe("inspect", bundle, picture(tmp_path / "red.png", spotted()), "--json")
    (result,) = said.json["results"]
    assert result["label"] == "red"
    assert result["probability"] == pytest.approx(1 - result["probabilities"]["good"])
    assert result["certified"] is True
    assert 0 <= result["novelty"] <= 1
    assert set(result["quality"]) == {"sharpness", "brightness", "contrast", "clipped"}
    assert result["timings"]["prepare_ms"] > 0


def test_a_picture_that_cannot_be_read_goes_to_review_and_the_others_are_judged(
    bundle: Path, tmp_path: Path, loupe: Loupe
) -> None:
    (tmp_path / "broken.png").write_bytes(encode_png(part())[:200])
    good = picture(tmp_path / "good.png", part())
    said = loupe("inspect", bundle, tmp_path / "broken.png", good, tmp_path / "absent.png", "--json")
    assert said.code == 2
    broken, judged, absent = said.json["results"]
    assert (judged["decision"], judged["reason"]) == ("accept", "confident")
    for result, name in ((broken, "broken.png"), (absent, "absent.png")):
        assert (result["decision"], result["reason"]) == ("review", "fault")
        assert result["probability"] is None
        assert result["certified"] is False
        assert name in result["error"]
    assert said.json["counts"] == {"accept": 1, "reject": 0, "review": 2}


def test_people_see_a_table_and_the_certificate(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    said = loupe("inspect", bundle, picture(tmp_path / "red.png", spotted()), tmp_path / "absent.png")
    assert said.code == 2
    assert "red.png" in said.out
    assert "probability of defect 0.99988, rejected from 0.900" in said.out
    assert "fault" in said.out
    assert "at most 1% of defective parts are accepted" in said.out


def test_an_uncertified_bundle_says_that_it_accepts_nothing(tmp_path: Path, loupe: Loupe) -> None:
    bundle = make_bundle(tmp_path / "plates", certified=False).path
    said = loupe("inspect", bundle, picture(tmp_path / "good.png", part()))
    assert said.code == 0
    assert "no certificate: nothing is accepted until `loupe certify`" in said.out
    assert "review" in said.out


@pytest.mark.parametrize("name", ["[/red].png", "[bold]part.png", "[red.png"])
def test_names_that_look_like_markup_are_shown_as_they_are(
    name: str, bundle: Path, tmp_path: Path, loupe: Loupe
) -> None:
    good = picture(tmp_path / "parts" / name.replace("/", "_"), part())
    said = loupe("inspect", bundle, good, tmp_path / "absent" / name)
    assert said.code == 2
    assert good.name in said.out
    assert f"{tmp_path}/absent/{name}: cannot be read" in said.out


def test_an_explanation_says_where_and_what_without_it(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    paths = [picture(tmp_path / "blue.png", spotted(colour=BLUE)), picture(tmp_path / "good.png", part())]
    said = loupe("inspect", bundle, *paths, "--explain", "--json")
    blue, good = (result["explanation"] for result in said.json["results"])
    assert blue["defect"] == "blue"
    assert blue["box_xyxy"] == [32, 64, 64, 96]
    assert blue["counterfactual"]["decision"] == "accept"
    assert blue["contribution"] == pytest.approx(14.34, abs=0.01)
    assert (good["box_xyxy"], good["counterfactual"]) == (None, None)
    assert "nothing in the picture speaks for" in good["text"]
    shown = loupe("inspect", bundle, *paths, "--explain")
    assert "with it replaced by its surroundings the verdict would be accept" in shown.out


def test_heatmaps_are_written_as_pictures_of_the_networks_size(
    bundle: Path, tmp_path: Path, loupe: Loupe
) -> None:
    paths = [picture(tmp_path / "red.png", spotted()), tmp_path / "absent.png"]
    said = loupe("inspect", bundle, *paths, "--heatmap", tmp_path / "new" / "maps", "--json")
    red, absent = said.json["results"]
    assert red["heatmap"] == f"{tmp_path}/new/maps/red.png"
    assert load(Path(red["heatmap"])).size_wh == (SIDE, SIDE)
    assert "heatmap" not in absent
    assert "explanation" not in red


def test_pictures_of_the_same_name_keep_their_own_heatmaps(
    bundle: Path, tmp_path: Path, loupe: Loupe
) -> None:
    paths = [
        picture(tmp_path / "a" / "part.png", spotted()),
        picture(tmp_path / "b" / "part.png", part()),
        picture(tmp_path / "c" / "part-2.png", spotted(colour=BLUE)),
        picture(tmp_path / "c" / "part.png", stranger()),
    ]
    said = loupe("inspect", bundle, *paths, "--heatmap", tmp_path / "maps", "--json")
    names = [Path(result["heatmap"]).name for result in said.json["results"]]
    assert names == ["part.png", "part-2.png", "part-2-2.png", "part-3.png"]
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == sorted(names)
    maps = [load(Path(result["heatmap"])).image_hwc.tobytes() for result in said.json["results"]]
    assert len(set(maps)) == 4


def test_a_folder_that_cannot_be_written_ends_with_1(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    good = picture(tmp_path / "good.png", part())
    said = loupe("inspect", bundle, good, "--heatmap", good, "--json")
    assert said.code == 1
    assert said.json["error"]["type"] == "StorageError"


def test_the_asked_file_and_threads_are_used(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    good = picture(tmp_path / "good.png", part())
    said = loupe("inspect", bundle, good, "--file", INT8, "--threads", "2", "--json")
    assert said.json["model"] == {"file": INT8, "threads": 2}
    assert loupe("inspect", bundle, good, "--json").json["model"]["file"] == FLOAT32
    absent = loupe("inspect", bundle, good, "--file", "absent.onnx", "--json")
    assert absent.code == 2
    assert "absent.onnx" in absent.json["error"]["message"]


def test_the_installed_script_inspects(bundle: Path, tmp_path: Path, installed_loupe: Loupe) -> None:
    said = installed_loupe("inspect", bundle, picture(tmp_path / "red.png", spotted()), "--json")
    assert said.code == 0, said.err
    assert said.json["counts"] == {"accept": 0, "reject": 1, "review": 0}
    assert said.err == ""
