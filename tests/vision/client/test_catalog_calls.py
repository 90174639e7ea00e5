"""What can be asked of a catalog is checked before it is sent, and what comes back is read whole or not at all."""

from pathlib import Path
from typing import Any

import pytest

from vision.client import catalog_answers, catalog_calls
from vision.client.catalog_values import CategoryStatus, Product
from vision.errors import ImageError, SettingsError, WireError
from vision.v1 import catalog_pb2, inspection_pb2

PHOTO = b"\x89PNG"


def test_a_product_travels_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PHOTO)
    product = Product(
        photos=(tmp_path / "a.png", b"b"),
        title="鞋",
        attributes={"season": "Summer"},
        item_id="x",
        split="test",
    )

    placed = catalog_calls.categorize(product, request_id="r", reasons=True, language="zh").request
    kept = catalog_calls.index(product, priority="bulk").request

    assert isinstance(placed, catalog_pb2.CategorizeRequest)
    assert isinstance(kept, catalog_pb2.IndexItemRequest)
    assert placed.product == kept.product
    assert list(placed.product.photos) == [PHOTO, b"b"]
    assert (placed.request_id, placed.reasons, placed.language) == ("r", True, "zh")
    assert placed.priority == inspection_pb2.PRIORITY_CATALOG
    assert (kept.item_id, kept.split, kept.priority) == ("x", "test", inspection_pb2.PRIORITY_BULK)


def test_a_fresh_id_stands_for_each_question() -> None:
    one, other = (catalog_calls.categorize(Product(photos=(PHOTO,))).request for _ in range(2))

    assert one != other


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"item_id": "a", "text": "b"},
        {"text": "a", "limit": 0},
        {"text": "a", "limit": 1001},
        {"text": "\ud800"},
    ],
    ids=str,
)
def test_a_search_that_cannot_be_is_refused_here(asked: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        catalog_calls.search(**asked)


def test_what_cannot_be_sent_is_refused_here(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png"):
        catalog_calls.index(Product(photos=(tmp_path / "gone.png",)))
    with pytest.raises(SettingsError, match="expected Unicode"):
        catalog_calls.categorize(Product(photos=(PHOTO,), title="\udcff"))
    with pytest.raises(SettingsError, match="photos: expected one, found 2"):
        catalog_calls.check_blemish(Product(photos=(PHOTO, PHOTO)))
    with pytest.raises(SettingsError, match="item_id: expected no model, title or attributes beside it"):
        catalog_calls.check_blemish(Product(photos=(PHOTO,), item_id="x", title="Slides"))
    with pytest.raises(ImageError, match="product: expected at most 16842752 bytes together, found"):
        catalog_calls.products().request(Product(photos=(bytes(9 << 20), bytes(9 << 20))), "r")
    with pytest.raises(SettingsError, match="priority"):
        catalog_calls.categorize(Product(photos=(PHOTO,)), priority="soon")  # type: ignore[arg-type]


def test_an_answer_is_read_whole_or_not_at_all() -> None:
    answer = catalog_pb2.CategorizeResponse()
    with pytest.raises(WireError, match="category: expected one, found none"):
        catalog_answers.categorized(answer)

    answer.category.status = catalog_pb2.CATEGORY_STATUS_UNKNOWN
    answer.category.levels.add(level="kind", label="tees", probability=0.4, threshold=0.7)
    found = catalog_answers.categorized(answer)
    assert found.category.status is CategoryStatus.UNKNOWN
    assert found.category.depth == 0
    assert found.category.levels[0].threshold == 0.7

    answer.category.status = 99  # type: ignore[assignment]  # of a newer server
    with pytest.raises(WireError, match="status: expected one of"):
        catalog_answers.categorized(answer)


def test_lessons_are_asked_for_by_model_and_say_whose_they_are() -> None:
    request = catalog_calls.export_feedback(model="shop", disputed=False, photos=True).request
    row = catalog_pb2.Feedback(
        model="shop",
        kind=catalog_pb2.FEEDBACK_KIND_CORRECTION,
        state=catalog_pb2.FEEDBACK_STATE_ACCEPTED,
    )
    messages = [
        catalog_pb2.ExportFeedbackResponse(feedback=row),
        catalog_pb2.ExportFeedbackResponse(counts=catalog_pb2.FeedbackCounts()),
    ]

    assert request == catalog_pb2.ExportFeedbackRequest(model="shop", photos=True)
    assert [one.model for one in catalog_answers.feedback(messages).rows] == ["shop"]


def test_an_export_without_its_counts_is_incomplete() -> None:
    with pytest.raises(WireError, match="expected the counts once, found them 0 times"):
        catalog_answers.feedback([])
