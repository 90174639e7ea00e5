"""A small shop in two languages, whose shoes have two places and whose gift cards are nowhere divided; and shops drawn at random."""

from typing import Final

from hypothesis import strategies as st

from vision.catalog.taxonomy import Category, Taxonomy

LEVELS: Final = ("department", "family", "kind")
SHOP: Final = Taxonomy(
    version="2026-03",
    levels=LEVELS,
    categories=(
        Category(level="department", id="clothes", names={"en": "Clothes", "zh": "服装"}),
        Category(level="department", id="sports", names={"en": "Sports", "zh": "运动"}),
        Category(level="department", id="cards", names={"en": "Gift cards", "zh": "礼品卡"}),
        Category(
            level="family",
            id="shoes",
            parents=("clothes", "sports"),
            names={"en": "Shoes", "zh": "鞋"},
            synonyms=("footwear", "鞋子"),
        ),
        Category(level="family", id="belts", parents=("clothes",)),
        Category(
            level="kind",
            id="trainers",
            parents=("shoes",),
            names={"en": "Running shoes", "zh-Hant": "跑步鞋"},
        ),
        Category(level="kind", id="sandals", parents=("shoes",), names={"und": "Sandalen"}),
        Category(level="kind", id="belts", parents=("belts",)),
    ),
    moved={"kind": {"joggers": "sneakers", "sneakers": "trainers", "vouchers": "cards"}},
)


@st.composite
def shops(draw: st.DrawFn) -> Taxonomy:
    """Up to four levels; below the first, categories with one parent or several, and some that end early."""
    depth = draw(st.integers(1, 4))
    levels = tuple(f"level{position}" for position in range(depth))
    above: list[str] = []
    categories: list[Category] = []
    for position, level in enumerate(levels):
        here = [f"{'abcd'[position]}{number}" for number in range(draw(st.integers(1, 4)))]
        for name in here:
            parents = draw(st.sets(st.sampled_from(above), min_size=1, max_size=3)) if above else ()
            categories.append(Category(level=level, id=name, parents=tuple(sorted(parents))))
        above = here
    return Taxonomy(levels=levels, categories=tuple(draw(st.permutations(categories))))
