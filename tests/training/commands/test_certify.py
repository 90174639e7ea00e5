"""`loupe certify`: what it promises, what it warns of, and how it ends."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.bundles import FLOAT32, INT8
from tests.training.certifiable import certifiable_bundle, parts, write_csv
from tests.training.commands.command_line import Loupe
from training.manifest import read_manifest
from vision.bundle import GOLDEN, open_bundle, pack_arrays
from vision.inspection.spec import inspection_spec


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 defective and 40 good calibration parts, each standing alone."""
    folder = tmp_path_factory.mktemp("calibration")
    return write_csv(folder / "manifest.csv", parts(folder))


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in groups of five."""
    folder = tmp_path_factory.mktemp("tied")
    return write_csv(folder / "manifest.csv", parts(folder, group_of=5))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return certifiable_bundle(tmp_path / "bundle").path


def test_a_certificate_is_written_into_the_bundle_and_printed(
    loupe: Loupe, tmp_path: Path, manifest: Path
) -> None:
    bundle = certifiable_bundle(tmp_path / "bundle", int8=True).path
    ended = loupe("certify", bundle, "--data", manifest, "--json")
    assert ended.code == 0
    assert (ended.json["certified"], ended.json["openings"], set(ended.json["files"])) == (
        True,
        1,
        {FLOAT32, INT8},
    )
    decision = inspection_spec(open_bundle(bundle)).files[FLOAT32]
    facts = ended.json["files"][FLOAT32]
    assert decision.certificate is not None
    assert facts["certificate"] == decision.certificate.line()
    assert facts["policy"] == decision.policy.model_dump(mode="json")
    assert facts["temperature"] == decision.temperature
    assert [bound["units"] for bound in facts["bounds"]] == [60]
    assert facts["rates"] == {
        "escape": 0,
        "review_of_defective": 0,
        "false_reject": 0,
        "review_of_good": 0,
    }
    assert facts["expected_cost"] == 0


def test_people_are_shown_the_bound_and_what_it_means(loupe: Loupe, bundle: Path, manifest: Path) -> None:
    ended = loupe("certify", bundle, "--data", manifest)
    assert ended.code == 0
    assert "parts exchangeable (binding)" in ended.out
    assert "4.87%" in ended.out
    assert (
        "model.onnx: certified: at most 5% of defective parts are accepted, 95% confidence, parts exchangeable"
        in ended.out
    )


def test_what_cannot_be_certified_ends_with_0_and_with_1_where_it_is_required(
    loupe: Loupe, bundle: Path, manifest: Path
) -> None:
    asked = ("certify", bundle, "--data", manifest, "--max-escape", "0.01", "--json")
    ended, required = loupe(*asked), loupe(*asked, "--require")
    assert (ended.code, required.code) == (0, 1)
    assert required.json["certified"] is False
    assert required.json["files"][FLOAT32]["policy"]["accept_at"] is None
    assert required.json["files"][FLOAT32]["certificate"] is None
    people = loupe("certify", bundle, "--data", manifest, "--max-escape", "0.01")
    assert "no: takes 299 without a miss" in people.out
    assert "takes at least 299 defective parts without a miss, found 60" in people.out


def test_a_certified_bundle_satisfies_require(loupe: Loupe, bundle: Path, manifest: Path) -> None:
    assert loupe("certify", bundle, "--data", manifest, "--require", "--json").code == 0


def test_groups_bind_unless_parts_are_assumed_independent(loupe: Loupe, bundle: Path, tied: Path) -> None:
    asked = ("certify", bundle, "--data", tied, "--json")
    bound, free = loupe(*asked), loupe(*asked, "--assume-independent-parts")
    assert [one.json["files"][FLOAT32]["binding"] for one in (bound, free)] == [
        "groups exchangeable",
        "parts exchangeable",
    ]
    assert [one.json["certified"] for one in (bound, free)] == [False, True]


def test_groups_with_the_names_of_learned_ones_are_warned_of(
    loupe: Loupe, tmp_path: Path, tied: Path
) -> None:
    names = {item.group for item in read_manifest(tied).items}
    bundle = certifiable_bundle(tmp_path / "bundle", groups=[*sorted(names)[:3], "elsewhere"]).path
    assert "3 calibration groups have the name of a group that the model learned from" in loupe(
        "certify", bundle, "--data", tied
    ).err.replace("\n", " ")


def test_a_model_that_answers_differently_here_is_not_certified(
    loupe: Loupe, tmp_path: Path, manifest: Path
) -> None:
    arrays = dict(certifiable_bundle(tmp_path / "here").arrays(GOLDEN))
    arrays[f"logits_{FLOAT32}"] = arrays[f"logits_{FLOAT32}"] + 1
    elsewhere = certifiable_bundle(tmp_path / "elsewhere", contents={GOLDEN: pack_arrays(arrays)})
    ended = loupe("certify", elsewhere.path, "--data", manifest, "--json")
    assert (ended.code, ended.json["error"]["type"]) == (2, "BundleError")
    assert "golden" in ended.err


def test_data_opened_twice_are_warned_of(loupe: Loupe, bundle: Path, manifest: Path) -> None:
    first, second = (loupe("certify", bundle, "--data", manifest, "--json") for _ in range(2))
    assert "warning" not in first.err
    assert "warning: these calibration data were opened 2 times for this model" in second.err
    assert second.json["openings"] == 2


@pytest.mark.parametrize("form", ["bundle", "plates-1.0.loupe"])
def test_a_signature_that_is_lost_is_warned_of(
    loupe: Loupe, tmp_path: Path, manifest: Path, form: str
) -> None:
    signed = certifiable_bundle(tmp_path / form, key=Ed25519PrivateKey.generate()).path
    ended = loupe("certify", signed, "--data", manifest, "--json")
    assert ended.code == 0
    assert "warning: the bundle changed, so its signature is gone; sign it again" in ended.err
    assert (
        "signature" not in loupe("certify", signed, "--data", manifest, "--json").err
    )  # it was unsigned by now


def test_costs_that_make_accepting_pointless_are_named_as_the_reason(
    loupe: Loupe, bundle: Path, manifest: Path
) -> None:
    ended = loupe("certify", bundle, "--data", manifest, "--cost-review", "0")
    assert ended.code == 0
    assert "nothing is accepted" in ended.out
    assert "without a miss" not in ended.out
    assert "at these costs accepting nothing costs least" in ended.out


def test_a_picture_the_model_was_trained_on_ends_with_2(loupe: Loupe, tmp_path: Path, manifest: Path) -> None:
    seen = sorted(manifest.parent.glob("*.png"))[3]
    bundle = certifiable_bundle(tmp_path / "bundle", seen=[seen]).path
    ended = loupe("certify", bundle, "--data", manifest, "--json")
    assert ended.code == 2
    assert ended.json["error"]["type"] == "ManifestError"
    assert (
        f"{seen.name}: expected calibration pictures that the model was not trained or tuned on" in ended.err
    )


def test_a_group_in_two_splits_ends_with_2(loupe: Loupe, bundle: Path, tmp_path: Path) -> None:
    items = parts(tmp_path / "parts", good=2, defective=2, group_of=4)
    straddling = [*items[:-1], replace(items[-1], split="test")]
    write_csv(tmp_path / "m.csv", straddling)
    ended = loupe("certify", bundle, "--data", tmp_path / "m.csv")
    assert ended.code == 2
    assert "expected each group in one split" in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "test"], "expected rows with split 'test', found splits: val"),
        (["--max-escape", "0.9"], "--max-escape"),
        (["--confidence", "0.3"], "--confidence"),
        (["--defect-rate", "0"], "--defect-rate"),
        (["--cost-review", "-1"], "--cost-review"),
        (["--images", "/nowhere", "--group-column", "module"], "expected a column 'module'"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2(
    loupe: Loupe, bundle: Path, manifest: Path, arguments: list[str], message: str
) -> None:
    before = open_bundle(bundle).digest()
    ended = loupe("certify", bundle, "--data", manifest, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert open_bundle(bundle).digest() == before


def test_a_damaged_bundle_ends_with_2(loupe: Loupe, bundle: Path, manifest: Path) -> None:
    (bundle / FLOAT32).write_bytes(b"")
    ended = loupe("certify", bundle, "--data", manifest, "--json")
    assert (ended.code, ended.json["error"]["type"]) == (2, "BundleError")
