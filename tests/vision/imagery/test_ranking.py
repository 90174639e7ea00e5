"""Who is looked at first: what the rules refuse comes last, then what is taken for something else."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vision.imagery.ranking import complaints, rank


def report(*statuses: str) -> dict[str, Any]:
    return {"findings": [{"status": status} for status in statuses]}


def order(*candidates: tuple[list[dict[str, Any]], dict[str, Any]]) -> list[int]:
    return sorted(range(len(candidates)), key=lambda index: rank(*candidates[index]))


def test_a_candidate_that_breaks_a_rule_comes_after_one_that_only_warns() -> None:
    assert order(([report("fail")], {}), ([report("warn", "warn")], {}), ([report("pass")], {})) == [2, 1, 0]


def test_one_failure_is_better_than_two_in_whichever_rule_sets_they_are() -> None:
    assert order(([report("fail"), report("fail")], {}), ([report("fail", "warn")], {})) == [1, 0]


def test_a_new_defect_weighs_more_than_another_category_and_that_more_than_warnings() -> None:
    sound = [report("pass")]
    assert order(
        (sound, {"new_defect": True}),
        (sound, {"same_category": False}),
        ([report("warn")], {"same_category": True}),
    ) == [2, 1, 0]


def test_of_equals_the_one_most_like_the_product_comes_first() -> None:
    sound = [report("pass")]
    assert order((sound, {"identity": 0.7}), (sound, {"identity": 0.9})) == [1, 0]


def test_what_was_not_checked_yet_comes_last() -> None:
    assert order(([], {}), ([report("fail")], {})) == [1, 0]


def test_what_the_classifiers_have_against_a_candidate_is_said_and_what_nobody_was_asked_is_not() -> None:
    other = {"same_category": False, "category": ["bags", "rucksacks"], "image_category": []}
    assert complaints(other | {"new_defect": False}) == (
        "the photo is taken for bags > rucksacks, the image for nothing known",
    )
    assert complaints({"new_defect": True}) == ("the image shows a defect that the photo does not",)
    assert complaints({}) == complaints({"same_category": True, "new_defect": False, "warnings": []}) == ()


@given(st.lists(st.sampled_from(["pass", "warn", "fail", "not_checked"]), max_size=6), st.floats(-1, 1))
def test_every_candidate_has_a_rank_whatever_is_known_of_it(statuses: list[str], identity: float) -> None:
    known = rank([report(*statuses)], {"identity": identity, "same_category": True, "new_defect": False})
    assert known <= rank([report(*statuses, "fail")], {})
