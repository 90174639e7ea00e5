"""Products are kept without what their photos say of people, found again, and neither lost nor doubled by kills."""

import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from server.auth import Role
from tests.catalog_bundles import make_catalog_bundle, photo, stranger
from tests.e2e.serving import eventually, models_of, serving, shown, token
from tests.e2e.shops import SECRET, Asker, furnished, png, private, product, refusal, said
from vision.image import encode_jpeg, encode_png
from vision.v1 import catalog_pb2, models_pb2

pytestmark = pytest.mark.slow

Code = grpc.StatusCode


# --- keeping and finding


def test_a_kept_product_is_found_by_its_picture_like_another_and_by_words(kim: Asker) -> None:
    for place, kind in enumerate(["sneakers", "sandals", "shirts"]):
        kim.index(f"f{place}", product(png(kind, 40 + place), title=kind, season="Summer"))

    by_picture = kim.search(image=png("sneakers", 77), limit=1).items[0]
    assert by_picture.item_id == "f0"
    assert by_picture.similarity > 0.9
    assert by_picture.kind_probability > 0.5
    assert (by_picture.title, list(by_picture.labels)) == ("sneakers", ["footwear", "shoes", "sneakers"])
    assert "f0" not in kim.found(item_id="f0")
    assert set(kim.found(text="summer shoes")) == {"f0", "f1"}
    assert kim.found(text="凉鞋") == ["f1"]
    assert [one.kind_probability for one in kim.search(text="凉鞋").items] == [0]
    assert {one.kind_probability for one in kim.search(image=encode_png(stranger())).items} == {0}  # novel
    assert kim.found(image=png("sneakers"), categories=["shirts"]) == ["f2"]
    assert kim.found(image=png("sneakers"), categories=["footwear"], limit=1) == ["f0"]
    winter = {"season": catalog_pb2.AttributeValues(values=["winter"])}
    assert kim.found(image=png("sneakers"), attributes=winter) == []
    understood = kim.search(text="SUMMER Sandals of kim")
    assert (list(understood.categories), list(understood.not_understood)) == (["sandals"], ["of", "kim"])
    assert list(understood.attributes["season"].values) == ["Summer"]
    for name in ("f0", "f1", "f2"):
        assert kim.remove(name)
    assert not set(kim.found(image=png("sneakers"))) & {"f0", "f1", "f2"}


def test_the_same_picture_under_two_ids_is_told(kim: Asker) -> None:
    kim.index("d0", product(png("wool_socks", 5)))
    smaller = np.ascontiguousarray(photo("wool_socks", 5)[::2, ::2])

    same = kim.index("d1", product(png("wool_socks", 5))).duplicates
    copy = kim.index("d2", product(png("tees", 99), encode_jpeg(smaller, quality=90))).duplicates

    assert [(one.item_id, one.kind) for one in same] == [("d0", catalog_pb2.DUPLICATE_KIND_SAME)]
    assert {one.item_id for one in copy} >= {"d0", "d1"}
    assert {one.uploaded for one in copy if one.item_id == "d0"} == {1}


def test_a_reused_id_replaces_its_item(kim: Asker) -> None:
    assert not kim.index("twice", product(png("belts", 1))).replaced
    assert kim.index("twice", product(png("sport_socks", 1), title="new")).replaced

    found = kim.search(image=png("sport_socks", 2)).items
    assert [one.title for one in found if one.item_id == "twice"] == ["new"]


@pytest.mark.parametrize(
    "item_id",
    ["a\nb", "a\x1bb", "", "x" * 257, "€" * 100],
    ids=["newline", "escape", "empty", "long", "300 bytes"],
)
def test_an_id_that_cannot_be_kept_is_refused(kim: Asker, item_id: str) -> None:
    assert refusal(lambda: kim.index(item_id, product(png("tees")))).code() is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("item_id", ["鞋-👟", "حذاء", "SKU 12/4"])
def test_ids_in_any_script_are_kept(kim: Asker, item_id: str) -> None:
    kim.index(item_id, product(png("tees", 8)))

    assert item_id in kim.found(image=png("tees", 8), limit=100)
    assert kim.remove(item_id)


def test_what_cannot_be_searched_for_is_refused_with_what_would_do(kim: Asker) -> None:
    tried: list[tuple[dict[str, Any], grpc.StatusCode, str]] = [
        ({}, Code.INVALID_ARGUMENT, "expected one of image, item_id and text"),
        ({"item_id": "nowhere"}, Code.NOT_FOUND, "item 'nowhere'"),
        ({"text": "quarks"}, Code.INVALID_ARGUMENT, "found none in 'quarks'"),
        ({"text": "shoes", "categories": ["sneekers"]}, Code.INVALID_ARGUMENT, "nearest: sneakers"),
        ({"image": b"none"}, Code.INVALID_ARGUMENT, "photos[0]"),
        ({"text": "shoes", "limit": 1001}, Code.INVALID_ARGUMENT, "limit"),
    ]
    for asked, code, words in tried:
        error = refusal(partial(kim.search, **asked))
        assert error.code() is code
        assert words in said(error)


def test_a_product_without_a_photo_that_can_be_judged_is_not_kept(kim: Asker) -> None:
    dark = encode_png(np.zeros((128, 128, 3), np.uint8))

    for of in (product(title="sneakers"), product(dark, title="sneakers")):
        error = refusal(partial(kim.index, "unseen", of))
        assert error.code() is Code.INVALID_ARGUMENT
        assert "expected a photo that can be judged" in said(error)
    assert refusal(lambda: kim.search(item_id="unseen")).code() is Code.NOT_FOUND


