"""`loupe catalog categorize`: one product and why, or a table of them."""

from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from tests.bundles import blank, make_bundle
from tests.catalog_bundles import CELL, KINDS, SIDE, make_catalog_bundle, photo, stranger
from tests.vision.catalog.bulk.tables import kind_of, photos, results, rows, table
from tests.vision.commands.conftest import Loupe
from vision.image import Pixels, encode_png, load


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_catalog_bundle(tmp_path / "shop.loupe").path


def picture(path: Path, image_hwc: Pixels) -> Path:
    path.write_bytes(encode_png(image_hwc))
    return path


def test_a_product_has_its_path_with_probabilities(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    shoe = picture(tmp_path / "shoe.png", photo("sneakers"))
    said = loupe("catalog", "categorize", shoe, "--bundle", bundle, "--title", "Court sneakers", "--json")
    assert said.code == 0
    assert (said.json["status"], said.json["depth"], said.json["certified"]) == ("answered", 3, True)
    assert [level["label"] for level in said.json["levels"]] == ["footwear", "shoes", "sneakers"]
    assert [level["threshold"] for level in said.json["levels"]] == [0.8, 0.7, 0.75]
    assert said.json["modalities"] == ["image", "text"]
    assert said.json["alternatives"][0]["labels"] == ["footwear", "shoes", "sneakers"]
    assert said.json["certificate"].startswith("kind: of the answers")
    assert "reasons" not in said.json
    shown = loupe("catalog", "categorize", shoe, "--bundle", bundle, "--title", "Court sneakers")
    assert "answered from image, text" in shown.out
    assert "sneakers 1.000, certified from 0.750" in shown.out


def test_several_photos_are_of_one_product(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    both = [picture(tmp_path / f"{n}.png", photo("sandals", n, cell_xy=(n, 0))) for n in range(2)]
    said = loupe("catalog", "categorize", *both, "--bundle", bundle, "--json")
    assert said.json["images"] == [str(one) for one in both]
    assert said.json["levels"][-1]["label"] == "sandals"


def test_a_title_or_attributes_alone_will_do(bundle: Path, loupe: Loupe) -> None:
    titled = loupe("catalog", "categorize", "--bundle", bundle, "--title", "凉鞋", "--json")
    assert (titled.json["modalities"], titled.json["levels"][-1]["label"]) == (["text"], "sandals")
    told = loupe(
        "catalog",
        "categorize",
        "--bundle",
        bundle,
        "--attribute",
        "season=Summer",
        "--attribute",
        "brand=a=b",
        "--json",
    )
    assert (told.json["depth"], told.json["not_understood"]) == (1, {"brand": "a=b"})
    shown = loupe(
        "catalog",
        "categorize",
        "--bundle",
        bundle,
        "--attribute",
        "season=Summer",
        "--attribute",
        "brand=[/b]",
    )
    assert "not understood: brand = [/b]: the model has not learned it" in shown.out
    assert "shoes 0.977, not answered for" in shown.out


def test_names_are_said_in_the_asked_language(bundle: Path, loupe: Loupe) -> None:
    arguments = ("catalog", "categorize", "--bundle", bundle, "--title", "凉鞋", "--language", "zh-CN")
    assert "鞋类 (footwear)" in loupe(*arguments).out
    assert [one["name"] for one in loupe(*arguments, "--json").json["levels"]] == ["鞋类", "鞋", "凉鞋"]


def test_an_explanation_adds_up(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    sock = picture(tmp_path / "sock.png", photo("sport_socks"))
    arguments = (
        "catalog",
        "categorize",
        sock,
        "--bundle",
        bundle,
        "--title",
        "woollen",
        "--attribute",
        "season=winter",
        "--explain",
    )
    why = loupe(*arguments, "--json").json["reasons"]
    assert (why["label"], why["rival"], why["level"]) == ("wool_socks", "sport_socks", "kind")
    assert set(why["shares"]) == {"image", "text", "attributes", "bias"}
    assert why["shares"]["image"] < 0 < why["shares"]["text"]
    assert why["words"][0]["word"] == "woollen"
    assert why["attributes"][0]["value"] == "winter"
    shown = loupe(*arguments)
    assert "Clothing (clothing) 0.534, certified from 0.800, not answered for" in shown.out
    assert "Why wool_socks rather than sport_socks (kind)" in shown.out
    assert f"{sum(why['shares'].values()):+.2f}" in shown.out
    assert "words: woollen +" in shown.out


def test_the_heatmap_shows_each_photo_and_where_its_evidence_lies(
    bundle: Path, tmp_path: Path, loupe: Loupe
) -> None:
    both = [picture(tmp_path / f"{n}.png", photo("sneakers", n, cell_xy=(2 * n, 0))) for n in range(2)]
    out = tmp_path / "new" / "map.png"
    said = loupe("catalog", "categorize", *both, "--bundle", bundle, "--heatmap", out, "--json")
    assert said.json["heatmap"] == str(out)
    found = load(out)
    assert found.size_wh == (2 * SIDE, SIDE)
    white = (found.image_hwc == 255).all(axis=2)  # the frame around the hottest region
    corners = [(0, 0), (0, SIDE + 2 * CELL)]
    assert all(white[corner] for corner in corners)
    assert np.count_nonzero(white[2 * CELL :]) == 0
    refused = loupe("catalog", "categorize", "--bundle", bundle, "--title", "tee", "--heatmap", out)
    assert (refused.code, "--heatmap: expected a photo that can be judged" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("image_hwc", "status", "remark"),
    [
        (stranger(), "novel", "unlike all that was learned: "),
        (blank(), "image_quality", "a photo was left out: blank frame: contrast 0"),
    ],
)
def test_what_nobody_can_answer_is_said(
    image_hwc: Pixels, status: str, remark: str, bundle: Path, tmp_path: Path, loupe: Loupe
) -> None:
    odd = picture(tmp_path / "odd.png", image_hwc)
    said = loupe("catalog", "categorize", odd, "--bundle", bundle, "--json")
    assert (said.code, said.json["status"], said.json["depth"]) == (0, status, 0)
    shown = loupe("catalog", "categorize", odd, "--bundle", bundle)
    assert f"{status} from image" in shown.out
    assert remark in shown.out


def test_a_bundle_without_a_certificate_says_so(tmp_path: Path, loupe: Loupe) -> None:
    bundle = make_catalog_bundle(tmp_path / "shop", certified=False).path
    said = loupe("catalog", "categorize", "--bundle", bundle, "--title", "tee")
    assert "no certificate: the whole path is answered, however probable" in said.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "expected a photo, or any of text, attributes that can be read, found none"),
        (("--title", "\u200b"), "expected a photo, or any of text, attributes that can be read, found none"),
        (("absent.png",), "absent.png: cannot be read: No such file"),
        (("--attribute", "season"), "expected NAME=VALUE, each name once, found 'season'"),
        (("--attribute", "a=1", "--attribute", "a=2"), "expected NAME=VALUE, each name once, found 'a=2'"),
        (("--out", "results.csv"), "--out goes with --input alone"),
        (("--input", "items.csv", "--title", "tee"), "--title goes without --input"),
        (("--input", "items.csv", "absent.png"), "IMAGE goes without --input"),
        (("--input", "items.csv"), "Missing option '--out'"),
        (("--input", "items.csv", "--out", "r.txt"), "expected a name that ends in .csv or .parquet"),
        (("--input", "absent.csv", "--out", "r.csv"), "absent.csv: expected a CSV"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    arguments: tuple[str, ...], said: str, bundle: Path, loupe: Loupe
) -> None:
    found = loupe("catalog", "categorize", "--bundle", bundle, *arguments)
    assert found.code == 2
    assert said in found.err


def test_an_inspection_bundle_and_an_unsigned_one_are_refused(
    bundle: Path, tmp_path: Path, loupe: Loupe, monkeypatch: pytest.MonkeyPatch
) -> None:
    plates = make_bundle(tmp_path / "plates").path
    said = loupe("catalog", "categorize", "--bundle", plates, "--title", "tee")
    assert (said.code, "task: expected 'catalog', found 'inspection'" in said.err) == (2, True)
    monkeypatch.setenv("LOUPE_REQUIRE_SIGNATURE", "true")
    for more in ((), ("--input", tmp_path / "items.csv", "--out", tmp_path / "r.csv")):
        unsigned = loupe("catalog", "categorize", "--bundle", bundle, *more)
        assert (unsigned.code, "expected a signature" in unsigned.err) == (2, True)


def test_a_table_is_answered_into_the_asked_file(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    photos(tmp_path / "photos")
    items = table(tmp_path / "items.csv", rows(20))
    arguments = (
        "catalog",
        "categorize",
        "--bundle",
        bundle,
        "--input",
        items,
        "--images",
        tmp_path / "photos",
    )
    said = loupe(*arguments, "--out", tmp_path / "results.parquet", "--json")
    assert said.code == 0
    assert (said.json["rows"], said.json["found_done"], said.json["statuses"]) == (20, 0, {"answered": 20})
    assert said.json["columns"] == {"paths": "path", "title": "title", "attributes": []}
    assert said.json["rows_per_s"] > 0
    found = pyarrow.parquet.read_table(tmp_path / "results.parquet").column("label_kind").to_pylist()
    assert found == [kind_of(number) for number in range(20)]
    shown = loupe(*arguments, "--out", tmp_path / "results.csv")
    assert "results.csv: 20 rows" in shown.out


def test_rows_without_an_answer_end_with_2_and_are_kept(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    photos(tmp_path)
    items = table(tmp_path / "items.csv", [*rows(3), {"id": "x", "path": "none.png", "title": "tee"}])
    said = loupe(
        "catalog", "categorize", "--bundle", bundle, "--input", items, "--out", tmp_path / "r.csv", "--json"
    )
    assert said.code == 2
    assert said.json["statuses"] == {"answered": 3, "fault": 1}
    assert results(tmp_path / "r.csv")[3]["error"].endswith(
        "none.png: cannot be read: No such file or directory"
    )


def test_titles_come_from_the_asked_column(bundle: Path, tmp_path: Path, loupe: Loupe) -> None:
    items = table(
        tmp_path / "items.csv",
        [{"id": kind, "title": "", "words": kind} for kind in KINDS[:1]]
        + [{"id": "b", "title": "", "words": "sandals"}],
    )
    arguments = ("catalog", "categorize", "--bundle", bundle, "--input", items, "--out", tmp_path / "r.csv")
    assert loupe(*arguments, "--title-column", "words", "--json").json["statuses"] == {"answered": 2}
    assert loupe(*arguments, "--json").json["statuses"] == {"fault": 2}
    assert "expected a column 'name'" in loupe(*arguments, "--title-column", "name").err
