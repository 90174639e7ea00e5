"""`loupe bundle`: what is in it, whether it holds, whose it is."""

from pathlib import Path

import pytest

from tests.bundles import FLOAT32, INT8, make_bundle, onnx_model
from tests.vision.commands.conftest import Loupe
from vision.bundle import SIGNATURE, Bundle, open_bundle
from vision.signing import generate, read_private

LINE = "at most 1% of defective parts are accepted, with 95% confidence"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "plates.loupe", int8=True)


@pytest.fixture
def key_id(tmp_path: Path) -> str:
    """Of a pair in `line.key` and `line.pub`."""
    return generate(tmp_path / "line.key", tmp_path / "line.pub")


def test_show_tells_what_a_bundle_holds(bundle: Bundle, loupe: Loupe) -> None:
    said = loupe("bundle", "show", bundle.path, "--json")
    assert said.code == 0
    assert said.json["name"] == "plates"
    assert said.json["labels"] == ["good", "red", "blue"]
    assert said.json["digest"] == bundle.digest()
    assert said.json["signed_by"] is None
    assert set(said.json["files"]) == {FLOAT32, INT8, "golden.npz", "reference.npz"}
    assert said.json["manifest"] == bundle.manifest.model_dump(mode="json")


def test_show_tells_people_the_thresholds_and_the_certificate(bundle: Bundle, loupe: Loupe) -> None:
    said = loupe("bundle", "show", bundle.path)
    assert "plates 1.0" in said.out
    assert "accept up to 0.1, reject from 0.9" in said.out
    assert said.out.count(LINE) == 2
    assert "nobody that is trusted here" in said.out


def test_show_tells_that_an_uncertified_bundle_accepts_nothing(tmp_path: Path, loupe: Loupe) -> None:
    said = loupe("bundle", "show", make_bundle(tmp_path / "plates", certified=False).path)
    assert "none: nothing is accepted" in said.out


def test_labels_that_look_like_markup_are_shown_as_they_are(tmp_path: Path, loupe: Loupe) -> None:
    labels = ("good", "[/red]", "[bold]")
    bundle = make_bundle(tmp_path / "[/plates]", labels=labels)
    said = loupe("bundle", "show", bundle.path)
    assert said.code == 0
    assert "good, [/red], [bold]" in said.out


def test_verify_runs_the_golden_pictures_through_every_model(bundle: Bundle, loupe: Loupe) -> None:
    said = loupe("bundle", "verify", bundle.path, "--json")
    assert said.code == 0
    assert said.json["valid"] is True
    assert set(said.json["golden_differences"]) == {FLOAT32, INT8}
    assert max(said.json["golden_differences"].values()) < 0.01
    shown = loupe("bundle", "verify", bundle.path)
    assert shown.out.startswith("valid, no trusted signature\n")


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({FLOAT32: onnx_model(head_scale=0.5)}, "certificate of model.onnx: model file"),
        ({"golden.npz": b"nothing"}, "golden.npz: expected plain arrays"),
        ({FLOAT32: b"nothing"}, "certificate of model.onnx: model file"),
    ],
    ids=["other model", "no golden set", "no model"],
)
def test_verify_says_what_does_not_hold_and_ends_with_1(
    contents: dict[str, bytes], message: str, tmp_path: Path, loupe: Loupe
) -> None:
    bundle = make_bundle(tmp_path / "[/plates]", contents=contents)
    said = loupe("bundle", "verify", bundle.path, "--json")
    assert said.code == 1
    assert said.json["valid"] is False
    assert message in said.json["problem"]
    shown = loupe("bundle", "verify", bundle.path)
    assert shown.code == 1
    assert shown.out.startswith("not valid: ")
    assert message in shown.out


def test_verify_finds_damage(bundle: Bundle, loupe: Loupe) -> None:
    bundle.path.write_bytes(bundle.path.read_bytes()[:-1])
    said = loupe("bundle", "verify", bundle.path, "--json")
    assert said.code == 1
    assert "expected a zip archive" in said.json["problem"]


