"""What the rules cannot reach, lists and maps of text, is kept to its lengths as well."""

import pytest

from server.rpc.products import filters_from_wire
from server.rpc.rules import FieldsError
from vision.v1 import catalog_pb2


def asked(*categories: str, **attributes: list[str]) -> catalog_pb2.SearchSimilarRequest:
    return catalog_pb2.SearchSimilarRequest(
        categories=categories,
        attributes={name: catalog_pb2.AttributeValues(values=values) for name, values in attributes.items()},
    )


def test_filters_come_as_they_were_asked_for() -> None:
    given = asked("shoes", "鞋", season=["Summer", "x" * 1000])

    assert filters_from_wire(given) == (("shoes", "鞋"), {"season": ("Summer", "x" * 1000)})


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        (asked("shoes", "x" * 1001), "categories[1]", "expected at most 1000 characters, found 1001"),
        (asked(season=["x", "x" * 1001]), "attributes['season']", "expected at most 1000 characters"),
        (asked(**{"y" * 129: ["x"]}), f"attributes['{'y' * 128}']", "expected a name of 1 to 128"),
        (asked(**{"": ["x"]}), "attributes['']", "expected a name of 1 to 128"),
        (asked(season=["x\0"]), "attributes['season']", "expected text without NUL"),
    ],
    ids=["category", "value", "long name", "no name", "NUL"],
)
def test_a_filter_beyond_its_length_is_refused_with_its_field(
    given: catalog_pb2.SearchSimilarRequest, field: str, said: str
) -> None:
    with pytest.raises(FieldsError) as error:
        filters_from_wire(given)

    (violation,) = error.value.violations
    assert violation.field == field
    assert said in violation.description
