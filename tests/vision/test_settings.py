"""Settings come from the environment, once; what is not understood is said with the variable's name."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from vision.errors import SettingsError
from vision.settings import Settings, read_settings
from vision.signing import generate, key_id


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LOUPE_{name.upper()}", raising=False)


def test_without_an_environment_nothing_is_trusted_and_nothing_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    settings = read_settings()
    assert settings.cache_dir == Path("/home/ada/.cache/loupe")
    assert settings.trusted() == ()
    assert settings.require_signature is False


def test_the_environment_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = generate(tmp_path / "line.key", tmp_path / "line.pub")
    monkeypatch.setenv("LOUPE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LOUPE_TRUSTED_KEYS", f'["{tmp_path}/line.pub"]')
    monkeypatch.setenv("LOUPE_REQUIRE_SIGNATURE", "true")
    monkeypatch.setenv("LOUPE_CUTOUT_MODEL", "u2net.onnx")
    settings = read_settings()
    assert settings.cutout_model == Path("u2net.onnx")
    assert settings.cache_dir == tmp_path / "cache"
    assert [key_id(key) for key in settings.trusted()] == [made]
    assert settings.require_signature is True


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LOUPE_REQUIRE_SIGNATURE", "perhaps"),
        ("LOUPE_TRUSTED_KEYS", "line.pub"),  # not JSON
        ("LOUPE_TRUSTED_KEYS", "[1, {}]"),
    ],
)
def test_a_value_that_is_not_understood_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=r"LOUPE_|trusted_keys") as raised:
        read_settings()
    assert variable.removeprefix("LOUPE_").lower() in str(raised.value).lower()


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_TRUSTED_KEYS", f'["{tmp_path}/absent.pub"]')
    with pytest.raises(SettingsError, match=r"absent\.pub: expected an Ed25519 public key"):
        read_settings().trusted()


def test_settings_do_not_change_and_know_no_other_names() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.require_signature = True
    with pytest.raises(ValidationError, match="mood"):
        Settings.model_validate({"mood": "good"})


def test_a_token_is_known_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_TOKEN", "loupe_secret")

    settings = read_settings()

    assert settings.token is not None
    assert "loupe_secret" not in repr(settings)
