"""What people decide about real candidates: two persons, exactly what was approved, and no file twice."""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from server.auth import ANONYMOUS, Principal, Role
from server.imagery.orders import Asked, Orders
from server.imagery.reviewing import Decision, Reviewing, Sent
from server.imagery.worker import Habits, Worker
from server.storage.blobs import Blobs, place
from server.storage.database import Database
from server.storage.imagery_books import ImageryBooks
from server.storage.imagery_events import ImageryEvents
from server.storage.imagery_jobs import Candidate, ImageryJobs, Wanted
from server.storage.imagery_queue import ImageryQueue
from server.storage.imagery_retention import sweep_imagery
from server.storage.imagery_tables import JobState, imagery_candidates
from tests.pictures import encoded
from tests.server.imagery.parts import GreyStudio, PlainDesk, brief, photo
from vision.errors import (
    ImageError,
    ImageryError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
    StateError,
    StorageError,
)
from vision.image import ImageLimits
from vision.imagery.brief import PLAIN_WHITE
from vision.imagery.review import Act, State

pytestmark = pytest.mark.asyncio


def person(user: str, *roles: Role, its: int = 1) -> Principal:
    return Principal(user=user, roles=frozenset(roles), token_id=f"{user}-{its}")


KIM = person("kim", Role.DESIGN)
KIM_AS_REVIEWER = person("kim", Role.DESIGN, Role.REVIEW, its=2)
ADA = person("ada", Role.REVIEW)
LEE = person("lee", Role.REVIEW)


