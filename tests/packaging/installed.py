"""The built wheel with one extra alone, in an environment of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def installed(folder: Path, extra: str) -> Path:
    """A virtual environment's bin folder, with nothing but the wheel and what this extra asks for."""
    built = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(built, check=True, capture_output=True)
    wheel = next(folder.glob("loupe-*.whl"))
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    binaries = folder / "venv" / "bin"
    constraints = ["--quiet", "--disable-pip-version-check", "--constraint", str(ROOT / "constraints.txt")]
    subprocess.run(
        [str(binaries / "pip"), "install", *constraints, f"{wheel}[{extra}]"], check=True, cwd=folder
    )
    return binaries
