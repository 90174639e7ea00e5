"""One judgement for one question, whoever repeats it and however often at once; and an answer even where it cannot be kept."""

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typing_extensions import override

from server.config import KeepImages
from server.decoding import DecodePool
from server.inspecting import Inspecting, Judged, Order
from server.loading import InspectionModel
from server.metrics import Metrics
from server.once import Question, payload_digest
from server.records import Records
from server.storage.blob_files import Files
from server.storage.blobs import Blobs, open_blobs
from server.storage.database import Database, open_database
from server.storage.results import ResultRow, Results, rows_between
from server.storage.writer import Writer
from tests.bundles import part, spotted
from vision.errors import DeadlineError, InputError
from vision.image import ImageLimits, encode_png
from vision.inspection.policy import Decision

pytestmark = pytest.mark.asyncio

IMAGE = encode_png(part(2))
QUESTION = Question(principal="ada", method="Inspect", request_id="part-17", payload_sha256="a" * 64)


@dataclass(slots=True)
class Rig:
    """Records over a database and a folder, and what a judge answered."""

    database: Database
    writer: Writer
    blobs: Blobs
    folder: Path
    metrics: Metrics = field(default_factory=Metrics)
    judged: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def records(
        self,
        *,
        keep_images: KeepImages = "review",
        audit_share: float = 0.0,
        draw: Callable[[], float] | None = None,
        blobs: Blobs | None = None,
        keep_within_s: float = 60.0,
    ) -> Records:
        return Records(
            self.writer, Results(self.database), blobs or self.blobs, self.metrics,
            keep_images=keep_images, audit_share=audit_share, draw=draw, keep_within_s=keep_within_s,
        )  # fmt: skip

    async def answer(self) -> bytes:
        """Judge once more; answers that are not the same tell how often it was."""
        self.judged += 1
        number = self.judged
        await self.may_answer.wait()
        return f"answer {number}".encode()

    def rows(self) -> list[ResultRow]:
        return [row for row, _ in rows_between(self.database, None, None)]

    def unkept(self) -> float:
        return self.metrics.registry.get_sample_value("loupe_results_unkept_total") or 0.0


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}")
    found = Rig(database, Writer(database, 64), open_blobs(str(tmp_path / "images")), tmp_path / "images")
    found.may_answer.set()
    yield found
    await found.writer.close()
    database.close()


async def judge(model: InspectionModel, image: bytes = IMAGE) -> Judged:
    pool = DecodePool(1)
    try:
        return await Inspecting(pool, ImageLimits()).judge(
            model, Order(image=image, deadline=time.monotonic() + 60)
        )
    finally:
        pool.close()


async def kept(records: Records, judged: Judged, question: Question = QUESTION, **changed: Any) -> bytes:
    """Have a judgement kept as the server does; gives the answer that holds."""
    values = {"image": IMAGE, "part": "plate 9", "answer": b"the answer"} | changed
    return await records.keep(records.choose(judged.outcome), question, judged.outcome, **values)


# --- asked again


async def test_without_a_request_id_each_question_is_answered_anew(rig: Rig) -> None:
    records, question = rig.records(), replace(QUESTION, request_id="")

    assert await records.once(question, rig.answer) == (b"answer 1", False)
    assert await records.once(question, rig.answer) == (b"answer 2", False)


async def test_the_same_question_asked_again_later_gets_the_stored_answer(
    rig: Rig, model: InspectionModel
) -> None:
    records, judged = rig.records(), await judge(model)

    async def answer() -> bytes:
        await kept(records, judged, answer=await rig.answer())
        return b"answer 1"

    first = await records.once(QUESTION, answer)
    restarted = rig.records()  # another server's, or this one's after a restart

    assert first == (b"answer 1", False)
    assert await restarted.once(QUESTION, answer) == (b"answer 1", True)
    assert rig.judged == 1
    assert len(rig.rows()) == 1