@dataclass
class House:
    """A server's services over one database, and its worker."""

    database: Database
    blobs: Blobs

    def __post_init__(self) -> None:
        self.desk = PlainDesk()
        self.jobs, self.events = ImageryJobs(self.database), ImageryEvents(self.database)
        self.books = ImageryBooks(self.database)
        self.orders = Orders(self.jobs, self.events, self.books, self.blobs, self.desk, ImageLimits())
        self.reviewing = Reviewing(self.jobs, self.events, self.books, self.blobs, self.desk)

    async def made(self, by: Principal = KIM, found: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """The id of an order that was carried out."""
        shown, _ = await self.orders.place(Asked(brief=brief(**changes), photo=photo()), by)
        Worker(
            ImageryQueue(self.database), self.blobs, GreyStudio(steps=1, found=found or {}), Habits(name="one", once=True), threading.Event()
        ).run()  # fmt: skip
        return shown.job.id

    async def decide(self, job_id: str, act: Act, by: Principal, reason: str = "") -> Candidate:
        return await self.reviewing.decide(Decision(job_id=job_id, number=1, act=act, reason=reason), by)

    async def approved(self, **changes: Any) -> str:
        job_id = await self.made(**changes)
        await self.decide(job_id, Act.PROPOSE, KIM)
        await self.decide(job_id, Act.APPROVE, ADA, "the handle is whole")
        return job_id

    async def export(self, job_id: str, rule_set: str = "square", by: Principal = KIM) -> Sent:
        return await self.reviewing.export(job_id, 1, rule_set, by)

    def acts(self, job_id: str) -> Sequence[tuple[Act, str]]:
        return [(event.act, event.by) for _, event in self.events.of(job_id, 1)]

    def tamper(self, job_id: str, **values: object) -> None:
        with self.database.writing() as connection:
            connection.execute(
                update(imagery_candidates)
                .where(imagery_candidates.c.job_id == job_id, imagery_candidates.c.number == 1)
                .values(**values)
            )


@pytest.fixture
def house(database: Database, blobs: Blobs) -> House:
    return House(database, blobs)


# --- orders


async def test_an_order_is_kept_with_who_asked_and_the_same_request_is_the_same_order(house: House) -> None:
    asked = Asked(brief=brief(), photo=photo(), request_id="r1", name=" a mug ")

    first, repeated = await house.orders.place(asked, KIM)
    again, repeated_again = await house.orders.place(asked, KIM_AS_REVIEWER)

    assert (repeated, repeated_again) == (False, True)
    assert again.job.id == first.job.id
    assert (first.job.requester, first.job.name, first.job.state) == ("kim", "a mug", JobState.QUEUED)
    assert await house.orders.picture(first.job.photo_sha256) == photo()
    with pytest.raises(InputError, match="request_id 'r1': expected the content it was first used with"):
        await house.orders.place(Asked(brief=brief(seed=5), photo=photo(), request_id="r1"), KIM)


async def test_a_style_picture_is_kept_with_its_order_for_the_worker_and_swept_with_none(
    house: House,
) -> None:
    style = photo(seed=7, side=80)
    asked = Asked(brief=brief(scene="", style=hashlib.sha256(style).hexdigest()), photo=photo(), style=style)
    shown, _ = await house.orders.place(asked, KIM)

    assert shown.job.style_sha256 == shown.job.brief["style"]
    assert shown.job.name == "as in the style picture"
    assert await house.orders.picture(shown.job.brief["style"]) == style
    late = datetime.now(UTC) + timedelta(hours=2)
    assert sweep_imagery(house.database, house.blobs, now=late).pictures == 0
    studio = GreyStudio(steps=1)
    Worker(
        ImageryQueue(house.database), house.blobs, studio, Habits(name="one", once=True), threading.Event()
    ).run()
    assert studio.styles == [style]


async def test_plain_white_is_no_scene_for_any_model_to_paint(house: House) -> None:
    shown, _ = await house.orders.place(Asked(brief=brief(scene=" plain-white"), photo=photo()), KIM)
    assert (shown.job.generator, shown.job.brief["generator"]) == (PLAIN_WHITE, PLAIN_WHITE)
    assert brief().carried_out() == brief()


async def test_what_cannot_be_carried_out_is_refused_before_it_is_kept(house: House) -> None:
    good, lossy = photo(), encoded(np.full((80, 80), 255, np.uint8), "JPEG")
    for asked, kind, words in (
        (Asked(brief=brief(), photo=b"no picture"), ImageError, "photo: expected one of JPEG"),
        (Asked(brief=brief(), photo=good, mask=b"no picture"), ImageError, "mask: expected one of JPEG"),
        (
            Asked(brief=brief(style=hashlib.sha256(b"none").hexdigest()), photo=good, style=b"none"),
            ImageError,
            "style: expected one of JPEG",
        ),
        (
            Asked(brief=brief(style="0" * 64), photo=good),
            ImageryError,
            "style: expected the picture of sha256 000",
        ),
        (
            Asked(brief=brief(), photo=good, style=good),
            ImageryError,
            "style: expected none, as the brief names none",
        ),
        (
            Asked(brief=brief(), photo=photo(side=80), mask=lossy),
            ImageryError,
            "mask: expected a PNG, found JPEG",
        ),
        (
            Asked(brief=brief(), photo=photo(side=80), mask=photo(side=90)),
            ImageryError,
            "mask: expected 80x80 px",
        ),
        (Asked(brief=brief(rules=("square", "round")), photo=good), ImageryError, "found 'round'"),
        (Asked(brief=brief(), photo=good, policy="nowhere"), ImageryError, "label policy: expected one of"),
        (
            Asked(brief=brief(), photo=good, waiver="no text"),
            ImageryError,
            "no explicit label that may be waived",
        ),
    ):
        with pytest.raises(kind, match=words):
            await house.orders.place(asked, KIM)
    assert await house.orders.list(Wanted()) == []


async def test_a_waiver_is_a_persons_and_kept_in_the_books(house: House) -> None:
    asked = Asked(brief=brief(), photo=photo(), policy="cn", waiver="主图不得有文字")
    with pytest.raises(PermissionDeniedError, match="a waiver of the visible label"):
        await house.orders.place(asked, ANONYMOUS)

    shown, _ = await house.orders.place(asked, KIM)

    (waiver,) = house.books.waivers(shown.job.id)
    assert (waiver.by_user, waiver.reason) == ("kim", "主图不得有文字")
    assert (waiver.keep_until - datetime.now(UTC)).days > 181


async def test_jobs_are_watched_until_they_end(house: House) -> None:
    shown, _ = await house.orders.place(Asked(brief=brief(count=1), photo=photo()), KIM)
    seen = []
    async for change in house.orders.watch(shown.job.id):
        seen.append(change.job.state)
        if len(seen) == 1:
            await house.orders.cancel(shown.job.id, KIM)
    assert seen == [JobState.QUEUED, JobState.CANCELLED]
    with pytest.raises(NotFoundError, match="job 'nowhere'"):
        await anext(house.orders.watch("nowhere"))


# --- people


async def test_an_image_goes_out_once_another_person_has_approved_it(house: House) -> None:
    job_id = await house.approved()

    sent = await house.export(job_id)
    again = await house.export(job_id, by=LEE)

    assert (sent.repeated, again.repeated) == (False, True)
    assert again.data == sent.data
    assert house.desk.files == 1
    assert sent.approved_by == "ada"
    assert sent.report["status"] == "pass"
    assert house.jobs.candidate(job_id, 1).state is State.EXPORTED
    assert house.acts(job_id) == [
        (Act.MAKE, "one"), (Act.CHECK, "one"), (Act.PROPOSE, "kim"), (Act.APPROVE, "ada"), (Act.EXPORT, "kim"),
    ]  # fmt: skip
    other = await house.export(job_id, "bright")
    assert other.sha256 != sent.sha256


async def test_the_requester_approves_nothing_under_a_second_token_either(house: House) -> None:
    job_id = await house.made()
    await house.decide(job_id, Act.PROPOSE, KIM)

    with pytest.raises(PermissionDeniedError, match="another user than kim, who ordered it, found kim's"):
        await house.decide(job_id, Act.APPROVE, KIM_AS_REVIEWER)

    assert house.jobs.candidate(job_id, 1).state is State.IN_REVIEW
    assert house.acts(job_id)[-1] == (Act.PROPOSE, "kim")


async def test_what_nobody_in_particular_ordered_is_seen_and_never_exported(house: House) -> None:
    job_id = await house.made(ANONYMOUS)
    await house.decide(job_id, Act.PROPOSE, KIM)
    with pytest.raises(PermissionDeniedError, match="nobody in particular"):
        await house.decide(job_id, Act.APPROVE, ADA)


async def test_review_and_export_take_a_users_token_everywhere(house: House) -> None:
    job_id = await house.approved()
    for act in (Act.PROPOSE, Act.APPROVE, Act.REJECT):
        with pytest.raises(PermissionDeniedError, match="found no token"):
            await house.decide(job_id, act, ANONYMOUS)
    with pytest.raises(PermissionDeniedError, match=r"export: .* found no token"):
        await house.export(job_id, by=ANONYMOUS)


async def test_roles_are_kept_apart(house: House) -> None:
    job_id = await house.made()
    with pytest.raises(PermissionDeniedError, match="propose"):
        await house.decide(job_id, Act.PROPOSE, ADA)
    await house.decide(job_id, Act.PROPOSE, KIM)
    with pytest.raises(PermissionDeniedError, match="approve"):
        await house.decide(job_id, Act.APPROVE, person("lee", Role.DESIGN))


async def test_what_nobody_approved_is_not_exported(house: House) -> None:
    job_id = await house.made()
    with pytest.raises(StateError, match="export: expected it to be approved, found it checked"):
        await house.export(job_id)
    await house.decide(job_id, Act.PROPOSE, KIM)
    await house.decide(job_id, Act.REJECT, ADA, "the scene is too dark")
    with pytest.raises(StateError, match="found it rejected"):
        await house.export(job_id)
    assert house.desk.files == 0


async def test_what_the_classifiers_have_something_against_is_approved_with_a_reason_alone(
    house: House,
) -> None:
    job_id = await house.made(
        found={"same_category": False, "category": ["shoes"], "image_category": ["lamps"], "new_defect": True}
    )
    await house.decide(job_id, Act.PROPOSE, KIM)

    with pytest.raises(
        InputError,
        match="approve: reason: expected one, since the photo is taken for shoes, the image for lamps and the image shows a defect",
    ):
        await house.decide(job_id, Act.APPROVE, ADA, "  ")
    assert house.jobs.candidate(job_id, 1).state is State.IN_REVIEW

    await house.decide(job_id, Act.APPROVE, ADA, "it is a shoe, and whole")
    assert house.jobs.candidate(job_id, 1).state is State.APPROVED


async def test_a_draft_is_neither_approved_nor_exported(house: House) -> None:
    shown, _ = await house.orders.place(Asked(brief=brief(), photo=photo()), KIM)
    with pytest.raises(StateError, match="expected it to be in_review, found it draft"):
        await house.decide(shown.job.id, Act.APPROVE, ADA)
    with pytest.raises(StateError, match="found it draft"):
        await house.export(shown.job.id)


# --- what has changed


async def test_another_master_in_the_place_of_the_approved_one_voids_the_approval(house: House) -> None:
    job_id = await house.approved()
    other = house.jobs.candidate(job_id, 2)
    house.tamper(job_id, master_sha256=other.master_sha256)

    with pytest.raises(StateError, match="the approval is void, since something has changed"):
        await house.export(job_id)

    found = house.jobs.candidate(job_id, 1)
    assert (found.state, found.digest) == (State.CHECKED, "")
    assert house.acts(job_id)[-1] == (Act.VOID, "")
    assert house.desk.files == 0


async def test_a_newer_rule_set_voids_the_approval_also_of_what_was_exported(house: House) -> None:
    job_id = await house.approved()
    await house.export(job_id)
    house.desk.version = 2

    with pytest.raises(StateError, match="the approval is void"):
        await house.export(job_id)

    await house.decide(job_id, Act.PROPOSE, KIM)
    await house.decide(job_id, Act.APPROVE, LEE)
    renewed = await house.export(job_id)
    assert (renewed.repeated, renewed.approved_by) == (False, "lee")


async def test_another_manifest_voids_the_approval(house: House) -> None:
    job_id = await house.approved()
    house.tamper(job_id, manifest=house.jobs.candidate(job_id, 2).manifest)
    with pytest.raises(StateError, match="the approval is void"):
        await house.export(job_id)


async def test_a_manifest_that_cannot_be_read_is_neither_approved_nor_exported_and_named(
    house: House,
) -> None:
    job_id = await house.approved()
    house.tamper(job_id, manifest="{}")
    with pytest.raises(StateError, match=r"the approval is void.*candidate 1: brief: Field required"):
        await house.export(job_id)
    await house.decide(job_id, Act.PROPOSE, KIM)
    with pytest.raises(ImageryError, match="candidate 1: brief: Field required"):
        await house.decide(job_id, Act.APPROVE, ADA)


async def test_a_master_that_is_gone_voids_the_approval_and_a_damaged_one_is_not_sent(house: House) -> None:
    job_id = await house.approved()
    master = house.jobs.candidate(job_id, 1).master_sha256
    assert master is not None
    path = house.blobs._files._root / place(master)  # type: ignore[attr-defined]
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"x")
    with pytest.raises(StorageError, match="expected bytes with this sha256"):
        await house.export(job_id)
    path.unlink()
    with pytest.raises(StateError, match="the approval is void"):
        await house.export(job_id)


