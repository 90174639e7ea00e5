"""What people corrected on a server is read as a model's own data are."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.catalog.shop import LEVELS, lessons, planned, read_shop, shop
from training.catalog.corrections import read_corrections
from training.catalog.lesson import beside
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