async def test_the_same_question_asked_ten_times_at_once_is_judged_once(rig: Rig) -> None:
    records = rig.records()
    rig.may_answer.clear()

    asked = [asyncio.create_task(records.once(QUESTION, rig.answer)) for _ in range(10)]
    while not rig.judged:
        await asyncio.sleep(0.001)
    rig.may_answer.set()
    given = await asyncio.gather(*asked)

    assert rig.judged == 1
    assert given == [(b"answer 1", False)] + [(b"answer 1", True)] * 9


async def test_another_payload_under_the_same_id_is_refused_while_the_first_is_judged(rig: Rig) -> None:
    records, other = rig.records(), replace(QUESTION, payload_sha256="b" * 64)
    rig.may_answer.clear()
    first = asyncio.create_task(records.once(QUESTION, rig.answer))
    await asyncio.sleep(0)

    with pytest.raises(InputError, match="request_id 'part-17': expected the content it was first used with"):
        await records.once(other, rig.answer)

    rig.may_answer.set()
    assert await first == (b"answer 1", False)


async def test_another_payload_under_the_same_id_is_refused_later_as_well(
    rig: Rig, model: InspectionModel
) -> None:
    records = rig.records()
    await kept(records, await judge(model))

    with pytest.raises(InputError, match="request_id 'part-17'"):
        await rig.records().once(replace(QUESTION, payload_sha256="b" * 64), rig.answer)

    assert rig.judged == 0


@pytest.mark.parametrize("changed", [{"principal": "bob"}, {"method": "Other"}, {"request_id": "part-18"}])
async def test_an_id_is_the_callers_own(changed: dict[str, str], rig: Rig, model: InspectionModel) -> None:
    records = rig.records()
    await kept(records, await judge(model))

    given, repeated = await records.once(replace(QUESTION, **changed, payload_sha256="b" * 64), rig.answer)

    assert (given, repeated) == (b"answer 1", False)


async def test_an_error_is_no_answer_and_the_question_can_be_asked_again(rig: Rig) -> None:
    records = rig.records()

    async def fail() -> bytes:
        raise DeadlineError("too late")

    with pytest.raises(DeadlineError):
        await records.once(QUESTION, fail)

    assert await records.once(QUESTION, rig.answer) == (b"answer 1", False)


async def test_who_waits_behind_one_whose_deadline_passes_is_answered_all_the_same(rig: Rig) -> None:
    records, began = rig.records(), asyncio.Event()

    async def too_late() -> bytes:
        began.set()
        await rig.may_answer.wait()
        raise DeadlineError("the first caller's deadline passed")

    rig.may_answer.clear()
    first = asyncio.create_task(records.once(QUESTION, too_late))
    await began.wait()
    second = asyncio.create_task(records.once(QUESTION, rig.answer))
    await asyncio.sleep(0)
    rig.may_answer.set()

    with pytest.raises(DeadlineError):
        await first
    assert await second == (b"answer 1", False)


async def test_who_waits_behind_one_who_leaves_is_answered_all_the_same(rig: Rig) -> None:
    records = rig.records()
    rig.may_answer.clear()
    first, second, third = (asyncio.create_task(records.once(QUESTION, rig.answer)) for _ in range(3))
    while not rig.judged:
        await asyncio.sleep(0.001)

    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    rig.may_answer.set()

    assert await second == (b"answer 2", False)
    assert await third == (b"answer 2", True)


async def test_of_two_servers_on_one_database_that_are_asked_at_once_both_give_one_answer(
    rig: Rig, model: InspectionModel
) -> None:
    judged, both_judged = await judge(model), asyncio.Barrier(2)

    async def ask(records: Records, text: bytes) -> bytes:
        async def answer() -> bytes:
            await both_judged.wait()  # neither has found the other's answer
            return await kept(records, judged, answer=text)

        return (await records.once(QUESTION, answer))[0]

    one, other = await asyncio.gather(ask(rig.records(), b"one"), ask(rig.records(), b"other"))

    (row,) = rig.rows()
    assert one == other == (await Results(rig.database).find(row.id)).answer


