"""What people corrected on a server is read as a model's own data are."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.catalog.shop import LEVELS, lessons, planned, read_shop, shop
from training.catalog.corrections import read_corrections, to_learn
from training.catalog.lesson import allowed_paths, beside
from vision.errors import CatalogError, ManifestError

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corrections")
    return lessons(folder, read_shop(shop(folder / "shop", each=3)).items)


def test_photos_lie_beside_the_manifest_and_titles_are_called_as_the_model_calls_them(made: Path) -> None:
    items = read_corrections(made, levels=LEVELS, titles=["words", "name"], attributes=["size", "season"])
    assert all(item.path.parent == made.parent / "photos" for item in items)
    assert any(item.columns["title"] for item in items)
    for item in items:
        assert item.columns["words"] == item.columns["name"] == item.columns["title"]
        assert item.columns["season"] == ""
    assert {item.columns["size"] for item in items} == {"small"}


def test_a_product_has_one_group_for_all_its_photos(made: Path) -> None:
    assert {item.group for item in read_corrections(made, levels=LEVELS)} >= {"ruby0", "tile2"}


def test_an_export_is_of_the_train_split_and_so_are_its_rows_from_before_it_said_so(
    made: Path, tmp_path: Path
) -> None:
    assert {item.columns["split"] for item in read_corrections(made, levels=LEVELS)} == {"train"}
    older = lessons(tmp_path, read_shop(shop(tmp_path / "shop", each=3)).items)
    older.write_text(older.read_text().replace(",train,", ",,"))
    assert {item.split for item in read_corrections(older, levels=LEVELS)} == {"train"}


def test_what_is_one_of_its_kind_is_learned_from_and_a_product_stays_in_one_part(
    made: Path, tmp_path: Path
) -> None:
    path = shop(tmp_path / "shop")
    plain, manifest = planned(path), read_shop(path)
    (tune, *_) = (item.group for item in plain.role("tune"))
    some = read_corrections(made, levels=LEVELS, attributes=["size"])[:2]
    kinds = [{**some[0].columns, "kind": "sapphire"}, some[1].columns]
    corrected = [
        replace(item, columns=columns, label=columns["kind"], group=group)
        for item, columns, group in zip(some, kinds, ("new", tune), strict=True)
    ]
    run = planned(path, corrected=to_learn(corrected, manifest))
    assert "sapphire" in run.labels
    assert {item.path for item in run.role("train")} - {item.path for item in plain.role("train")} == {
        some[0].path
    }
    assert {item.path for item in run.role("tune")} - {item.path for item in plain.role("tune")} == {
        some[1].path
    }


def test_a_correction_may_leave_a_level_open_above_the_one_it_tells(tmp_path: Path) -> None:
    path = shop(tmp_path / "shop")
    file = lessons(tmp_path / "corrections", read_shop(shop(tmp_path / "later", each=1, seed=1)).items)
    file.write_text(file.read_text().replace(",goods,", ",,"))
    corrected = read_corrections(file, levels=LEVELS, attributes=["size"])
    assert {item.label for item in corrected if not item.columns["department"]} > {"tile"}
    run = planned(path, corrected=corrected)
    assert run.tree == planned(path).tree
    assert allowed_paths(corrected, run.taxonomy).sum(1).tolist() == [1] * len(corrected)


def test_a_row_that_is_kept_for_calibration_is_not_to_learn(made: Path, tmp_path: Path) -> None:
    first, second, *_ = read_corrections(made, levels=LEVELS)
    path = shop(tmp_path / "shop")
    assert to_learn([replace(first, split="val"), second], read_shop(path)) == (second,)


def test_titles_under_neither_name_are_told(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "manifest.csv"
    other.write_text(made.read_text().replace(",title,", ",heading,"))
    with pytest.raises(
        ManifestError, match=r"manifest\.csv: expected a column 'title' or 'words', found: path"
    ):
        read_corrections(other, levels=LEVELS, titles=["words"])


def test_an_item_without_a_column_is_told_even_if_it_is_not_the_first(made: Path, tmp_path: Path) -> None:
    run = planned(shop(tmp_path / "shop"), text="title")
    (bare, *_) = read_corrections(made, levels=LEVELS)
    columns = {name: value for name, value in bare.columns.items() if name != "title"}
    items = [run.role("train")[0], replace(bare, columns=columns)]
    with pytest.raises(CatalogError, match=r"\.png: expected a column 'title' that the model learned from"):
        beside(items, run.title, None)


def test_a_missing_photo_is_told_before_the_long_work(made: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_bytes(made.read_bytes())
    with pytest.raises(ManifestError, match="expected a picture, found no file"):
        read_corrections(tmp_path / "manifest.csv", levels=LEVELS)
