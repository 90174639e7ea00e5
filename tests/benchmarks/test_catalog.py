"""Which data the catalog's benchmark takes where none are named."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from benchmarks.catalog import there

pytestmark = pytest.mark.torch


def test_a_catalogs_folder_is_taken_where_its_manifest_is_there(tmp_path: Path) -> None:
    (tmp_path / "catalog_fashion").mkdir()
    assert there("catalog_fashion", tmp_path) is None
    (tmp_path / "catalog_fashion" / "manifest.csv").touch()
    assert there("catalog_fashion", tmp_path) == tmp_path / "catalog_fashion"
    assert there("catalog_grocery", tmp_path) is None