# --- privacy


def test_nothing_that_is_kept_says_where_a_photo_was_taken(kim: Asker, shop_folder: Path) -> None:
    answer = kim.index("private", product(private("sandals")))
    checked = kim.check(private("sneakers"))

    data = shop_folder / "loupe-data"
    assert answer.photo_sha256s
    assert SECRET in private("sandals")
    kept = [one for one in data.rglob("*") if one.is_file()]
    assert any(one.name == answer.photo_sha256s[0] for one in kept)
    assert checked.inspection.result_id
    for one in kept:
        assert SECRET not in one.read_bytes(), one
        assert b"Exif" not in one.read_bytes(), one

    assert kim.remove("private")
    assert not any(one.name == answer.photo_sha256s[0] for one in data.rglob("*"))


def test_originals_are_kept_where_that_is_configured(tmp_path: Path) -> None:
    furnished(tmp_path)
    kim = token(tmp_path, "kim", Role.CATALOG)
    with serving(tmp_path, catalog={"keep_originals": True}) as server:
        Asker(server.address, kim).index("open", product(private("sandals")))

    kept = [one.read_bytes() for one in (tmp_path / "loupe-data" / "photos").rglob("*") if one.is_file()]
    assert len(kept) == 2
    assert private("sandals") in kept


# --- the index


def indexed(folder: Path) -> Path:
    (index,) = (one for one in (folder / "loupe-data" / "index").iterdir() if one.is_dir())
    return index


def test_an_index_that_is_missing_damaged_or_anothers_is_made_anew_at_the_start(tmp_path: Path) -> None:
    furnished(tmp_path)
    with serving(tmp_path) as server:
        asker = Asker(server.address)
        for place in range(6):
            asker.index(f"i{place}", product(png("tees", place)))
        asker.remove("i5")
    kept = {f"i{place}" for place in range(5)}

    def truncate() -> None:
        journal = max(indexed(tmp_path).glob("journal-*"))
        journal.write_bytes(journal.read_bytes()[:-40])

    def swap(found: str, other: str) -> None:
        identity = indexed(tmp_path) / "index.json"
        assert found in identity.read_text()
        identity.write_text(identity.read_text().replace(found, other))

    digest = indexed(tmp_path).name
    spoiling: list[Callable[[], object]] = [
        lambda: shutil.rmtree(indexed(tmp_path)),
        lambda: indexed(tmp_path).with_suffix(".seen").unlink(),
        truncate,
        lambda: swap(digest, "0" * len(digest)),
        lambda: swap('"dimension": 8', '"dimension": 16'),
    ]
    for spoil in spoiling:
        spoil()
        with serving(tmp_path) as server:
            assert set(Asker(server.address).found(image=png("tees", 2), limit=100)) == kept
            assert any("index made anew" in line for line in server.log)

    with serving(tmp_path) as server:
        assert not any("index made anew" in line for line in server.log)
        assert set(Asker(server.address).found(image=png("tees", 2), limit=100)) == kept


def answered(futures: list[Any], count: int) -> bool:
    return sum(bool(one.done()) for one in futures) >= count


def test_a_kill_while_items_are_kept_loses_and_doubles_none(tmp_path: Path) -> None:
    furnished(tmp_path)
    acknowledged: set[str] = set()
    for life in range(3):
        with serving(tmp_path) as server:
            asker = Asker(server.address)
            futures = {
                f"k{life}-{place}": asker.index_later(f"k{life}-{place}", product(png("tees", place % 7)))
                for place in range(100)
            }
            eventually(partial(answered, list(futures.values()), 10 * (life + 1)))
            server.kill()
            acknowledged |= {name for name, future in futures.items() if future.exception() is None}

    with serving(tmp_path) as server:
        found = Asker(server.address).found(image=png("tees", 0), limit=1000)
    with sqlite3.connect(tmp_path / "loupe-data" / "results.db") as database:
        rows = {name for (name,) in database.execute("SELECT id FROM catalog_items WHERE NOT removed")}
    database.close()

    assert 0 < len(acknowledged) < 300
    assert len(found) == len(set(found))
    assert acknowledged <= set(found)
    assert set(found) == rows


def test_items_are_placed_anew_when_another_version_of_their_model_is_served(tmp_path: Path) -> None:
    furnished(tmp_path)
    make_catalog_bundle(tmp_path / "models" / "shop-2.loupe", version="2")
    (tmp_path / "models" / "shop-2.loupe").rename(tmp_path / "waiting")
    root = token(tmp_path, "root", Role.ADMIN)
    with serving(tmp_path) as server:
        asker = Asker(server.address)
        asker.index("before", product(png("tees", 1)))
        (tmp_path / "waiting").rename(tmp_path / "models" / "shop-2.loupe")
        models = models_of(asker.channel)
        loaded = models.LoadModel(models_pb2.LoadModelRequest(name="shop-2"), metadata=shown(root)).model

        assert (loaded.ref.version, loaded.task) == ("2", "catalog")
        assert asker.categorize(product(png("tees"))).model.version == "2"
        eventually(lambda: asker.found(image=png("tees")) == ["before"])
        asker.index("after", product(png("tees", 2)))
        assert set(asker.found(item_id="before")) == {"after"}
