"""An image goes out only after another person than ordered it has approved exactly what goes out."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vision.errors import InputError, LoupeError, PermissionDeniedError, StateError
from vision.imagery.review import Act, Event, Standing, State, after, same_person

NOW: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)
DIGEST: Final = "d" * 64


def event(act: Act, by: str = "kim", **said: Any) -> Event:
    return Event(act=act, at=NOW, by=by, **said)


def led(*events: Event, requester: str = "kim") -> Standing:
    """What stands after all of these."""
    standing = Standing(requester=requester)
    for one in events:
        standing = after(standing, one)
    return standing


MADE: Final = (event(Act.MAKE, "worker-1"), event(Act.CHECK, "worker-1"))
PROPOSED: Final = (*MADE, event(Act.PROPOSE))
APPROVED: Final = (*PROPOSED, event(Act.APPROVE, "ada", digest=DIGEST))


def test_the_whole_way_from_a_draft_to_an_export() -> None:
    stands = led(*APPROVED)
    assert (stands.state, stands.digest, stands.approved_by) == (State.APPROVED, DIGEST, "ada")

    exported = after(stands, event(Act.EXPORT, digest=DIGEST))
    assert exported.state is State.EXPORTED
    assert after(exported, event(Act.EXPORT, digest=DIGEST)) == exported


@pytest.mark.parametrize(
    ("events", "act"),
    [
        ((), Act.PROPOSE),
        ((), Act.EXPORT),
        (MADE[:1], Act.PROPOSE),
        (MADE, Act.APPROVE),
        (MADE, Act.EXPORT),
        (PROPOSED, Act.EXPORT),
        (PROPOSED, Act.PROPOSE),
        (APPROVED, Act.APPROVE),
        (MADE, Act.MAKE),
    ],
)
def test_no_step_is_left_out(events: tuple[Event, ...], act: Act) -> None:
    with pytest.raises(StateError, match=f"{act}: expected it to be .*, found it {led(*events).state}"):
        after(led(*events), event(act, "ada", digest=DIGEST, reason="so"))


@pytest.mark.parametrize("written", ["kim", "Kim", "ＫＩＭ", " kim"])
def test_the_requester_approves_nothing_however_the_name_is_written(written: str) -> None:
    with pytest.raises(PermissionDeniedError, match="another user than kim"):
        after(led(*PROPOSED), event(Act.APPROVE, written, digest=DIGEST))


def test_what_nobody_in_particular_ordered_is_approved_by_nobody() -> None:
    with pytest.raises(PermissionDeniedError, match="nobody in particular, which anybody may have given"):
        after(led(*PROPOSED, requester=""), event(Act.APPROVE, "ada", digest=DIGEST))


@pytest.mark.parametrize("act", [Act.PROPOSE, Act.APPROVE, Act.REJECT, Act.EXPORT])
def test_nobody_in_particular_decides_nothing(act: Act) -> None:
    with pytest.raises(PermissionDeniedError, match="found nobody in particular"):
        after(led(*PROPOSED), event(act, "", digest=DIGEST, reason="so"))


def test_what_has_changed_since_is_not_exported() -> None:
    with pytest.raises(StateError, match=r"expected what ada approved .* found it changed"):
        after(led(*APPROVED), event(Act.EXPORT, digest="e" * 64))


def test_a_void_approval_is_none_and_the_image_is_reviewed_anew() -> None:
    stands = led(*APPROVED, event(Act.VOID, "", reason="the rule set is another"))
    assert (stands.state, stands.digest, stands.approved_by) == (State.CHECKED, "", "")
    with pytest.raises(StateError):
        after(stands, event(Act.EXPORT, digest=DIGEST))
    assert after(stands, event(Act.PROPOSE)).state is State.IN_REVIEW


def test_an_approval_not_yet_used_is_taken_back_by_rejecting() -> None:
    stands = led(*APPROVED, event(Act.REJECT, "lee", reason="the label is cut"))
    assert (stands.state, stands.digest) == (State.REJECTED, "")
    exported = led(*APPROVED, event(Act.EXPORT, digest=DIGEST))
    with pytest.raises(StateError, match="found it exported"):
        after(exported, event(Act.REJECT, "lee", reason="too late"))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [("", "expected one, found none"), ("  ", "found none"), ("x" * 2001, "found 2001")],
)
def test_rejecting_needs_a_reason_of_some_length(given: str, complaint: str) -> None:
    with pytest.raises(InputError, match=f"reason: .*{complaint}"):
        after(led(*PROPOSED), event(Act.REJECT, "ada", reason=given))


def test_an_approval_of_nothing_is_none() -> None:
    with pytest.raises(InputError, match="expected the digest of what is approved"):
        after(led(*PROPOSED), event(Act.APPROVE, "ada"))


class Reviews(RuleBasedStateMachine):
    """Everybody tries everything in any order; the history that was let happen is held against the promises."""

    def __init__(self) -> None:
        super().__init__()
        self.standing = Standing(requester="kim")
        self.history: list[Event] = []

    @rule(
        act=st.sampled_from(Act),
        by=st.sampled_from(["", "kim", "KIM", "ada", "lee"]),
        digest=st.sampled_from(["", DIGEST, "e" * 64]),
        reason=st.sampled_from(["", "so"]),
    )
    def anybody_tries(self, act: Act, by: str, digest: str, reason: str) -> None:
        tried = event(act, by, digest=digest, reason=reason)
        try:
            self.standing = after(self.standing, tried)
        except LoupeError:
            return
        self.history.append(tried)

    @precondition(lambda self: self.standing.state in {State.CHECKED, State.IN_REVIEW, State.APPROVED})
    @rule()
    def things_take_their_course(self) -> None:
        following = {
            State.CHECKED: event(Act.PROPOSE),
            State.IN_REVIEW: event(Act.APPROVE, "ada", digest=DIGEST),
            State.APPROVED: event(Act.EXPORT, "kim", digest=self.standing.digest),
        }[self.standing.state]
        self.standing = after(self.standing, following)
        self.history.append(following)

    @invariant()
    def every_export_rests_on_the_last_approval_and_that_is_anothers(self) -> None:
        approval: Event | None = None
        for one in self.history:
            if one.act is Act.APPROVE:
                assert not same_person(one.by, "kim")
                approval = one
            elif one.act in {Act.VOID, Act.REJECT}:
                assert one.reason
                approval = None
            elif one.act is Act.EXPORT:
                assert approval is not None
                assert one.digest == approval.digest
            if one.act in {Act.PROPOSE, Act.APPROVE, Act.REJECT, Act.EXPORT}:
                assert one.by

    @invariant()
    def the_standing_is_what_its_history_leads_to(self) -> None:
        assert led(*self.history) == self.standing
        assert (self.standing.digest != "") == (self.standing.state in {State.APPROVED, State.EXPORTED})

    @invariant()
    def a_rejected_image_stays_rejected(self) -> None:
        if self.history and any(one.act is Act.REJECT for one in self.history):
            assert self.standing.state is State.REJECTED


TestReviews = Reviews.TestCase
