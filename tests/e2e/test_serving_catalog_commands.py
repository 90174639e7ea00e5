"""The catalog on a server, from the command line and from Python: kept, found, checked, corrected, and learned from."""

import asyncio
import csv
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.catalog_bundles import SIDE, make_catalog_bundle
from tests.e2e.serving import LOUPE, Server, serving
from tests.e2e.shops import SECRET, Asker, furnished, png, private, product
from vision.client import AsyncClient, Client, Product
from vision.client.catalog_values import Categorized, CategoryStatus, FeedbackState
from vision.errors import ImageError, RemotePermissionError, RequestError
from vision.image import load

pytestmark = pytest.mark.slow

Loupe = Callable[..., dict[str, Any]]


@pytest.fixture
def loupe(shop: Server, shop_tokens: dict[str, str]) -> Loupe:
    """Runs a command against the shop with a user's token; gives its JSON."""

    def run(user: str, *arguments: object, expect: int = 0, on_server: bool = True) -> dict[str, Any]:
        there = ["--server", shop.address] if on_server else []
        done = subprocess.run(
            [str(LOUPE), "catalog", *map(str, arguments), *there, "--json"],
            capture_output=True,
            text=True,
            env=os.environ | {"LOUPE_TOKEN": shop_tokens[user]},
        )
        assert done.returncode == expect, done.stderr + done.stdout
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def test_a_product_is_placed_on_a_server_as_by_a_bundle(loupe: Loupe, tmp_path: Path) -> None:
    make_catalog_bundle(tmp_path / "shop")
    (tmp_path / "shoe.png").write_bytes(png("sneakers"))
    (tmp_path / "sole.png").write_bytes(png("sneakers", 1))
    told = [
        tmp_path / "shoe.png",
        tmp_path / "sole.png",
        "--title",
        "Court sneakers",
        "--attribute",
        "season=summer",
        "--language",
        "zh",
    ]

    there = loupe("kim", "categorize", *told, "--explain", "--heatmap", tmp_path / "why.png")
    here = loupe("kim", "categorize", *told, "--explain", "--bundle", tmp_path / "shop", on_server=False)

    same = ("status", "depth", "certified", "modalities", "quality_faults", "not_understood")
    assert {name: there[name] for name in same} == {name: here[name] for name in same}
    assert [one["name"] for one in there["levels"]] == [one["name"] for one in here["levels"]]
    assert there["levels"][2].keys() == here["levels"][2].keys()
    assert there["reasons"].keys() == here["reasons"].keys()
    assert load(tmp_path / "why.png").size_wh == (2 * SIDE, SIDE), "both photos, side by side"


def test_a_folder_and_a_table_are_kept_and_what_cannot_be_is_told(loupe: Loupe, tmp_path: Path) -> None:
    for place in range(3):
        (tmp_path / f"cli{place}.png").write_bytes(png("sandals", 200 + place))
    (tmp_path / "table.csv").write_text(
        "id,paths,title,season\nrow0,cli0.png|cli1.png,Slides,Summer\nrow1,gone.png,Gone,\nrow2,cli2.png,凉鞋,Winter\n"
    )

    folder = loupe("kim", "index", tmp_path)
    table = loupe(
        "kim", "index", "--input", tmp_path / "table.csv", "--attribute-columns", "season", expect=2
    )

    assert (folder["products"], folder["kept"], folder["faults"]) == (3, 3, [])
    assert table["kept"] == 2
    assert [one["item"] for one in table["faults"]] == ["row1"]
    assert "gone.png" in table["faults"][0]["error"]
    assert {one["item_id"] for one in table["duplicates"]} >= {"cli0", "cli1", "cli2"}
    found = loupe("kim", "search", "--text", "winter sandals", "--limit", 100)
    assert [one["item_id"] for one in found["items"]] == ["row2"]
    assert found["understood"] == {"categories": ["sandals"], "attributes": {"season": ["Winter"]}}
    by_picture = loupe("kim", "search", tmp_path / "cli0.png", "--category", "sandals", "--limit", 2)
    assert {one["item_id"] for one in by_picture["items"]} == {"cli0", "row0"}
    names = [f"cli{place}" for place in range(3)] + ["row0", "row2", "nowhere"]
    assert loupe("kim", "remove", *names)["removed"] == {one: one != "nowhere" for one in names}


