import pytest


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what this machine was configured for."""
    for name in ("LOUPE_TRUSTED_KEYS", "LOUPE_REQUIRE_SIGNATURE", "LOUPE_TOKEN", "LOUPE_CUTOUT_MODEL"):
        monkeypatch.delenv(name, raising=False)
