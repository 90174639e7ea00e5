import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vision.commands.main import main


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout; more, or anything else, is an error here."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


Loupe = Callable[..., Said]


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what this machine was configured for, or leaves anything behind."""
    for name in ("LOUPE_TRUSTED_KEYS", "LOUPE_REQUIRE_SIGNATURE", "LOUPE_TOKEN", "LOUPE_CUTOUT_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOUPE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "500")


@pytest.fixture
def loupe(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Loupe:
    """Run a command line in this process, which saves a second each."""

    def run(*arguments: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["loupe", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Said(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def installed_loupe() -> Loupe:
    """Run the console script that was installed, as a user does; `env` adds to the environment."""
    script = Path(sys.executable).with_name("loupe")

    def run(*arguments: str | Path, **env: str) -> Said:
        done = subprocess.run(
            [script, *arguments], capture_output=True, text=True, check=False, env=os.environ | env
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run
