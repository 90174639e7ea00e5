"""How an image comes from a draft to a marketplace: made, checked, proposed, approved by somebody else, exported.

    draft -> generated -> checked -> in_review -> approved -> exported     and on, for as many rule sets as it is for
    in_review, approved -> rejected                                        for good
    approved, exported -> checked                                          voided: something that was approved has changed

Takes what stands of a candidate and what happened to it, gives what stands then, or says why that may not be. It knows no database, no clock and
no pixels: an approval is of a digest (`vision.imagery.approval`), and whoever asks to export says what the digest is now.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from vision.errors import InputError, PermissionDeniedError, StateError

MAX_REASON: Final = 2000  # characters


class State(StrEnum):
    """How far a candidate has come."""

    DRAFT = "draft"
    GENERATED = "generated"
    CHECKED = "checked"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPORTED = "exported"


class Act(StrEnum):
    """What happens to a candidate. The first two are a worker's, `VOID` the server's, the others a person's."""

    MAKE = "make"
    CHECK = "check"
    PROPOSE = "propose"
    APPROVE = "approve"
    REJECT = "reject"
    EXPORT = "export"
    VOID = "void"


_FROM: Final[Mapping[Act, frozenset[State]]] = {
    Act.MAKE: frozenset({State.DRAFT}),
    Act.CHECK: frozenset({State.GENERATED}),
    Act.PROPOSE: frozenset({State.CHECKED}),
    Act.APPROVE: frozenset({State.IN_REVIEW}),
    Act.REJECT: frozenset({State.IN_REVIEW, State.APPROVED}),
    Act.EXPORT: frozenset({State.APPROVED, State.EXPORTED}),
    Act.VOID: frozenset({State.APPROVED, State.EXPORTED}),
}
_TO: Final[Mapping[Act, State]] = {
    Act.MAKE: State.GENERATED,
    Act.CHECK: State.CHECKED,
    Act.PROPOSE: State.IN_REVIEW,
    Act.APPROVE: State.APPROVED,
    Act.REJECT: State.REJECTED,
    Act.EXPORT: State.EXPORTED,
    Act.VOID: State.CHECKED,
}
_PERSONAL: Final = frozenset({Act.PROPOSE, Act.APPROVE, Act.REJECT, Act.EXPORT})
_REASONED: Final = frozenset({Act.REJECT, Act.VOID})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a candidate, as it is kept for good.

    Attributes:
        by: a user, or the worker that did it; empty where nobody in particular asked, or it was the server itself.
        reason: in a person's words; rejecting and voiding need one.
        digest: of an approval: what it is of; of an export: what it is now. Empty for all else.
    """

    act: Act
    at: datetime
    by: str = ""
    reason: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a candidate stands.

    Attributes:
        requester: the user who ordered it; empty where nobody in particular did.
        digest, approved_by: of the approval in force; empty where there is none.
    """

    requester: str
    state: State = State.DRAFT
    digest: str = ""
    approved_by: str = ""


def after(standing: Standing, event: Event, *, name: str = "candidate") -> Standing:
    """What stands once the event has happened.

    Args:
        name: of the candidate, for messages.

    Raises:
        StateError: it may not happen in this state, or an export is of something else than what was approved.
        PermissionDeniedError: nobody in particular asks for what a person answers for, or the requester approves.
        InputError: a reason is missing or too long, or an approval is of nothing.
    """
    act = event.act
    if act in _PERSONAL and not event.by:
        raise PermissionDeniedError("design or review", f"{name}: {act}", found="nobody in particular")
    if standing.state not in _FROM[act]:
        expected = " or ".join(sorted(_FROM[act]))
        raise StateError(f"{name}: {act}: expected it to be {expected}, found it {standing.state}")
    _check_reason(event, name)
    if act is Act.APPROVE:
        _check_four_eyes(standing, event, name)
        return replace(standing, state=_TO[act], digest=event.digest, approved_by=event.by)
    if act is Act.EXPORT:
        if not event.digest or event.digest != standing.digest:
            raise StateError(
                f"{name}: export: expected what {standing.approved_by} approved ({standing.digest}), found it changed "
                f"({event.digest or 'no digest'})"
            )
        return replace(standing, state=_TO[act])
    return replace(standing, state=_TO[act], digest="", approved_by="")


def same_person(one: str, other: str) -> bool:
    """Whether two names of users are one, however they are written: capitals and compatible forms (full-width, ligatures) make nobody another.

    Letters of another alphabet that look the same do; whoever makes tokens sees to the names.
    """
    return _folded(one) == _folded(other)


def _folded(user: str) -> str:
    return unicodedata.normalize("NFKC", user).casefold().strip()


def _check_reason(event: Event, name: str) -> None:
    reason = event.reason.strip()
    if event.act in _REASONED and not reason:
        raise InputError(f"{name}: {event.act}: reason: expected one, found none")
    if len(reason) > MAX_REASON:
        raise InputError(
            f"{name}: {event.act}: reason: expected at most {MAX_REASON} characters, found {len(reason)}"
        )


def _check_four_eyes(standing: Standing, event: Event, name: str) -> None:
    if not event.digest:
        raise InputError(f"{name}: approve: expected the digest of what is approved, found none")
    if not standing.requester:
        raise PermissionDeniedError(
            "review",
            f"{name}: approve",
            found="an order of nobody in particular, which anybody may have given",
        )
    if same_person(standing.requester, event.by):
        raise PermissionDeniedError(
            f"review of another user than {standing.requester}, who ordered it",
            f"{name}: approve",
            found=f"{event.by}'s",
        )
