"""What a shop tells in columns becomes indices, and what it never told before is reported."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vision.catalog.attributes import AttributeColumn, AttributeSpec, batch, encode, unknown
from vision.errors import CatalogError

SPEC = AttributeSpec(
    columns=(
        AttributeColumn(name="gender", values=("Men", "Women")),
        AttributeColumn(name="colour", values=("Red", "红色", "Off White")),
    )
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"gender": "Women", "colour": "Red"}, [2, 1]),
        ({"colour": " OFF  white\u200b", "gender": "ｍｅｎ"}, [1, 3]),
        ({"gender": "Women", "colour": "红色"}, [2, 2]),
        ({"gender": None}, [0, 0]),
        ({"gender": "", "colour": " "}, [0, 0]),
        ({"gender": "Unisex", "colour": "Red"}, [0, 1]),
        ({"season": "Summer"}, [0, 0]),
        ({}, [0, 0]),
    ],
)
def test_values_become_indices_in_the_order_of_the_columns(
    values: dict[str, str | None], expected: list[int]
) -> None:
    made = encode(values, SPEC)
    assert made.dtype == np.int64
    assert made.tolist() == expected


def test_what_cannot_be_used_is_reported_by_name() -> None:
    told = {"gender": "Unisex", "colour": "RED", "season": "Summer", "usage": " ", "size": None}
    assert unknown(told, SPEC) == {"gender": "Unisex", "season": "Summer"}
    assert unknown({}, SPEC) == {}


def test_items_make_a_batch_in_which_those_without_attributes_are_zeros() -> None:
    made = batch([{"gender": "Men"}, None, {"colour": "红色"}], SPEC)
    assert made.tolist() == [[1, 0], [0, 0], [0, 2]]
    assert made.dtype == batch([], SPEC).dtype == np.int64
    assert batch([], SPEC).shape == (0, 2)
    assert batch([{}, {}], AttributeSpec(columns=())).shape == (2, 0)


def test_values_are_learned_that_occur_often_enough_in_their_most_frequent_spelling() -> None:
    items: list[dict[str, str | None]] = [
        {"colour": "red", "season": "Summer"},
        {"colour": "Red ", "season": "Winter"},
        {"colour": "Red", "season": None},
        {"colour": "Blue"},
        {"colour": ""},
    ]
    learned = AttributeSpec.from_items(items, ["season", "colour"], min_count=1)
    assert learned.names == ("season", "colour")
    assert [column.values for column in learned.columns] == [("Summer", "Winter"), ("Blue", "Red")]
    assert learned.sizes == (3, 3)
    often = AttributeSpec.from_items(items, ["colour"], min_count=3)
    assert often.columns[0].values == ("Red",)
    assert learned == AttributeSpec.from_items(items[::-1], ["season", "colour"])


@given(st.lists(st.text(), min_size=1))
def test_every_learned_value_has_an_index_of_its_own(values: list[str]) -> None:
    items = [{"colour": value} for value in ["known", *values]]
    spec = AttributeSpec.from_items(items, ["colour"])
    indices = [spec.index("colour", value) for value in spec.columns[0].values]
    assert indices == list(range(1, spec.sizes[0]))
    assert {spec.index("colour", value) for value in values} <= {0, *indices}
    assert not any(unknown(item, spec) for item in items)


@pytest.mark.parametrize(
    ("column", "min_count", "message"),
    [
        ("color", 1, "attributes: expected a column 'color', found: colour, season"),
        ("season", 1, "attributes: season: expected a value that occurs at least 1 times, found none"),
        ("colour", 2, "attributes: colour: expected a value that occurs at least 2 times, found none"),
    ],
)
def test_a_column_that_teaches_nothing_is_refused(column: str, min_count: int, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        AttributeSpec.from_items([{"colour": "Red", "season": " "}], [column], min_count=min_count)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([{"name": "colour", "values": ["Red", "RED"]}], "colour: expected values that differ, found 'Red' and 'RED'"),
        ([{"name": "colour", "values": ["Red", "Red"]}], "colour: expected values that differ, found 'Red' and 'Red'"),
        ([{"name": "colour", "values": [" "]}], "colour: expected values that can be seen, found ' '"),
        ([{"name": "colour", "values": []}], "at least 1 item"),
        ([{"name": "", "values": ["Red"]}], "at least 1 character"),
        ([{"name": "c", "values": ["x"]}] * 2, r"columns: expected each name once, found \('c', 'c'\)"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_told_apart_are_refused(columns: list[object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AttributeSpec.model_validate({"columns": columns})


def test_a_value_is_named_by_every_column_that_knows_it_as_that_spells_it() -> None:
    spec = AttributeSpec(
        columns=(
            AttributeColumn(name="colour", values=("Red", "Blue")),
            AttributeColumn(name="team", values=("RED",)),
        )
    )

    assert spec.named(" red ") == (("colour", "Red"), ("team", "RED"))
    assert spec.named("green") == spec.named("") == ()


def test_a_spec_travels_as_json() -> None:
    assert AttributeSpec.model_validate_json(SPEC.model_dump_json()) == SPEC