def test_rows_that_are_not_a_product_of_their_own_are_told_and_not_kept(loupe: Loupe, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("first", "second"):
        (tmp_path / "photos" / f"{name}.png").write_bytes(png("tees", len(name)))
    (tmp_path / "outside.png").write_bytes(png("tees", 9))
    (tmp_path / "table.csv").write_text(
        "id,path,title\ntwin0,first.png,One\ntwin0,second.png,Other\n"
        f"up0,../outside.png,Up\nrooted0,{tmp_path / 'outside.png'},Rooted\n,first.png,Nameless\n"
    )

    table = loupe(
        "kim", "index", "--input", tmp_path / "table.csv", "--images", tmp_path / "photos", expect=2
    )
    found = loupe("kim", "search", "--item", "twin0", "--limit", 100)

    assert (table["products"], table["kept"], table["replaced"]) == (5, 1, 0)
    assert {one["item"]: one["error"].partition(", found")[0] for one in table["faults"]} == {
        "twin0": "id: expected each once",
        "up0": "path: expected one below the folder of images",
        "rooted0": "path: expected one below the folder of images",
        "": "id: expected one",
    }
    assert not {"up0", "rooted0"} & {one["item_id"] for one in found["items"]}
    assert loupe("kim", "remove", "twin0", "up0")["removed"] == {"twin0": True, "up0": False}


def test_what_is_said_to_be_of_the_test_set_is_never_taken_away(loupe: Loupe, tmp_path: Path) -> None:
    for place, name in enumerate(("split0", "split1", "split2", "split3")):
        (tmp_path / f"{name}.png").write_bytes(png("sneakers", 40 + place))
    (tmp_path / "table.csv").write_text("id,path,split\nsplit1,split1.png,test\nsplit2,split2.png,\n")
    before = loupe("ada", "lessons", "--out", tmp_path / "before")["frozen"]

    loupe("kim", "index", tmp_path / "split0.png", "--item", "split0", "--split", "test")
    loupe("kim", "index", "--input", tmp_path / "table.csv", "--split", "train")
    wrong = loupe("kim", "index", tmp_path / "split3.png", "--item", "split3", "--split", "exam", expect=2)
    for name in ("split0", "split1", "split2"):
        loupe("kim", "feedback", name, "kind=sandals")
    taken = loupe("ada", "lessons", "--out", tmp_path / "out")

    assert "split" in wrong["error"]["message"]
    assert taken["frozen"] == before + 2
    with (tmp_path / "out" / "manifest.csv").open(newline="") as file:
        splits = {row["group"]: row["split"] for row in csv.DictReader(file)}
    assert splits["split2"] == "train"
    assert not {"split0", "split1"} & splits.keys()
    loupe("kim", "remove", "split0", "split1", "split2")


def test_a_customers_photo_is_checked(loupe: Loupe, tmp_path: Path) -> None:
    (tmp_path / "worn.png").write_bytes(png("sneakers"))

    found = loupe("kim", "blemish", tmp_path / "worn.png")

    assert found["routed_by"] == "shoes"
    assert found["model"]["name"] == "plates"
    assert found["decision"] in {"accept", "reject", "review"}


def test_a_customers_photo_of_a_kept_product_needs_no_placing(loupe: Loupe, tmp_path: Path) -> None:
    (tmp_path / "worn.png").write_bytes(png("tees"))
    (tmp_path / "shoe.png").write_bytes(png("sneakers", 91))
    loupe("kim", "index", tmp_path / "shoe.png", "--item", "worn0")

    found = loupe("kim", "blemish", tmp_path / "worn.png", "--item", "worn0")
    refused = loupe("kim", "blemish", tmp_path / "worn.png", "--item", "worn0", "--title", "x", expect=2)

    assert (found["routed_by"], found["category"], found["category_model"]) == ("shoes", None, None)
    assert found["item"]["labels"]["kind"] == "sneakers"
    assert "expected no model, title or attributes beside it" in refused["error"]["message"]
    loupe("kim", "remove", "worn0")


@pytest.mark.torch
def test_corrections_become_a_manifest_to_train_on(loupe: Loupe, tmp_path: Path) -> None:
    from training.manifest import read_manifest

    (tmp_path / "slide.jpg").write_bytes(private("sneakers"))
    kept = loupe("kim", "index", tmp_path / "slide.jpg", "--item", "learn0", "--title", "Slides")

    given = loupe("kim", "feedback", "learn0", "kind=sandals", "--comment", "open toes")
    wrong = loupe("kim", "feedback", "learn0", "kind=sandal", expect=2)
    denied = loupe("kim", "lessons", "--out", tmp_path / "out", expect=1)
    taken = loupe("ada", "lessons", "--out", tmp_path / "out")
    of_another = loupe("ada", "lessons", "--model", "another", "--out", tmp_path / "other")

    assert of_another["corrections"] == 0
    assert kept["category"]["levels"][2]["label"] == "sneakers"
    assert given["labels"] == {"department": "footwear", "family": "shoes", "kind": "sandals"}
    assert (given["by"], given["state"]) == ("kim", "accepted")
    assert "nearest: 'sandals'" in wrong["error"]["message"]
    assert "role review" in denied["error"]["message"]
    assert taken["corrections"] >= 1
    with (tmp_path / "out" / "manifest.csv").open(newline="") as file:
        row = next(one for one in csv.DictReader(file) if one["group"] == "learn0")
    assert (row["kind"], row["title"], row["by"]) == ("sandals", "Slides", "kim")
    assert SECRET not in (tmp_path / "out" / row["path"]).read_bytes()
    manifest = read_manifest(
        tmp_path / "out" / "manifest.csv",
        images=tmp_path / "out",
        label_columns=("department", "family", "kind"),
    )
    assert "sandals" in {item.columns["kind"] for item in manifest.items}
    loupe("kim", "remove", "learn0")


def test_an_index_is_made_anew_from_the_command_line(tmp_path: Path) -> None:
    furnished(tmp_path)
    with serving(tmp_path) as server:
        for place in range(3):
            Asker(server.address).index(f"i{place}", product(png("tees", place)))
    command = [str(LOUPE), "catalog", "rebuild", "--config", "loupe.toml", "--json"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)["indexes"].values()) == [3]
    with serving(tmp_path) as server:
        assert len(Asker(server.address).found(image=png("tees"))) == 3
        assert not any("index made anew" in line for line in server.log)


