"""Orders as the page shows them: values for its templates, and the templates.

Takes values of `server.imagery`, gives HTML. What may be done with a candidate is asked of `vision.imagery.review`, so that no button is shown
that would be refused.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from server.auth import Principal, Role
from server.imagery.orders import Shown
from server.imagery.waivers import AGREEMENT
from server.storage.imagery_jobs import Candidate, Job
from vision.errors import LoupeError
from vision.imagery.brief import Light
from vision.imagery.ranking import complaints, rank
from vision.imagery.review import Act, Event, State, after

_TEMPLATES: Final = Path(__file__).parent / "templates"
_BUTTONS: Final = {Act.PROPOSE: Role.DESIGN, Act.APPROVE: Role.REVIEW, Act.REJECT: Role.REVIEW}
_SOME: Final = "d" * 64  # a digest and a reason, where what is asked is only whether the rest would do


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks: may be nobody yet."""

    principal: Principal | None = None
    form_key: str = ""

    def has(self, role: Role) -> bool:
        return self.principal is not None and role in self.principal.roles

    @property
    def user(self) -> str:
        return "" if self.principal is None else self.principal.user


class Views:
    """The pages.

    Args:
        rule_sets, policies: what an order may name.
        generators: what makes scenes, by name.
    """

    def __init__(
        self, *, rule_sets: Sequence[str], policies: Sequence[str], generators: Sequence[str]
    ) -> None:
        self._choices = {
            "rule_sets": rule_sets,
            "policies": policies,
            "generators": generators,
            "lights": tuple(Light),
            "agreement": AGREEMENT,
        }
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["moment"] = _moment
        self._templates.globals["Role"] = Role

    def login(self, complaint: str = "") -> str:
        return self._rendered("login", Viewer(), complaint=complaint)

    def complaint(self, viewer: Viewer, status: int, message: str) -> str:
        return self._rendered("complaint", viewer, status=status, message=message)

    def jobs(
        self,
        viewer: Viewer,
        jobs: Sequence[tuple[Job, Sequence[State]]],
        *,
        chosen: str,
        request_id: str,
        more: bool,
    ) -> str:
        return self._rendered(
            "jobs",
            viewer,
            jobs=jobs,
            chosen=chosen,
            request_id=request_id,
            more=more,
            **self._choices,
        )

    def job(self, viewer: Viewer, shown: Shown, events: Sequence[tuple[int, Event]]) -> str:
        return self._rendered("job", viewer, **self._job(viewer, shown, events))

    def live(self, viewer: Viewer, shown: Shown, events: Sequence[tuple[int, Event]]) -> str:
        """What of a job's page changes while somebody looks at it."""
        return self._rendered("live", viewer, **self._job(viewer, shown, events))

    def _job(self, viewer: Viewer, shown: Shown, events: Sequence[tuple[int, Event]]) -> Mapping[str, Any]:
        cards = [
            _card(viewer, shown, one, [event for n, event in events if n == one.number])
            for one in sorted(shown.candidates, key=lambda one: rank(one.reports, one.facts))
        ]
        return {
            "job": shown.job,
            "brief": shown.job.brief,
            "cards": cards,
            "silent": shown.job.leased_until is not None and shown.job.leased_until < datetime.now(UTC),
            "seconds": sum(shown.seconds.values()),
        }

    def _rendered(self, name: str, viewer: Viewer, **values: Any) -> str:
        return self._templates.get_template(f"{name}.html.j2").render(viewer=viewer, **values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A candidate on the page.

    Attributes:
        mark: changes with whatever is shown, so that only what has changed is drawn anew.
        buttons: what the viewer may do; `exports`: to which rule sets it may be exported.
        against: what the classifiers have against it; to approve it all the same takes a reason.
        why_not: why the viewer may not approve, where that is not plain from the state.
    """

    candidate: Candidate
    events: Sequence[Event]
    seconds: float
    making: bool
    buttons: Sequence[Act]
    exports: Sequence[str]
    against: Sequence[str]
    why_not: str
    mark: str


def _card(viewer: Viewer, shown: Shown, candidate: Candidate, events: Sequence[Event]) -> Card:
    job = shown.job
    making = job.making == candidate.number and not job.state.ended
    may_export = candidate.state in {State.APPROVED, State.EXPORTED} and (
        viewer.has(Role.DESIGN) or viewer.has(Role.REVIEW)
    )
    told = [
        candidate.state,
        candidate.digest,
        len(events),
        making and (job.step, job.revision),
        len(candidate.reports),
        job.state.ended,
    ]
    return Card(
        candidate=candidate,
        events=events,
        seconds=shown.seconds.get(candidate.number, 0.0),
        making=making,
        buttons=[
            act
            for act, role in _BUTTONS.items()
            if viewer.has(role) and not _refusal(viewer, job, candidate, act)
        ],
        exports=tuple(job.brief["rules"]) if may_export else (),
        against=complaints(candidate.facts),
        why_not=_refusal(viewer, job, candidate, Act.APPROVE)
        if candidate.state is State.IN_REVIEW and viewer.has(Role.REVIEW)
        else "",
        mark=hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16],
    )


def _refusal(viewer: Viewer, job: Job, candidate: Candidate, act: Act) -> str:
    """Why the viewer may not do that; empty where it may."""
    event = Event(act=act, at=datetime.now(UTC), by=viewer.user, reason="-", digest=_SOME)
    try:
        after(candidate.standing(job.requester), event)
    except LoupeError as error:
        return str(error)
    return ""


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
