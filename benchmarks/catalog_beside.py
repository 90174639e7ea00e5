"""The catalog's figures that have scripts of their own, run from `catalog.py`: each in a process of its own, as they are run alone."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.common import Figure

ROOT: Final = Path(__file__).parents[1]
MADE_UP_VECTORS: Final = 100_000


def search(folders: Sequence[Path], bundle: Path | None, work: Path) -> list[Figure]:
    """Over a million vectors around those of the folders' pictures; without folders over fewer, around made-up ones."""
    size = [] if folders else ["--vectors", str(MADE_UP_VECTORS)]
    data = [word for folder in folders for word in ("--data", str(folder.resolve()))]
    return _figures("catalog_search", [*data, *_bundle(bundle), *size, "--work", str(work.resolve())])


def serving(bundle: Path | None) -> list[Figure]:
    return _figures("catalog_serving", _bundle(bundle))


def bulk(bundle: Path | None) -> list[Figure]:
    return _figures("catalog_bulk", _bundle(bundle))


def _bundle(bundle: Path | None) -> list[str]:
    return [] if bundle is None else ["--bundle", str(bundle.resolve())]


def _figures(script: str, arguments: Sequence[str]) -> list[Figure]:
    command = [sys.executable, "-m", f"benchmarks.{script}", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return [_figure(one) for one in json.loads(done.stdout)["figures"]]


def _figure(said: dict[str, Any]) -> Figure:
    fields = {name: value for name, value in said.items() if name != "met"}
    return Figure(**fields | {"spread": tuple(said["spread"]) if said["spread"] else None})
