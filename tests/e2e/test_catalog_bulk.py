"""A table of products through `loupe catalog categorize`, by a bundle and by a server, killed with -9 again and again."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.auth import Role
from tests.catalog_bundles import make_catalog_bundle
from tests.e2e.serving import LOUPE, serving, token
from tests.e2e.shops import furnished
from tests.vision.catalog.bulk.tables import kind_of, photos, results, rows, table
from vision.catalog.bulk.products import Load, Product
from vision.client import Client
from vision.client.catalog_bulk import There
from vision.errors import StateError

pytestmark = pytest.mark.slow
ROWS = 3000
KILLS = 3
BUNDLE = "shop.loupe"


def started(folder: Path, *by: str, out: str = "results.csv") -> "subprocess.Popen[bytes]":
    """The table of a folder, by a bundle or a server."""
    arguments = ("--input", "items.csv", "--images", "photos", "--out", out, *by)
    return subprocess.Popen(
        [LOUPE, "catalog", "categorize", *arguments, "--json"],
        cwd=folder,
        env=os.environ | {"LOUPE_CACHE_DIR": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(process: "subprocess.Popen[bytes]", *, expect: int = 0) -> dict[str, object]:
    """What a command says, once it has ended."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == expect, err.decode() + out.decode()
    said: dict[str, object] = json.loads(out)
    return said


def parts(folder: Path) -> set[str]:
    return {one.name for one in (folder / "results.csv.parts").glob("part-*.jsonl")}


def until_another_part(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    before = parts(folder)
    while not parts(folder) - before:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def killed_after_another_part(folder: Path, *by: str) -> set[str]:
    """Run it until there is a part more than before, and kill it; the parts that are done."""
    process = started(folder, *by)
    until_another_part(folder, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    return parts(folder)


@pytest.fixture
def shopping(tmp_path: Path) -> Path:
    """A folder with a bundle, the same in a server's folder of models, photos, and a table."""
    furnished(tmp_path)
    make_catalog_bundle(tmp_path / BUNDLE)
    photos(tmp_path / "photos")
    table(tmp_path / "items.csv", rows(ROWS))
    return tmp_path


@pytest.fixture(params=["bundle", "server"])
def by(request: pytest.FixtureRequest, shopping: Path) -> Iterator[tuple[str, str]]:
    """Who answers."""
    if request.param == "bundle":
        yield "--bundle", BUNDLE
        return
    with serving(shopping) as server:
        yield "--server", server.address


def test_a_table_that_is_killed_goes_on_and_answers_every_row_once(
    by: tuple[str, str], shopping: Path
) -> None:
    done: set[str] = set()
    written: dict[str, int] = {}
    for _ in range(KILLS):
        now = killed_after_another_part(shopping, *by)
        assert done < now, "what was done is still there, and there is more"
        for name in now:
            age = (shopping / "results.csv.parts" / name).stat().st_mtime_ns
            assert written.setdefault(name, age) == age, "nothing is done twice"
        done = now
        assert not (shopping / "results.csv").exists()

    said = ended(started(shopping, *by))
    assert said["found_done"] == 256 * len(done)
    found = results(shopping / "results.csv")
    assert [one["id"] for one in found] == [f"item-{number}" for number in range(ROWS)]
    assert [one["label_kind"] for one in found] == [kind_of(number) for number in range(ROWS)]
    assert sorted(one.name for one in shopping.iterdir() if one.name.startswith("results")) == ["results.csv"]
    assert not list(shopping.glob(".results*"))


def test_a_server_says_of_every_row_what_its_bundle_says_here(shopping: Path) -> None:
    (shopping / "photos" / "torn.png").write_bytes((shopping / "photos" / "tees.png").read_bytes()[:500])
    usual = {"path": "tees.png", "title": "", "season": ""}
    lines = [
        *({**usual, **one, "season": "summer"} for one in rows(40)),
        {**usual, "id": "gone", "path": "gone.png"},
        {**usual, "id": "torn", "path": "tees.png|torn.png"},
        {**usual, "id": "untold", "path": "", "title": "..."},
        {**usual, "id": "long", "title": "x" * 100_000},
        {**usual, "id": "several", "path": "tees.png|belts.png", "title": "跑步", "season": "monsoon"},
        {**usual, "id": "gone too", "path": "gone.png"},
    ]
    table(shopping / "items.csv", lines)
    with serving(shopping) as server:
        there = ended(started(shopping, "--server", server.address, out="there.csv"), expect=2)
    here = ended(started(shopping, "--bundle", BUNDLE, out="here.csv"), expect=2)
    assert there["columns"] == here["columns"]
    assert there["statuses"] == here["statuses"] == {"answered": 40, "fault": 5, "novel": 1}
    for one, other in zip(results(shopping / "there.csv"), results(shopping / "here.csv"), strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            if name.startswith(("probability_", "novelty")) and value:
                assert float(one[name]) == pytest.approx(float(value), abs=1e-4)
            elif name == "error":
                assert bool(one[name]) == bool(value)
            else:
                assert one[name] == value, name
    said = {one["id"]: one["error"] for one in results(shopping / "there.csv")}
    assert "gone.png: cannot be read" in said["gone"]
    assert "photos[1]" in said["torn"]
    assert "product.title: expected at most 10000 characters, found 100000" in said["long"]


def test_a_server_that_is_started_again_meanwhile_is_waited_for(shopping: Path) -> None:
    with serving(shopping) as server:
        process = started(shopping, "--server", server.address)
        until_another_part(shopping, process)
        server.kill()
    with serving(shopping, listen=server.address):
        assert ended(process)["statuses"] == {"answered": ROWS}
    assert [one["label_kind"] for one in results(shopping / "results.csv")] == [
        kind_of(number) for number in range(ROWS)
    ]


def test_a_table_that_one_model_began_no_other_goes_on_with(shopping: Path) -> None:
    admin = token(shopping, "root", Role.ADMIN)
    with serving(shopping) as server:
        killed_after_another_part(shopping, "--server", server.address)
        make_catalog_bundle(shopping / "models" / "other-1.0.loupe", certified=False, name="other")
        with Client(server.address, token=admin) as client:
            client.load_model("other-1.0")
        several = ended(started(shopping, "--server", server.address), expect=2)
        other = ended(started(shopping, "--server", server.address, "--model", "other"), expect=2)
    assert "expected --model with one of other, shop, found none" in str(several["error"])
    assert "found another: model differ" in str(other["error"])


def test_a_model_that_is_replaced_under_way_ends_the_answers(shopping: Path) -> None:
    picture = (shopping / "photos" / "tees.png").read_bytes()
    admin = token(shopping, "root", Role.ADMIN, Role.CATALOG)
    with serving(shopping) as server, Client(server.address, token=admin) as client:
        (model,) = (one for one in client.models() if one.catalog)
        assert model.catalog is not None

        def products() -> Iterator[Load]:
            for number in range(200):
                if number == 100:
                    make_catalog_bundle(shopping / "models" / "shop-1.1.loupe", version="1.1")
                    client.load_model("shop-1.1")
                yield lambda: Product(photos=(picture,))

        answers = There(client, model.ref, model.catalog).answers(products())
        with pytest.raises(StateError, match=r"shop: expected the model 1\.0 .* throughout, found 1\.1"):
            list(answers)
