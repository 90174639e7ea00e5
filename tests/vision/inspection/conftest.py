from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what this machine was configured for, or leaves anything behind."""
    for name in ("LOUPE_TRUSTED_KEYS", "LOUPE_REQUIRE_SIGNATURE", "LOUPE_TOKEN", "LOUPE_CUTOUT_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOUPE_CACHE_DIR", str(tmp_path / "cache"))
