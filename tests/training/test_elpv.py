"""The demo's manifest: every solar cell once, blocks of neighbours whole, the splits as documented."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

from training import elpv
from training.manifest import Manifest, read_manifest, straddling_groups
from vision.errors import ManifestError

installed = pytest.mark.skipif(
    importlib.util.find_spec("elpv_dataset") is None,
    reason="the pictures are not installed; run: pip install 'loupe[demo]'",
)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    path = tmp_path_factory.mktemp("elpv") / "manifest.csv"
    elpv.write_manifest(path)
    return read_manifest(path, images=elpv.images())


@installed
def test_every_cell_is_there_once(manifest: Manifest) -> None:
    assert len(manifest.items) == 2624
    assert len({item.path for item in manifest.items}) == 2624
    assert all(item.path.is_file() for item in manifest.items)


@installed
def test_no_block_lies_in_two_splits(manifest: Manifest) -> None:
    assert manifest.grouped
    assert straddling_groups(manifest.items) == {}
    assert len({item.group for item in manifest.items}) == 46


@installed
def test_cells_of_a_block_are_neighbours(manifest: Manifest) -> None:
    groups = [item.group for item in manifest.items]
    assert groups == sorted(groups)


@installed
def test_the_splits_hold_as_many_cells_of_each_kind_as_documented(manifest: Manifest) -> None:
    counts = Counter((item.split, item.label) for item in manifest.items)
    assert counts == {
        ("train", "defective"): 359,
        ("train", "functional"): 920,
        ("val", "defective"): 236,
        ("val", "functional"): 265,
        ("test", "defective"): 226,
        ("test", "functional"): 618,
    }


@installed
def test_a_cell_is_defective_from_a_probability_of_two_thirds(manifest: Manifest) -> None:
    labels = {(item.columns["defect_probability"], item.label) for item in manifest.items}
    assert labels == {
        ("0.00", "functional"),
        ("0.33", "functional"),
        ("0.67", "defective"),
        ("1.00", "defective"),
    }
    assert {item.columns["cell_type"] for item in manifest.items} == {"mono", "poly"}


def test_a_table_that_is_not_as_known_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "elpv_dataset"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "data" / "labels.csv").write_text("images/cell0001.png 1.0 mono\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ManifestError, match=r"labels\.csv: expected 2624 rows of path, probability and type, found 1"
    ):
        elpv.write_manifest(tmp_path / "manifest.csv")
    assert not (tmp_path / "manifest.csv").exists()
