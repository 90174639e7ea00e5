"""A tree with a fault is refused, and the message names it."""

import time
from collections.abc import Mapping, Sequence

import pytest

from vision.catalog.taxonomy import Category, Taxonomy
from vision.catalog.taxonomy_faults import FaultyTaxonomyError

LEVELS = ("top", "mid", "leaf")


def category(level: str, name: str, *parents: str, **names: str) -> Category:
    return Category(level=level, id=name, parents=parents, names=names)


SOUND = (category("top", "a"), category("mid", "b", "a"), category("leaf", "c", "b"))


def complaint(
    *categories: Category,
    levels: Sequence[str] = LEVELS,
    moved: Mapping[str, Mapping[str, str]] | None = None,
    version: str = "1",
) -> str:
    with pytest.raises(FaultyTaxonomyError) as raised:
        Taxonomy(version=version, levels=tuple(levels), categories=categories, moved=moved or {})
    return str(raised.value)


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        (
            (category("top", "a", "c"), *SOUND[1:]),
            "level 'top': category 'a': parents: expected no category above itself, found a > b > c > a",
        ),
        (
            (category("top", "a", "a"), *SOUND[1:]),
            "level 'top': category 'a': parents: expected no category above itself, found a > a",
        ),
        (
            (*SOUND, category("leaf", "d", "B")),
            ("level 'leaf': category 'd': parents: expected an id of level 'mid', found 'B', which is at no level; "
            "nearest: 'b'"),
        ),
        (
            (*SOUND, category("leaf", "d", "a")),
            "level 'leaf': category 'd': parents: expected an id of level 'mid', found 'a', which is at level 'top'",
        ),
        (
            (*SOUND, category("leaf", "d")),
            "level 'leaf': category 'd': parents: expected an id of level 'mid', found none",
        ),
        (
            (*SOUND, category("leaf", "d", "b", "b")),
            "level 'leaf': category 'd': parents: expected each once, found 'b' 2 times",
        ),
        (
            (category("top", "a"), category("top", "x", "y"), *SOUND[1:]),
            "level 'top': category 'x': parents: expected none at the first level, found 'y'",
        ),
        (
            (*SOUND, category("leaf", "c", "b")),
            "level 'leaf': category 'c': id: expected each id once at a level, found 'c' again",
        ),
        (
            (*SOUND, category("leaf", "C", "b")),
            "level 'leaf': category 'C': id: expected another name than that of 'c' under 'b', found 'C'",
        ),
        (
            (category("top", "x", zh="鞋"), category("top", "y", zh="鞋"), *SOUND),
            "level 'top': category 'y': names.zh: expected another name than that of 'x' at the first level, found '鞋'",
        ),
        (
            (*SOUND, category("sort", "d", "b")),
            "category 'd': level: expected one of top, mid, leaf, found 'sort'",
        ),
        (
            SOUND[:2],
            "level 'leaf': categories: expected at least one, found none",
        ),
        (
            (*SOUND, category("top", "c")),
            ("level 'leaf': category 'c': id: expected an id that no category without children above has, since that "
            "is carried down to this level; found 'c', which is such a one at level 'top'"),
        ),
        ((), "categories: expected at least one, found none"),
        (
            (*SOUND, category("leaf", "d\x07", "b")),
            "level 'leaf': category 'd\x07': id: expected no control characters, found U+0007 in 'd\\x07'",
        ),
        (
            (*SOUND, category("leaf", "\ud800", "b")),
            "level 'leaf': category '\ud800': id: expected no control characters, found U+D800 in '\\ud800'",
        ),
        ((*SOUND, category("leaf", " d", "b")), "level 'leaf': category ' d': id: expected no blanks around it, found ' d'"),
        ((*SOUND, category("leaf", "", "b")), "level 'leaf': id: expected a text, found none"),
        (
            (*SOUND, category("leaf", "d", "b", chinesisch2="鞋")),
            "level 'leaf': category 'd': names: expected a BCP 47 language such as zh, found 'chinesisch2'",
        ),
    ],
    ids=lambda value: value[-60:] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_faulty_tree_is_refused(categories: tuple[Category, ...], message: str) -> None:
    assert complaint(*categories) == message


