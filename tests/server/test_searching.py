"""Words are understood through the taxonomy and the attributes, whatever their language, and what is not understood is said."""

import pytest

from server.searching import Understood, today, understand
from tests.catalog_bundles import ATTRIBUTE_SPEC, TREE
from vision.catalog.taxonomy import Category, Taxonomy
from vision.errors import CatalogError

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


def test_an_old_id_is_todays_and_an_unknown_one_is_refused_with_the_nearest() -> None:
    moved = Taxonomy(
        levels=("kind",),
        categories=(Category(level="kind", id="sneakers"),),
        moved={"kind": {"joggers": "sneakers"}},
    )

    assert today(moved, "joggers") == {"sneakers"}
    with pytest.raises(CatalogError, match="found 'sneekers'; nearest: sneakers"):
        today(moved, "sneekers")
