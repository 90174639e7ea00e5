import sys
from pathlib import Path

import pytest

from tests.training.commands.command_line import Ended, Loupe
from vision.commands.main import main


@pytest.fixture
def loupe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Loupe:
    """`loupe("certify", bundle, "--json")` as a shell would run it, without the developer's own settings."""
    for name in ("LOUPE_TRUSTED_KEYS", "LOUPE_REQUIRE_SIGNATURE", "LOUPE_TOKEN", "LOUPE_CUTOUT_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOUPE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "240")  # messages on one line

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["loupe", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Ended(code=code, out=said.out, err=said.err)

    return run