async def test_a_file_that_would_break_its_rules_is_not_made(house: House) -> None:
    job_id = await house.approved(size_wh=(256, 300))
    with pytest.raises(InputError, match="export: square: expected it to hold"):
        await house.export(job_id)
    assert house.jobs.candidate(job_id, 1).state is State.APPROVED


async def test_only_rule_sets_of_the_brief_are_exported_for(house: House) -> None:
    job_id = await house.approved()
    for given in ("", "round"):
        with pytest.raises(InputError, match=f"one of the brief's, bright, square; found '{given}'"):
            await house.export(job_id, given)
    alone = await house.approved(rules=("square",))
    assert (await house.export(alone, "")).report["rule_set"] == "square"


# --- pictures


async def test_a_sweep_leaves_what_orders_refer_to_and_takes_strays(house: House) -> None:
    job_id = await house.approved()
    sent = await house.export(job_id)
    stray = house.blobs.put(b"left by a killed worker")
    before = {entry.sha256 for entry in house.blobs.entries()}

    fresh = sweep_imagery(house.database, house.blobs, now=datetime.now(UTC))
    assert fresh.pictures == 0

    swept = sweep_imagery(house.database, house.blobs, now=datetime.now(UTC) + timedelta(hours=2))

    assert (swept.pictures, swept.bytes) == (1, 23)
    assert {entry.sha256 for entry in house.blobs.entries()} == before - {stray}
    assert sent.sha256 in before
