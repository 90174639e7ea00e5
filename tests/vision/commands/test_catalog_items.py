"""`loupe catalog index`: what is refused before any server is asked."""

from pathlib import Path

import pytest

from tests.catalog_bundles import photo
from tests.vision.commands.conftest import Loupe
from vision.commands.catalog_items import pictures_of
from vision.image import encode_png


def test_two_pictures_that_would_be_one_product_are_refused(tmp_path: Path, loupe: Loupe) -> None:
    pytest.importorskip("grpc")
    for name in ("tee.png", "shoe.png", "tee.jpg"):
        (tmp_path / name).write_bytes(encode_png(photo("tees")))
    said = loupe("catalog", "index", tmp_path, "--server", "127.0.0.1:1", "--json")
    assert said.code == 2
    assert "each a product's id, found 'tee.jpg' and 'tee.png'" in said.json["error"]["message"]


def test_a_folders_pictures_are_products_by_the_names_of_their_files(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "a.txt"):
        (tmp_path / name).touch()
    assert pictures_of(tmp_path) == {"a": tmp_path / "a.jpg", "b": tmp_path / "b.PNG"}