async def test_of_two_servers_that_are_asked_different_things_under_one_id_one_refuses(
    rig: Rig, model: InspectionModel
) -> None:
    judged, both_judged = await judge(model), asyncio.Barrier(2)

    async def ask(payload_sha256: str) -> bytes:
        records, question = rig.records(), replace(QUESTION, payload_sha256=payload_sha256)

        async def answer() -> bytes:
            await both_judged.wait()
            return await kept(records, judged, question)

        return (await records.once(question, answer))[0]

    outcomes = await asyncio.gather(ask("a" * 64), ask("b" * 64), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InputError", "bytes"]
    assert rig.unkept() == 0


async def test_who_leaves_while_waiting_takes_nobodys_answer_along(rig: Rig) -> None:
    records = rig.records()
    rig.may_answer.clear()
    first, gone, third = (asyncio.create_task(records.once(QUESTION, rig.answer)) for _ in range(3))
    while not rig.judged:
        await asyncio.sleep(0.001)

    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    rig.may_answer.set()

    assert await first == (b"answer 1", False)
    assert await third == (b"answer 1", True)


# --- what is kept


async def test_a_kept_result_says_what_was_judged_by_what_and_for_whom(
    rig: Rig, model: InspectionModel
) -> None:
    judged = await judge(model, encode_png(spotted(3)))
    before = datetime.now(UTC)

    await kept(rig.records(), judged)

    (row,) = rig.rows()
    verdict = judged.inspection.verdict
    assert (row.principal, row.method, row.request_id, row.part) == ("ada", "Inspect", "part-17", "plate 9")
    assert (row.model_name, row.model_version, row.model_digest) == ("plates", "1.0", model.digest)
    assert row.model_file == model.inspector.choice.file
    assert (row.decision, row.reason, row.label) == (verdict.decision, verdict.reason, verdict.label)
    assert (row.probability, row.novelty) == (verdict.probability, verdict.novelty)
    assert before <= row.judged_at <= before + timedelta(minutes=1)
    assert row.total_ms == judged.stages.total_ms


async def test_the_answers_bytes_are_stored_only_where_they_are_promised(
    rig: Rig, model: InspectionModel
) -> None:
    records, judged = rig.records(), await judge(model)
    for request_id in ("", "part-17"):
        await kept(records, judged, replace(QUESTION, request_id=request_id))

    stored = [(await Results(rig.database).find(row.id)) for row in rig.rows()]
    assert sorted((row.request_id or "", row.answer) for row in stored) == [
        ("", None),
        ("part-17", b"the answer"),
    ]


@pytest.mark.parametrize(
    ("keep_images", "audit_share", "expected"),
    [
        ("none", 1.0, set()),
        ("review", 0.0, {Decision.REJECT}),
        ("review", 1.0, {Decision.REJECT, Decision.ACCEPT}),
        ("all", 0.0, {Decision.REJECT, Decision.ACCEPT}),
    ],
)
async def test_pictures_are_kept_of_what_people_look_at(
    keep_images: KeepImages, audit_share: float, expected: set[Decision], rig: Rig, model: InspectionModel
) -> None:
    records = rig.records(keep_images=keep_images, audit_share=audit_share)
    for number, image in enumerate((encode_png(part(1)), encode_png(spotted(1)))):
        question = replace(QUESTION, request_id=str(number))
        await kept(records, await judge(model, image), question, image=image)

    rows = rig.rows()
    assert {row.decision for row in rows} == {Decision.ACCEPT, Decision.REJECT}
    assert {row.decision for row in rows if row.image_sha256} == expected
    for row in rows:
        if row.image_sha256:
            data = rig.blobs.get(row.image_sha256)
            assert hashlib.sha256(data).hexdigest() == row.image_sha256


async def test_the_audit_draws_accepted_parts_alone_and_as_often_as_it_was_told(
    rig: Rig, model: InspectionModel
) -> None:
    draws = iter([0.099, 0.1, 0.5, 0.0])
    records = rig.records(audit_share=0.1, draw=lambda: next(draws))
    accepted, rejected = await judge(model), await judge(model, encode_png(spotted(1)))

    assert [records.choose(accepted.outcome).audit for _ in range(4)] == [True, False, False, True]
    assert not records.choose(rejected.outcome).audit, "nothing is drawn for it"


async def test_every_accepted_part_is_drawn_where_all_are_to_be_and_none_where_none(
    rig: Rig, model: InspectionModel
) -> None:
    judged = await judge(model)

    assert all(rig.records(audit_share=1.0).choose(judged.outcome).audit for _ in range(50))
    assert not any(rig.records(audit_share=0.0).choose(judged.outcome).audit for _ in range(50))


async def test_each_result_has_an_id_of_its_own(rig: Rig, model: InspectionModel) -> None:
    records, judged = rig.records(), await judge(model)

    ids = {records.choose(judged.outcome).result_id for _ in range(100)}

    assert len(ids) == 100
    assert all(len(one) == 32 for one in ids)


# --- where nothing can be kept


async def test_an_answer_whose_result_cannot_be_written_is_given_counted_and_shown(
    rig: Rig, model: InspectionModel
) -> None:
    records, judged = rig.records(), await judge(model)
    await rig.writer.close()

    async def answer() -> bytes:
        await kept(records, judged)
        return await rig.answer()

    before = records.degraded
    assert await records.once(QUESTION, answer) == (b"answer 1", False)
    assert (before, records.degraded) == (False, True)
    assert rig.unkept() == 1


async def test_an_answer_is_given_also_where_the_database_can_not_even_be_read(
    rig: Rig, model: InspectionModel
) -> None:
    records, judged = rig.records(), await judge(model)
    with rig.database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE dispositions")
        connection.exec_driver_sql("DROP TABLE results")

    async def answer() -> bytes:
        await kept(records, judged)
        return await rig.answer()

    assert await records.once(QUESTION, answer) == (b"answer 1", False)
    assert records.degraded
    assert rig.unkept() == 1


async def test_a_result_is_kept_without_its_picture_where_the_store_refuses_it(
    rig: Rig, model: InspectionModel
) -> None:
    records = rig.records(keep_images="all")
    rig.folder.rmdir()
    rig.folder.write_bytes(b"a file where the folder was")

    await kept(records, await judge(model))

    (row,) = rig.rows()
    assert row.image_sha256 is None
    assert (await records.once(QUESTION, rig.answer)) == (b"the answer", True)
    assert records.degraded
    assert rig.unkept() == 1


class Gone(Files):
    """A store that is not there any more, as fsspec's drivers say it of a bucket."""

    @override
    def write(self, path: str, data: bytes) -> None:
        raise FileNotFoundError("The specified bucket does not exist")


async def test_a_result_is_kept_also_where_the_store_itself_is_gone(rig: Rig, model: InspectionModel) -> None:
    records = rig.records(keep_images="all", blobs=Blobs(Gone(), "s3://gone"))  # type: ignore[abstract]  # it is only written to

    await kept(records, await judge(model))

    assert [row.image_sha256 for row in rig.rows()] == [None]
    assert rig.unkept() == 1


class Stuck(Files):
    """A store that answers nobody until it is told to."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()

    @override
    def write(self, path: str, data: bytes) -> None:
        self.may_answer.wait(60)


async def test_a_store_that_hangs_holds_no_answer_back(rig: Rig, model: InspectionModel) -> None:
    store = Stuck()  # type: ignore[abstract]  # it is only written to
    records, judged = (
        rig.records(keep_images="all", blobs=Blobs(store, "s3://stuck"), keep_within_s=0.05),
        await judge(model),
    )

    async with asyncio.timeout(30):
        given = [await kept(records, judged, replace(QUESTION, request_id=f"part-{n}")) for n in range(3)]

    store.may_answer.set()
    assert given == [b"the answer"] * 3
    assert records.degraded
    assert rig.unkept() == 3


async def test_nothing_is_degraded_while_all_is_kept(rig: Rig, model: InspectionModel) -> None:
    records = rig.records(keep_images="all")

    await kept(records, await judge(model))

    assert not records.degraded
    assert rig.unkept() == 0


async def test_a_digest_stands_for_the_payload_and_no_other() -> None:
    assert payload_digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert payload_digest(b"abd") != payload_digest(b"abc")