def test_every_fault_of_a_kind_is_told_up_to_a_number_that_people_read() -> None:
    orphans = [category("leaf", f"orphan{number}", "nowhere") for number in range(30)]
    lines = complaint(*SOUND, *orphans).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and more"
    assert "'orphan19'" in lines[-2]


def test_a_family_and_its_only_member_may_be_called_alike() -> None:
    same = (category("top", "belts"), category("mid", "belts", "belts"), category("leaf", "belts", "belts"))
    assert Taxonomy(levels=LEVELS, categories=same).paths.tolist() == [[0, 0, 0]]


def test_the_same_name_under_other_parents_or_in_another_language_is_no_fault() -> None:
    twins = (
        category("mid", "x", "a", en="Gift"),
        category("mid", "y", "a", de="Gift"),
        category("top", "z"),
        category("mid", "w", "z", en="Gift"),
    )
    assert len(Taxonomy(levels=LEVELS, categories=(*SOUND, *twins)).paths) == 4


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ((), "levels: expected at least one, found none"),
        (("top", "mid", "top"), "levels: expected each once, found 'top' 2 times"),
        (("top", ""), "levels: expected a text, found none"),
    ],
)
def test_levels_are_there_and_differ(levels: tuple[str, ...], message: str) -> None:
    assert complaint(*SOUND, levels=levels) == message


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ({"x": "y"}, "category 'x': moved_to: expected an id of today, found x > y, which is none"),
        (
            {"x": "y", "y": "z", "z": "x"},
            "category 'x': moved_to: expected the way to end, found x > y > z > x",
        ),
        ({"x": "x"}, "category 'x': moved_to: expected the way to end, found x > x"),
        ({"c": "d"}, "category 'c': moved_to: expected an id that is no longer in use, found 'c', which is"),
        (
            {"x": "C"},
            "category 'x': moved_to: expected an id of today, found x > C, which is none; nearest: 'c'",
        ),
        ({"\n": "c"}, "category '\n': moved_to: expected a text, found none"),
    ],
)
def test_what_has_moved_leads_to_an_id_of_today(moves: dict[str, str], message: str) -> None:
    assert complaint(*SOUND, moved={"leaf": moves}).split("\nlevel")[0] == f"level 'leaf': {message}"


def test_what_has_moved_names_a_level() -> None:
    message = "level 'sort': category 'x': level: expected one of top, mid, leaf, found 'sort'"
    assert complaint(*SOUND, moved={"sort": {"x": "c"}}) == message


def test_a_tree_whose_ways_multiply_beyond_counting_is_refused_at_once() -> None:
    levels = tuple(f"level{position}" for position in range(64))
    doubled = [
        category(level, f"{level}{side}", *(f"{levels[at - 1]}{above}" for above in "xy" if at))
        for at, level in enumerate(levels)
        for side in "xy"
    ]
    message = "level 'level19': parents: expected at most 1,000,000 ways through the tree, found 1,048,576"
    assert complaint(*doubled, levels=levels) == message


def test_a_long_chain_of_categories_above_themselves_is_told_whole() -> None:
    loop = [category("mid", f"m{number}", f"m{(number + 1) % 3000}") for number in range(3000)]
    said = complaint(*SOUND, *loop)
    assert said.count(" > ") == 3000


def test_faults_and_ways_into_the_past_by_the_ten_thousand_are_told_at_once() -> None:
    count = 20_000
    orphans = [category("leaf", f"orphan{number}", "nowhere") for number in range(count)]
    chain = {f"old{number}": f"old{number + 1}" for number in range(count)}
    began = time.process_time()
    complaint(*SOUND, *orphans)
    Taxonomy(levels=LEVELS, categories=SOUND, moved={"leaf": chain | {f"old{count}": "c"}})
    assert time.process_time() - began < 5, "seconds"
