"""Whatever of an item is there is put to the model, and nothing that is not."""

import pytest

from tests.catalog_bundles import ALL, ATTRIBUTE_SPEC, SIDE, TEXT_SPEC, photo, prepared, spec
from vision.catalog.item import Item, given_modalities, highest_ids, not_understood, rows_of, stacked
from vision.catalog.outputs import ATTRIBUTES, IMAGE, NO_IMAGE, TEXT
from vision.catalog.text import tokenise
from vision.errors import CatalogError

PHOTO = prepared(photo("tees"))
UNSEEN = "\x00\x07\u200b\u202e\ufe0f ,.!"  # control, format and variation characters, and punctuation


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Item(photos=(PHOTO,), title="A tee", attributes={"season": "Winter"}), ALL),
        (Item(photos=(PHOTO,)), (IMAGE,)),
        (Item(photos=(PHOTO,), title=UNSEEN, attributes={"season": " "}), (IMAGE,)),
        (Item(title="短袖"), (TEXT,)),
        (Item(title="👟"), (TEXT,)),
        (Item(title="قميص قطن"), (TEXT,)),
        (Item(title="x" * 100_000), (TEXT,)),
        (Item(attributes={"wearer": "WOMEN"}), (ATTRIBUTES,)),
        (Item(photos=(PHOTO,), attributes={"wearer": "cats", "brand": "Ox"}), (IMAGE,)),
    ],
)
def test_what_can_be_read_is_given(item: Item, expected: tuple[str, ...]) -> None:
    assert given_modalities(item, spec()) == expected


@pytest.mark.parametrize(
    "item",
    [
        Item(),
        Item(title=UNSEEN),
        Item(title=" "),
        Item(attributes={"season": "monsoon", "brand": "Ox", "wearer": ""}),
    ],
)
def test_an_item_with_nothing_that_can_be_read_is_refused(item: Item) -> None:
    with pytest.raises(CatalogError, match="expected a photo, or any of text, attributes that can be read"):
        rows_of(item, spec(), (SIDE, SIDE))


def test_a_model_of_pictures_alone_asks_for_a_photo() -> None:
    with pytest.raises(CatalogError, match="expected a photo that can be read, found none"):
        given_modalities(Item(title="A tee", attributes={"season": "Winter"}), spec((IMAGE,)))


def test_a_row_a_photo_shares_title_and_attributes() -> None:
    other = prepared(photo("tees", 1))
    rows = rows_of(
        Item(photos=(PHOTO, other), title="A tee", attributes={"season": "winter"}), spec(), (SIDE, SIDE)
    )
    assert [row.image_hwc.tobytes() for row in rows] == [one.image_hwc.tobytes() for one in (PHOTO, other)]
    for row in rows:
        assert row.beside[TEXT].tolist() == tokenise("A tee", TEXT_SPEC).ids.tolist()
        assert row.beside[ATTRIBUTES].tolist() == [2, 0]
        assert row.beside[NO_IMAGE] == 0


def test_an_item_without_photos_has_one_blank_row_that_says_so() -> None:
    (row,) = rows_of(Item(title="A tee"), spec(), (48, 32))
    assert row.image_hwc.shape == (32, 48, 3)
    assert not row.image_hwc.any()
    assert row.beside[NO_IMAGE] == 1


def test_a_model_of_pictures_alone_gets_nothing_beside_them() -> None:
    (row,) = rows_of(Item(photos=(PHOTO,), title="A tee"), spec((IMAGE,)), (SIDE, SIDE))
    assert row.beside == {}


def test_rows_of_several_items_make_a_batch() -> None:
    items = [Item(photos=(PHOTO, PHOTO)), Item(title="A tee"), Item(attributes={"wearer": "men"})]
    rows = [row for item in items for row in rows_of(item, spec(), (SIDE, SIDE))]
    pictures, beside = stacked(rows)
    assert pictures.shape == (4, SIDE, SIDE, 3)
    assert {name: (one.shape, str(one.dtype)) for name, one in beside.items()} == {
        TEXT: ((4, TEXT_SPEC.length), "int64"),
        ATTRIBUTES: ((4, len(ATTRIBUTE_SPEC.columns)), "int64"),
        NO_IMAGE: ((4,), "float32"),
    }
    assert beside[NO_IMAGE].tolist() == [0, 0, 1, 1]


def test_the_highest_ids_are_the_last_rows_of_the_tables() -> None:
    ids = highest_ids(spec())
    assert set(ids[TEXT].ravel().tolist()) == {TEXT_SPEC.buckets - 1}
    assert ids[ATTRIBUTES].tolist() == [[2, 2]]
    assert highest_ids(spec((IMAGE,))) == {}


def test_attributes_that_the_model_has_not_learned_are_told() -> None:
    item = Item(
        photos=(PHOTO,), attributes={"season": "monsoon", "brand": "Ox", "wearer": "Men", "size": " "}
    )
    assert not_understood(item, spec()) == {"season": "monsoon", "brand": "Ox"}
    assert not_understood(item, spec((IMAGE,))) == {"season": "monsoon", "brand": "Ox", "wearer": "Men"}