def test_a_key_pair_is_made_and_never_overwritten(tmp_path: Path, loupe: Loupe) -> None:
    said = loupe("bundle", "keygen", tmp_path / "line.v1", "--json")
    assert said.code == 0
    assert said.json["private"] == f"{tmp_path}/line.v1.key"
    assert said.json["public"] == f"{tmp_path}/line.v1.pub"
    before = (tmp_path / "line.v1.key").read_bytes()
    again = loupe("bundle", "keygen", tmp_path / "line.v1", "--json")
    assert again.code == 1
    assert again.json["error"]["type"] == "StorageError"
    assert (tmp_path / "line.v1.key").read_bytes() == before


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_key_pair_needs_a_name(name: str, loupe: Loupe) -> None:
    said = loupe("bundle", "keygen", name)
    assert said.code == 2
    assert "expected a name for the key files, found a folder" in said.err


def test_a_bundle_is_signed_into_one_file_and_verified(tmp_path: Path, key_id: str, loupe: Loupe) -> None:
    folder = make_bundle(tmp_path / "plates").path
    said = loupe(
        "bundle", "sign", folder, "--key", tmp_path / "line.key", "--out", tmp_path / "p.loupe", "--json"
    )
    assert said.code == 0
    assert said.json["signed_by"] == key_id
    verified = loupe(
        "bundle", "verify", tmp_path / "p.loupe", "--trusted-key", tmp_path / "line.pub", "--json"
    )
    assert verified.code == 0
    assert verified.json["signed_by"] == key_id
    assert verified.json["digest"] == open_bundle(folder).digest(), "signing changes no contents"
    assert not (folder / SIGNATURE).exists()


def test_a_bundle_is_signed_in_place(tmp_path: Path, key_id: str, loupe: Loupe) -> None:
    folder = make_bundle(tmp_path / "plates").path
    said = loupe("bundle", "sign", folder, "--key", tmp_path / "line.key")
    assert said.out == f"signed {folder} by {key_id}\n"
    assert (folder / SIGNATURE).exists()


def test_signing_into_a_folder_of_other_files_destroys_nothing(
    tmp_path: Path, key_id: str, loupe: Loupe
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").touch()
    folder = make_bundle(tmp_path / "plates").path
    said = loupe("bundle", "sign", folder, "--key", tmp_path / "line.key", "--out", tmp_path / "photos")
    assert said.code == 1
    assert "found a folder of other files" in said.err
    assert (tmp_path / "photos" / "holiday.jpg").exists()


def test_a_signature_by_another_key_does_not_hold(tmp_path: Path, key_id: str, loupe: Loupe) -> None:
    other = generate(tmp_path / "other.key", tmp_path / "other.pub")
    bundle = make_bundle(tmp_path / "plates", key=read_private(tmp_path / "other.key"))
    said = loupe("bundle", "verify", bundle.path, "--trusted-key", tmp_path / "line.pub", "--json")
    assert said.code == 1
    assert f"expected a signature by {key_id}, found one by {other}" in said.json["problem"]


def test_what_the_machines_owner_requires_is_kept(
    tmp_path: Path, key_id: str, loupe: Loupe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOUPE_REQUIRE_SIGNATURE", "true")
    monkeypatch.setenv("LOUPE_TRUSTED_KEYS", f'["{tmp_path}/line.pub"]')
    unsigned = make_bundle(tmp_path / "plates").path
    assert loupe("bundle", "show", unsigned).code == 2
    assert loupe("bundle", "verify", unsigned).code == 1
    assert loupe("qualify", unsigned).code == 2
    assert loupe("inspect", unsigned, "part.png").code == 2
    loupe("bundle", "sign", unsigned, "--key", tmp_path / "line.key")
    assert loupe("bundle", "show", unsigned, "--json").json["signed_by"] == key_id


@pytest.mark.parametrize("value", ["perhaps", "["])
def test_a_setting_that_is_not_understood_ends_with_2(
    value: str, bundle: Bundle, loupe: Loupe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOUPE_TRUSTED_KEYS", value)
    said = loupe("bundle", "show", bundle.path, "--json")
    assert said.code == 2
    assert said.json["error"]["type"] == "SettingsError"
