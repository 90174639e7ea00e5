"""A product's photos may go through the model apart; its answer is one, whole, and in time, or it is refused."""

import asyncio
import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from server.batching import Lane
from server.cataloguing import Cataloguing, Order, Product
from server.decoding import DecodePool
from server.loading import CatalogModel
from tests.catalog_bundles import PREPROCESS, photo
from vision.catalog.categorize import Categorization
from vision.catalog.item import Item
from vision.errors import CatalogError, DeadlineError, ImageError, OverloadedError
from vision.image import ImageLimits, encode_png
from vision.preprocess import prepare_bytes

pytestmark = pytest.mark.asyncio


@pytest.fixture
def cataloguing() -> Iterator[Cataloguing]:
    pool = DecodePool(2)
    yield Cataloguing(pool, ImageLimits(max_pixels=100_000))
    pool.close()


def order(*photos: bytes, within_s: float = 60.0, title: str = "", **asked: Any) -> Order:
    product = Product(photos=photos, title=title, attributes={"season": "Summer"})
    return Order(product=product, deadline=time.monotonic() + within_s, **asked)


def local(model: CatalogModel, *photos: bytes, title: str = "") -> Categorization:
    prepared = tuple(prepare_bytes(one, PREPROCESS) for one in photos)
    item = Item(photos=prepared, title=title, attributes={"season": "Summer"})
    return model.categorizer.answer(item)


def png(kind: str, seed: int = 0) -> bytes:
    return encode_png(photo(kind, seed))


async def test_photos_that_go_through_the_model_one_by_one_end_up_in_one_answer(
    shop: CatalogModel, cataloguing: Cataloguing
) -> None:
    photos = [png("sneakers", seed) for seed in range(5)]

    placed = await cataloguing.place(shop, order(*photos, title="Court sneakers"))

    expected = local(shop, *photos, title="Court sneakers")
    assert placed.stages.batch == 1
    assert len(placed.predictions) == 5
    assert placed.answer.levels == expected.levels
    assert placed.answer.embedding is not None
    assert expected.embedding is not None
    np.testing.assert_allclose(placed.answer.embedding, expected.embedding)
    assert placed.vectors().shape == (5, shop.categorizer.projection.dimension)


async def test_products_asked_at_the_same_time_do_not_mix(
    shop: CatalogModel, cataloguing: Cataloguing
) -> None:
    kinds = ["sneakers", "tees", "wool_socks", "sandals"] * 5

    answers = await asyncio.gather(
        *(
            cataloguing.place(shop, order(png(kind, seed), png(kind, seed + 50)))
            for seed, kind in enumerate(kinds)
        )
    )

    assert [one.answer.levels[-1].label for one in answers] == kinds
    assert shop.batcher.inside == 0


async def test_a_title_alone_is_enough_and_has_no_vectors(
    shop: CatalogModel, cataloguing: Cataloguing
) -> None:
    placed = await cataloguing.place(shop, order(title="Court sneakers", reasons=True, heatmap=True))

    assert placed.answer.modalities == ("text", "attributes")
    assert placed.vectors().shape == (0, shop.categorizer.projection.dimension)
    assert placed.heatmaps_png == ()
    assert placed.reasons is not None


async def test_photos_that_are_left_out_are_told_by_their_places(
    shop: CatalogModel, cataloguing: Cataloguing
) -> None:
    dark = encode_png(np.zeros((128, 128, 3), np.uint8))

    placed = await cataloguing.place(shop, order(png("tees"), dark, png("tees", 1)))

    assert placed.judged == (0, 2)
    assert len(placed.answer.quality_faults) == 1


async def test_a_photo_at_fault_costs_the_model_nothing(shop: CatalogModel, cataloguing: Cataloguing) -> None:
    large = encode_png(np.zeros((400, 400, 3), np.uint8))

    with pytest.raises(ImageError, match=r"photos\[1\]: expected at most 100000 pixels"):
        await cataloguing.place(shop, order(png("tees"), large))

    assert shop.batcher.inside == 0


async def test_nothing_that_the_model_reads_is_refused(shop: CatalogModel, cataloguing: Cataloguing) -> None:
    nothing = Order(product=Product(title="..."), deadline=time.monotonic() + 60)

    with pytest.raises(CatalogError, match="expected a photo"):
        await cataloguing.place(shop, nothing)


async def test_what_cannot_be_in_time_is_refused_at_the_door(
    shop: CatalogModel, cataloguing: Cataloguing
) -> None:
    with pytest.raises(DeadlineError):
        await cataloguing.place(shop, order(png("tees"), within_s=-1))

    tight = shop.cost.of(1) + 0.0101  # for one photo, not for sixteen
    with pytest.raises(OverloadedError):
        await cataloguing.place(shop, order(*[png("tees")] * 16, within_s=tight))


async def test_who_leaves_takes_all_photos_along(shop: CatalogModel, cataloguing: Cataloguing) -> None:
    asking = asyncio.create_task(cataloguing.place(shop, order(*[png("tees")] * 16, lane=Lane.BULK)))
    while not shop.batcher.inside:
        await asyncio.sleep(0.001)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert shop.batcher.inside == 0
    assert (await cataloguing.place(shop, order(png("tees")))).answer.levels[-1].label == "tees"


# --- photos as they are kept


def tiff(side: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(file, "TIFF")
    return file.getvalue()


async def test_what_is_kept_of_photos_has_the_limits_of_what_is_judged(cataloguing: Cataloguing) -> None:
    asked: dict[str, Any] = {"deadline": time.monotonic() + 60, "lane": Lane.CATALOG}

    assert [one[:4] for one in await cataloguing.plain({"a": tiff(100), "b": png("tees")}, **asked)] == [
        b"\x89PNG"
    ] * 2
    with pytest.raises(ImageError, match="b: expected at most 100000 pixels, found 400x400"):
        await cataloguing.plain({"a": tiff(100), "b": tiff(400)}, **asked)


async def test_photos_that_could_not_be_handed_out_together_are_not_kept() -> None:
    pool, one = DecodePool(1), png("tees")
    cataloguing = Cataloguing(pool, ImageLimits(max_bytes=2 * len(one)))
    asked: dict[str, Any] = {"deadline": time.monotonic() + 60, "lane": Lane.CATALOG}

    assert await cataloguing.plain({"a": one, "b": one}, **asked) == [one, one]
    with pytest.raises(ImageError, match=r"a, b, c: expected at most \d+ bytes together as they are kept"):
        await cataloguing.plain({"a": one, "b": one, "c": one}, **asked)
    pool.close()


async def test_what_is_kept_of_photos_is_made_in_its_turn() -> None:
    """Decoding a large TIFF beside the pool would take a core from the line."""
    pool, busy = DecodePool(1), threading.Event()
    cataloguing = Cataloguing(pool, ImageLimits())
    deadline = time.monotonic() + 60
    decoding = asyncio.create_task(pool.run(busy.wait, deadline=deadline, lane=Lane.LINE))
    await asyncio.sleep(0)

    asked = asyncio.create_task(cataloguing.plain({"a": tiff(8)}, deadline=deadline, lane=Lane.CATALOG))
    done, _ = await asyncio.wait({asked}, timeout=0.2)
    busy.set()

    assert not done
    assert await asked
    await decoding
    pool.close()
