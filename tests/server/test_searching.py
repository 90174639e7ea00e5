"""Words are understood through the taxonomy and the attributes, whatever their language, and what is not understood is said."""

import asyncio
import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.cataloguing import Cataloguing
from server.decoding import DecodePool
from server.indexing import Indexing
from server.loading import Opening
from server.models import Models
from server.searching import MAX_WORDS, Query, Searching, Understood, today, understand
from server.storage.catalog_items import CatalogItems
from server.storage.database import open_database
from tests.catalog_bundles import ATTRIBUTE_SPEC, TREE, make_catalog_bundle
from vision.catalog.spec import TAXONOMY
from vision.catalog.taxonomy import Category, Taxonomy
from vision.errors import CatalogError, InputError
from vision.image import ImageLimits

SUMMER, WINTER = {"season": ("Summer",)}, {"season": ("Winter",)}


@pytest.mark.parametrize(
    ("text", "categories", "attributes", "rest"),
    [
        ("sandals", ("sandals",), {}, ()),
        ("SUMMER  Sandals", ("sandals",), SUMMER, ()),
        ("footwear for winter", ("footwear",), WINTER, ("for",)),
        ("footwear sandals", ("sandals",), {}, ()),  # the deepest says the most
        ("sandals or sneakers", ("sandals", "sneakers"), {}, ("or",)),
        ("运动鞋", ("sneakers",), {}, ()),  # the longest name, though shoes are in it
        ("summer 凉鞋", ("sandals",), SUMMER, ()),
        ("wool", ("wool_socks",), {}, ()),  # a part of a name
        ("women summer", (), {"wearer": ("women",), "season": ("Summer",)}, ()),
        ("quarks", (), {}, ("quarks",)),
        ("", (), {}, ()),
        ("👟 \u202e!", (), {}, ("👟",)),
    ],
    ids=str,
)
def test_a_text_names_categories_and_values(
    text: str, categories: tuple[str, ...], attributes: dict[str, tuple[str, ...]], rest: tuple[str, ...]
) -> None:
    assert understand(text, TREE, ATTRIBUTE_SPEC) == Understood(
        categories=categories, attributes=attributes, rest=rest
    )


def test_a_model_without_attributes_understands_categories_alone() -> None:
    assert understand("summer sandals", TREE, None).rest == ("summer",)


@pytest.mark.parametrize("text", ["shoe " * (MAX_WORDS + 1), "鞋" * 1000], ids=["words", "characters"])
def test_a_text_that_is_no_query_is_refused_with_how_long_it_may_be(text: str) -> None:
    understand("鞋" * MAX_WORDS, TREE, ATTRIBUTE_SPEC)

    with pytest.raises(InputError, match=f"text: expected at most {MAX_WORDS} words, found"):
        understand(text, TREE, ATTRIBUTE_SPEC)


@pytest.fixture
def searching(tmp_path: Path) -> Iterator[Searching]:
    database, pool = open_database(f"sqlite:///{tmp_path / 'results.db'}"), DecodePool(1)
    items = CatalogItems(database)
    yield Searching(Cataloguing(pool, ImageLimits()), items, Indexing(items, tmp_path / "index"))
    pool.close()
    database.close()


@pytest.fixture
def settled_heap() -> Iterator[None]:
    """As a server's is once it is ready: what thousands of tests have left takes a second to look through, in which nothing else runs."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.asyncio
@pytest.mark.usefixtures("settled_heap")
async def test_a_search_in_many_words_keeps_nobody_else_waiting(searching: Searching, tmp_path: Path) -> None:
    """A part on the line is judged on the same event loop."""
    tree = replace(
        TREE,
        categories=tuple(
            replace(one, synonyms=tuple(f"{one.id} {number}" for number in range(10_000)))
            for one in TREE.categories
        ),
    )
    make_catalog_bundle(tmp_path / "models" / "shop-1.loupe", contents={TAXONOMY: tree.to_json().encode()})
    models = Models(tmp_path / "models", Opening(max_batch=1))
    await models.load_all()
    strangers = " ".join(f"stranger{number}" for number in range(MAX_WORDS))
    query = Query(text=strangers, limit=10, deadline=time.monotonic() + 60)

    began = time.monotonic()
    asked = asyncio.create_task(searching.similar(models.catalog("shop"), query))
    pauses = []
    while not asked.done():
        before = time.monotonic()
        await asyncio.sleep(0.001)
        pauses.append(time.monotonic() - before)
    took = time.monotonic() - began

    with pytest.raises(InputError, match="found none in"):
        await asked
    assert max(pauses) < took / 2
    await models.close()


def test_an_old_id_is_todays_and_an_unknown_one_is_refused_with_the_nearest() -> None:
    moved = Taxonomy(
        levels=("kind",),
        categories=(Category(level="kind", id="sneakers"),),
        moved={"kind": {"joggers": "sneakers"}},
    )

    assert today(moved, "joggers") == {"sneakers"}
    with pytest.raises(CatalogError, match="found 'sneekers'; nearest: sneakers"):
        today(moved, "sneekers")
