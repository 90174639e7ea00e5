"""What several people's words come to: nobody's error is learned from where another saw it."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from server.storage.catalog_tables import FeedbackState
from server.storage.opinions import Opinion, agreed, settled

ACCEPTED, REVIEW, OVERRULED = FeedbackState.ACCEPTED, FeedbackState.REVIEW, FeedbackState.OVERRULED
OPINIONS: Final = st.lists(
    st.builds(
        Opinion,
        by=st.sampled_from(["kim", "lee", "ada"]),
        labels=st.dictionaries(st.sampled_from(["family", "kind"]), st.sampled_from(["a", "b"]), min_size=1),
        reviewer=st.booleans(),
    ),
    max_size=6,
)


def says(by: str, *, reviewer: bool = False, **labels: str) -> Opinion:
    return Opinion(by=by, labels=labels, reviewer=reviewer)


def test_one_persons_word_is_accepted_and_the_newest_of_it_counts() -> None:
    opinions = [says("kim", kind="a"), says("kim", kind="b")]

    assert settled(opinions) == [OVERRULED, ACCEPTED]
    assert agreed(opinions, settled(opinions)) == {"kind": "b"}


def test_words_that_agree_are_taken_together() -> None:
    opinions = [says("kim", family="x", kind="a"), says("lee", kind="a", colour="red")]

    assert settled(opinions) == [ACCEPTED, ACCEPTED]
    assert agreed(opinions, settled(opinions)) == {"family": "x", "kind": "a", "colour": "red"}


def test_a_disagreement_at_one_level_sends_all_to_review() -> None:
    opinions = [says("kim", family="x", kind="a"), says("lee", family="x", kind="b"), says("ada", family="x")]

    assert settled(opinions) == [REVIEW, REVIEW, REVIEW]
    assert agreed(opinions, settled(opinions)) == {}


def test_a_reviewer_overrules_what_was_said_before_and_stands_against_what_comes_after() -> None:
    opinions = [says("kim", kind="a"), says("ada", kind="b", reviewer=True), says("lee", kind="a")]

    assert settled(opinions) == [OVERRULED, ACCEPTED, REVIEW]
    assert agreed(opinions, settled(opinions)) == {"kind": "b"}


def test_of_two_reviewers_the_later_one_decides() -> None:
    opinions = [says("ada", kind="a", reviewer=True), says("bo", kind="b", reviewer=True)]

    assert settled(opinions) == [OVERRULED, ACCEPTED]


@given(OPINIONS)
def test_what_is_accepted_never_disagrees_and_no_person_counts_twice(opinions: list[Opinion]) -> None:
    states = settled(opinions)
    accepted = [one for one, state in zip(opinions, states, strict=True) if state is ACCEPTED]
    counting = [one.by for one, state in zip(opinions, states, strict=True) if state is not OVERRULED]

    assert not any(one.disagrees(other) for one in accepted for other in accepted) or any(
        one.reviewer for one in accepted
    )
    assert len(counting) == len(set(counting))
    for level, label in agreed(opinions, states).items():
        assert any(one.labels.get(level) == label for one in accepted)


@given(OPINIONS)
def test_the_newest_word_is_never_overruled(opinions: list[Opinion]) -> None:
    if opinions:
        assert settled(opinions)[-1] is not OVERRULED