# --- from Python


def test_the_client_says_what_the_server_says(shop: Server, shop_tokens: dict[str, str]) -> None:
    with Client(shop.address, token=shop_tokens["kim"]) as client:
        one = Product(item_id="py0", photos=(png("tees", 5),), title="Tee", attributes={"season": "Summer"})
        answer = client.catalog.categorize(one, reasons=True, embedding=True)
        kept = client.catalog.index(one)
        found = client.catalog.search(item_id="py0", limit=1)
        given = client.catalog.submit_feedback("py0", {"kind": "shirts"})

        assert answer.category.status is CategoryStatus.ANSWERED
        assert answer.category.depth == 3
        assert answer.reasons is not None
        assert answer.embedding is not None
        assert kept.item_id == "py0"
        assert found.model.name == "shop"
        assert given.state is FeedbackState.ACCEPTED
        with pytest.raises(RemotePermissionError):
            client.catalog.export_feedback()
        with pytest.raises(RequestError, match=r"product\.title"):
            client.catalog.categorize(Product(photos=(png("tees"),), title="x" * 100_000))
        assert client.catalog.remove("py0")


def test_many_products_have_an_outcome_each(shop: Server, tmp_path: Path) -> None:
    products = [Product(item_id=f"m{place}", photos=(png("tees", place),)) for place in range(20)]
    products[7] = Product(item_id="m7", photos=(tmp_path / "gone.png",))

    with Client(shop.address) as client:
        outcomes = {one.index: one for one in client.catalog.categorize_many(products, in_flight=4)}

    assert sorted(outcomes) == list(range(20))
    assert isinstance(outcomes[7].result, ImageError)
    assert sum(isinstance(one.result, Categorized) for one in outcomes.values()) == 19


def test_the_asynchronous_client_does_the_same(shop: Server, shop_tokens: dict[str, str]) -> None:
    async def ask() -> None:
        async with AsyncClient(shop.address, token=shop_tokens["kim"]) as client:
            one = Product(item_id="as0", photos=(png("sneakers", 5),))
            await client.catalog.index(one)
            assert (await client.catalog.search(text="sneakers", limit=1000)).items
            assert (await client.catalog.check_blemish(one)).routed_by == "shoes"
            outcomes = [outcome async for outcome in client.catalog.categorize_many([one] * 5, in_flight=2)]
            assert sorted(outcome.index for outcome in outcomes) == list(range(5))
            with pytest.raises(RequestError, match="one way through the tree"):
                await client.catalog.submit_feedback("as0", {"family": "tops", "kind": "sandals"})
            assert await client.catalog.remove("as0")

    asyncio.run(ask())
