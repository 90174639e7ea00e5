"""The commands of the catalog task, from its options to what is printed."""

import shutil
from pathlib import Path

import pytest

from tests.training.catalog.shop import LEVELS, lessons, read_shop, shop
from tests.training.commands.command_line import Ended, Loupe

pytestmark = pytest.mark.torch

TITLES = "description_masked"  # not as it is called where corrections are exported
ASKED = ("--task", "catalog", "--levels", ",".join(LEVELS), "--weights", "none")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Products to learn from; each test has its own folder for what comes of it."""
    return shop(tmp_path_factory.mktemp("shop"), each=24, title_column=TITLES)


def refused(ended: Ended, kind: str, message: str) -> None:
    assert (ended.code, ended.json["error"]["type"]) == (2, kind)
    assert message in ended.json["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            ("--task", "catalog"),
            "SettingsError",
            "--levels: expected the columns of labels with --task catalog",
        ),
        (("--levels", "kind"), "SettingsError", "--levels: expected with --task catalog alone"),
        (("--text", "title"), "SettingsError", "--text: expected with --task catalog alone"),
        (("--corrected", "x.csv"), "SettingsError", "--corrected: expected with --task catalog alone"),
        ((*ASKED, "--good", "ruby"), "SettingsError", "--good ruby: expected with --task inspection alone"),
        (
            (*ASKED, "--recipe", "resnet18"),
            "SettingsError",
            "expected one for the task catalog, found inspection",
        ),
        ((*ASKED, "--text", "name"), "ManifestError", "expected a column 'name', found: path, department"),
        ((*ASKED, "--text", "kind"), "ManifestError", "expected each column once, found 'kind' again"),
        ((*ASKED, "--attributes", "colour"), "ManifestError", "expected a column 'colour'"),
        (("--task", "imagery"), "SettingsError", "--task: expected inspection or catalog, found 'imagery'"),
    ],
)
def test_what_does_not_go_together_is_refused(
    loupe: Loupe, manifest: Path, tmp_path: Path, arguments: tuple[str, ...], kind: str, message: str
) -> None:
    ended = loupe("train", "--data", manifest, "--out", tmp_path / "run", *arguments, "--json")
    refused(ended, kind, message)
    assert not (tmp_path / "run").exists()


def test_labels_that_are_not_the_shops_own_are_named(loupe: Loupe, manifest: Path, tmp_path: Path) -> None:
    tree = tmp_path / "taxonomy.csv"
    tree.write_text(
        "department,family,kind\ngoods,stones,ruby\ngoods,stones,emerald\ngoods,blocks,brick\npapers,voucher,voucher\n"
    )
    ended = loupe(
        "train", "--data", manifest, "--out", tmp_path / "run", *ASKED, "--taxonomy", tree, "--json"
    )
    refused(ended, "ManifestError", "level 'kind': expected an id of the taxonomy, found 'tile'")


def test_a_correction_of_what_is_kept_for_calibration_is_not_learned_from(
    loupe: Loupe, manifest: Path, tmp_path: Path
) -> None:
    kept = [item for item in read_shop(manifest).items if item.split == "val"]
    corrected = lessons(tmp_path / "corrections", kept, title_column=TITLES)
    ended = loupe(
        "train", "--data", manifest, "--out", tmp_path / "run", *ASKED, "--corrected", corrected, "--json"
    )
    refused(ended, "ManifestError", "expected each group in one split, found group 'ruby4' in train and val")


def test_a_shop_is_learned_packed_certified_judged_and_compared(
    loupe: Loupe, manifest: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(
        'backbone = "resnet18"\ntask = "catalog"\nepochs = 1\nbatch_size = 8\ntune_fraction = 0.25\n'
        "stages = [{ until = 1.0, size_px = 64 }]\n[preprocess]\nsize_wh = [64, 64]\n"
    )
    run, bundle, data = tmp_path / "run", tmp_path / "bundle", ("--data", manifest)
    given = ("--text", TITLES, "--attributes", "size", "--recipe", recipe)

    before = lessons(
        tmp_path / "before",
        read_shop(shop(tmp_path / "old", each=1, seed=2, title_column=TITLES)).items,
        title_column=TITLES,
    )
    trained = loupe("train", *data, "--corrected", before, "--out", run, *ASKED, *given, "--json")
    judged = loupe("evaluate", run, *data, "--slice-by", "size", "--json")
    exported = loupe("export", run, "--out", bundle, "--json")
    certified = loupe("certify", bundle, *data, "--max-escape", "0.4", "--confidence", "0.6", "--json")
    measured = loupe("evaluate", bundle, *data, "--split", "val", "--json")
    shutil.copytree(bundle, tmp_path / "other")
    known = loupe("evaluate", bundle, *data, "--split", "train", "--json")
    later = read_shop(shop(tmp_path / "later", each=2, seed=1, title_column=TITLES)).items
    corrections = ("--corrected", lessons(tmp_path / "corrections", later, title_column=TITLES))
    compared = loupe("catalog", "compare", bundle, tmp_path / "other", *data, *corrections, "--json")

    assert [one.code for one in (trained, judged, exported, certified, measured, compared)] == [0] * 6
    assert trained.json["measure"] == "accuracy"
    assert sum(trained.json["pictures"].values()) == known.json["n"] + 5, "one of each kind was corrected"
    assert set(judged.json["subsets"]) == {
        "image", "text", "attributes", "image+text", "image+attributes", "text+attributes", "image+text+attributes",
    }  # fmt: skip
    assert set(judged.json["slices"]["size"]) == {"", "small", "large"}
    assert certified.json["openings"] == 1
    assert len(certified.json["files"]["model.onnx"]["promises"]["image"]) == len(LEVELS)
    assert measured.json["n"] == 20
    assert "learned from" not in measured.err
    assert f"{known.json['n']} of these pictures were learned from" in known.err
    assert (compared.json["publish"], compared.json["test"]["kind"]["p_value"]) == (False, 1.0)
    assert (compared.json["test"]["kind"]["n"], compared.json["corrected"]["kind"]["n"]) == (20, len(later))
