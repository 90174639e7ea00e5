"""What people decide about candidates: proposed, approved by another person, rejected, exported.

An approval is of a digest over everything that the image is made of. It is taken again at every export, from what lies in the store and from the
rule sets as they are now: if anything differs, the approval is void, and that is recorded.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import JsonValue
from sqlalchemy import Connection

from server.auth import Principal, Role
from server.imagery.ports import Desk, Subject
from server.storage.blobs import Blobs
from server.storage.imagery_books import Export, ImageryBooks, went_out
from server.storage.imagery_events import ImageryEvents
from server.storage.imagery_jobs import Candidate, ImageryJobs, Job
from vision.errors import InputError, NotFoundError, StateError, StorageError
from vision.imagery.manifest import parse_manifest
from vision.imagery.ranking import complaints
from vision.imagery.review import Act, Event, State

_ROLES = {
    Act.PROPOSE: (Role.DESIGN,),
    Act.APPROVE: (Role.REVIEW,),
    Act.REJECT: (Role.REVIEW,),
    Act.EXPORT: (Role.DESIGN, Role.REVIEW),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person says of a candidate: to propose, approve or reject it."""

    job_id: str
    number: int
    act: Act
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An exported file.

    Attributes:
        report: of the file as it is.
        repeated: it had gone out before on the same approval.
    """

    data: bytes = field(repr=False)
    format: str
    sha256: str
    report: Mapping[str, JsonValue]
    digest: str
    approved_by: str
    repeated: bool


class Reviewing:
    """People's side of imagery."""

    def __init__(
        self, jobs: ImageryJobs, events: ImageryEvents, books: ImageryBooks, blobs: Blobs, desk: Desk
    ) -> None:
        self._jobs, self._events, self._books, self._blobs, self._desk = jobs, events, books, blobs, desk
        self._exporting = asyncio.Lock()  # one file is made at a time, and none twice

    async def decide(self, decision: Decision, by: Principal) -> Candidate:
        """Let a person's decision happen; gives the candidate as it then stands.

        Raises:
            PermissionDeniedError: no user's token, not the role, or the requester approves.
            NotFoundError: there is no such candidate.
            StateError: it is not in the state for that.
            InputError: a reason is missing: to reject, and to approve what the classifiers have something against.
        """
        by.require_user(*_ROLES[decision.act], what=decision.act)
        return await asyncio.to_thread(self._decide, decision, by.user)

    def _decide(self, decision: Decision, by: str) -> Candidate:
        digest = ""
        if decision.act is Act.APPROVE:
            job, candidate = self._found(decision.job_id, decision.number)
            if candidate.state is State.IN_REVIEW:  # else there may be nothing to take a digest of
                _check_reason(candidate, decision.reason)
                digest = self._desk.approval(self._subject(job, candidate))
        event = Event(act=decision.act, at=datetime.now(UTC), by=by, reason=decision.reason, digest=digest)
        return self._events.add(decision.job_id, decision.number, event)

    async def export(self, job_id: str, number: int, rule_set: str, by: Principal) -> Sent:
        """An approved candidate as a file.

        Args:
            rule_set: one of the brief's; may be empty where it has one.

        Raises:
            PermissionDeniedError: no user's token, or not the role.
            NotFoundError: there is no such candidate.
            StateError: it is not approved, or no longer what was approved; the approval is void then.
            InputError: the rule set is none of the brief's, or the file would break its rules.
        """
        by.require_user(*_ROLES[Act.EXPORT], what="export")
        async with self._exporting:
            return await asyncio.to_thread(self._export, job_id, number, rule_set, by.user)

    def _export(self, job_id: str, number: int, rule_set: str, by: str) -> Sent:
        job, candidate = self._found(job_id, number)
        name = f"job '{job_id}', candidate {number}"
        chosen = _chosen(job, rule_set)
        if candidate.state not in {State.APPROVED, State.EXPORTED}:
            raise StateError(f"{name}: export: expected it to be approved, found it {candidate.state}")
        subject = self._approved(job, candidate, name)
        earlier = self._books.export(job_id, number, chosen, candidate.digest)
        if earlier is not None:
            return self._again(earlier, candidate)
        exported, report = self._desk.export(subject, chosen, candidate.digest)
        now = datetime.now(UTC)
        export = Export(
            job_id=job_id, number=number, rule_set=chosen, digest=candidate.digest, at=now, by_user=by,
            file_sha256=self._blobs.put(exported.data), format=exported.format, bytes=len(exported.data), report=report,
        )  # fmt: skip

        def keep(connection: Connection, _: Candidate) -> None:
            went_out(connection, export)

        event = Event(
            act=Act.EXPORT, at=now, by=by, reason=f"{chosen} {export.file_sha256}", digest=candidate.digest
        )
        try:
            self._events.add(job_id, number, event, keep)
        except StorageError:
            earlier = self._books.export(job_id, number, chosen, candidate.digest)
            if earlier is None:
                raise
            return self._again(
                earlier, candidate
            )  # another server was quicker: its file is the one that went out
        return Sent(
            data=exported.data, format=exported.format, sha256=export.file_sha256, report=report,
            digest=candidate.digest, approved_by=candidate.approved_by, repeated=False,
        )  # fmt: skip

    def _approved(self, job: Job, candidate: Candidate, name: str) -> Subject:
        """What was approved, from the store; an approval that is not of it any more is void.

        Raises:
            StateError: as it says.
        """
        try:
            subject = self._subject(job, candidate)
            found = self._desk.approval(subject)
        except (NotFoundError, InputError) as error:
            subject, found, why = None, "", str(error)
        else:
            why = f"expected {candidate.digest}, as {candidate.approved_by} approved it, found {found}"
        if subject is None or found != candidate.digest:
            void = Event(
                act=Act.VOID, at=datetime.now(UTC), reason=f"changed since it was approved: {why}"[:2000]
            )
            self._events.add(job.id, candidate.number, void)
            raise StateError(f"{name}: export: the approval is void, since something has changed: {why}")
        return subject

    def _again(self, earlier: Export, candidate: Candidate) -> Sent:
        return Sent(
            data=self._blobs.get(earlier.file_sha256), format=earlier.format, sha256=earlier.file_sha256,
            report=earlier.report, digest=earlier.digest, approved_by=candidate.approved_by, repeated=True,
        )  # fmt: skip

    def _found(self, job_id: str, number: int) -> tuple[Job, Candidate]:
        return self._jobs.find(job_id), self._jobs.candidate(job_id, number)

    def _subject(self, job: Job, candidate: Candidate) -> Subject:
        name = f"job '{job.id}', candidate {candidate.number}"
        if candidate.master_sha256 is None or candidate.alpha_sha256 is None:
            raise NotFoundError(f"{name}: expected its pictures, found none")
        return Subject(
            master_png=self._blobs.get(candidate.master_sha256),
            photo=self._blobs.get(job.photo_sha256),
            alpha_png=self._blobs.get(candidate.alpha_sha256),
            manifest=parse_manifest(candidate.manifest, name=name),
            policy=job.policy,
        )


def _check_reason(candidate: Candidate, reason: str) -> None:
    against = complaints(candidate.facts)
    if against and not reason.strip():
        raise InputError(
            f"job '{candidate.job_id}', candidate {candidate.number}: approve: reason: expected one, since {' and '.join(against)}; found none"
        )


def _chosen(job: Job, rule_set: str) -> str:
    rules = list(job.brief["rules"])
    if not rule_set and len(rules) == 1:
        return str(rules[0])
    if rule_set not in rules:
        raise InputError(f"rule_set: expected one of the brief's, {', '.join(rules)}; found '{rule_set}'")
    return rule_set
