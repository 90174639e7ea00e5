"""A table of products through `loupe catalog categorize`, killed with -9 again and again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.catalog_bundles import make_catalog_bundle
from tests.vision.catalog.bulk.tables import kind_of, photos, results, rows, table

pytestmark = pytest.mark.slow
ROWS = 3000
KILLS = 3


def started(folder: Path) -> subprocess.Popen[bytes]:
    arguments = (
        "--bundle",
        "shop.loupe",
        "--input",
        "items.csv",
        "--images",
        "photos",
        "--out",
        "results.csv",
    )
    return subprocess.Popen(
        [Path(sys.executable).with_name("loupe"), "catalog", "categorize", *arguments, "--json"],
        cwd=folder,
        env=os.environ | {"LOUPE_CACHE_DIR": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def parts(folder: Path) -> set[str]:
    return {one.name for one in (folder / "results.csv.parts").glob("part-*.jsonl")}


def killed_after_another_part(folder: Path) -> set[str]:
    """Run it until there is a part more than before, and kill it; the parts that are done."""
    before, process = parts(folder), started(folder)
    while not parts(folder) - before:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    return parts(folder)


def test_a_table_that_is_killed_goes_on_and_answers_every_row_once(tmp_path: Path) -> None:
    make_catalog_bundle(tmp_path / "shop.loupe")
    photos(tmp_path / "photos")
    table(tmp_path / "items.csv", rows(ROWS))
    done: set[str] = set()
    written: dict[str, int] = {}
    for _ in range(KILLS):
        now = killed_after_another_part(tmp_path)
        assert done < now, "what was done is still there, and there is more"
        for name in now:
            age = (tmp_path / "results.csv.parts" / name).stat().st_mtime_ns
            assert written.setdefault(name, age) == age, "nothing is done twice"
        done = now
        assert not (tmp_path / "results.csv").exists()

    last = started(tmp_path)
    out, err = last.communicate(timeout=300)
    assert last.returncode == 0, err.decode()
    said = json.loads(out)
    assert said["found_done"] == 256 * len(done)
    found = results(tmp_path / "results.csv")
    assert [one["id"] for one in found] == [f"item-{number}" for number in range(ROWS)]
    assert [one["label_kind"] for one in found] == [kind_of(number) for number in range(ROWS)]
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith("results")) == ["results.csv"]
    assert not list(tmp_path.glob(".results*"))
