"""What people found, and the escape rate that follows from it: counted by hand, and never better than it was."""

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from server.models import Models
from server.reviewing import EscapeRate, Reviewing
from server.storage.database import Database, open_database
from server.storage.dispositions import Dispositions
from server.storage.results import ResultRow, Results
from tests.bundles import make_bundle
from tests.server.storage.rows import keep_all, result
from vision.errors import InputError, NotFoundError
from vision.inspection.policy import Decision

pytestmark = pytest.mark.asyncio

KEPT_FOR: Final = timedelta(days=30)


@dataclass(slots=True)
class Rig:
    """Kept parts of the model that is served, and people who look at them."""

    database: Database
    models: Models
    reviewing: Reviewing

    async def judged(self, count: int, **changed: Any) -> list[ResultRow]:
        """Accepted parts of the served model, but for what is changed."""
        model = self.models.get("plates")
        usual = {"model_name": "plates", "model_digest": model.digest, "judged_at": datetime.now(UTC)}
        rows = [result(**(usual | changed)) for _ in range(count)]
        await keep_all(self.database, rows)
        return rows

    async def found(self, rows: list[ResultRow], label: str) -> None:
        for row in rows:
            await self.reviewing.dispose(row.id, label=label, by="kim", note="")

    async def rate(self) -> EscapeRate:
        rate = await self.reviewing.escape_rate("plates")
        assert rate is not None
        return rate


@pytest_asyncio.fixture
async def rig(models: Models, tmp_path: Path) -> AsyncIterator[Rig]:
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}")
    yield Rig(
        database,
        models,
        Reviewing(models, Results(database), Dispositions(database), kept_for=KEPT_FOR),
    )
    database.close()


def binomial(units: int, count: int, share: float) -> float:
    return math.comb(units, count) * share**count * (1 - share) ** (units - count)


# --- the escape rate


async def test_without_any_audit_nothing_is_known(rig: Rig) -> None:
    await rig.judged(40)

    rate = await rig.rate()

    assert (rate.audited, rate.escapes, rate.share, rate.upper) == (0, 0, 0.0, 1.0)
    assert rate.escape_upper is None
    assert rate.certified == 0.01, "what the certificate promises is known all the same"


async def test_the_bounds_are_those_that_one_reckons_by_hand(rig: Rig) -> None:
    await rig.judged(140)  # accepted, not drawn
    drawn = await rig.judged(60, audit=True)
    await rig.found(drawn, "good")
    rejected = await rig.judged(16, decision=Decision.REJECT)
    await rig.found(rejected[:12], "red")  # defective
    await rig.found(rejected[12:], "good")  # false rejects say nothing of escapes
    reviewed = await rig.judged(9, decision=Decision.REVIEW)
    await rig.found(reviewed[:8], "blue")

    rate = await rig.rate()

    upper = 1 - 0.05 ** (1 / 60)  # none of 60: (1 - upper)^60 = 5 %
    assert (rate.audited, rate.escapes, rate.share) == (60, 0, 0.0)
    assert rate.upper == pytest.approx(upper, rel=1e-9)
    assert rate.escape_upper == pytest.approx(200 * upper / (200 * upper + 20), rel=1e-9)


async def test_escapes_count_whatever_their_defect(rig: Rig) -> None:
    drawn = await rig.judged(50, audit=True)
    await rig.found(drawn[:47], "good")
    await rig.found(drawn[47:49], "red")
    await rig.found(drawn[49:], "blue")

    rate = await rig.rate()

    assert (rate.audited, rate.escapes, rate.share) == (50, 3, 0.06)
    assert sum(binomial(50, count, rate.upper) for count in range(4)) == pytest.approx(0.05)
    assert rate.escape_upper == 1.0, "no defective part was caught"


async def test_accepted_parts_that_were_not_drawn_are_no_evidence_whatever_was_found(rig: Rig) -> None:
    noticed = await rig.judged(5)  # somebody came upon them
    await rig.found(noticed, "red")
    await rig.found(await rig.judged(10, audit=True), "good")

    rate = await rig.rate()

    assert (rate.audited, rate.escapes) == (10, 0)


async def test_drawn_parts_that_nobody_has_looked_at_are_not_counted_as_good(rig: Rig) -> None:
    drawn = await rig.judged(30, audit=True)
    await rig.found(drawn[:3], "good")

    assert (await rig.rate()).audited == 3


async def test_the_newest_finding_of_a_part_counts(rig: Rig) -> None:
    drawn = await rig.judged(4, audit=True)
    await rig.found(drawn, "red")
    await rig.found(drawn[:3], "good")

    rate = await rig.rate()

    assert (rate.audited, rate.escapes) == (4, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"model_digest": "e" * 64},  # an earlier version, under the same name
        {"model_name": "cells"},
        {
            "judged_at": datetime.now(UTC) - KEPT_FOR - timedelta(hours=1)
        },  # the accepted ones of then are forgotten
    ],
    ids=["another version", "another model", "longer ago than all are kept"],
)
async def test_only_parts_that_speak_of_what_is_served_now_are_counted(
    changed: dict[str, Any], rig: Rig
) -> None:
    await rig.found(await rig.judged(20, audit=True, **changed), "red")
    await rig.found(await rig.judged(2, audit=True), "good")

    rate = await rig.rate()

    assert (rate.audited, rate.escapes) == (2, 0)


async def test_a_model_that_is_not_served_has_no_escape_rate(rig: Rig) -> None:
    assert await rig.reviewing.escape_rate("cells") is None


async def test_the_empty_name_is_the_only_model(rig: Rig) -> None:
    await rig.found(await rig.judged(2, audit=True), "good")

    assert await rig.reviewing.escape_rate("") == await rig.rate()


async def test_without_a_certificate_none_is_promised(rig: Rig) -> None:
    make_bundle(rig.models.folder / "bare.loupe", name="bare", certified=False)
    await rig.models.load("bare")

    rate = await rig.reviewing.escape_rate("bare")

    assert rate is not None
    assert rate.certified is None


async def test_more_caught_defects_lower_the_bound_and_more_accepted_parts_raise_it(rig: Rig) -> None:
    await rig.found(await rig.judged(30, audit=True), "good")
    bounds = []
    for count, changed in (
        (5, {"decision": Decision.REJECT}),
        (40, {"decision": Decision.REJECT}),
        (300, {}),
    ):
        rows = await rig.judged(count, **changed)
        if changed:
            await rig.found(rows, "red")
        bounds.append((await rig.rate()).escape_upper or 0.0)

    few_caught, many_caught, many_accepted = bounds
    assert many_caught < few_caught < 1
    assert many_accepted > many_caught


# --- dispositions


async def test_a_finding_is_kept_with_who_found_it_and_what_they_noted(rig: Rig) -> None:
    (row,) = await rig.judged(1, decision=Decision.REVIEW)
    before = datetime.now(UTC)

    await rig.reviewing.dispose(row.id, label="red", by="kim", note="left edge")

    ((part, found),) = [pair async for pair in rig.reviewing.found("plates")]
    assert (part.id, found.label, found.by, found.note) == (row.id, "red", "kim", "left edge")
    assert before <= found.found_at <= datetime.now(UTC)


async def test_a_label_that_the_model_does_not_know_is_refused_with_those_it_knows(rig: Rig) -> None:
    (row,) = await rig.judged(1)

    with pytest.raises(
        InputError, match="label: expected one of good, red, blue of model 'plates', found 'dent'"
    ):
        await rig.reviewing.dispose(row.id, label="dent", by="kim", note="")

    assert [pair async for pair in rig.reviewing.found("")] == []


async def test_of_a_model_that_is_no_longer_served_any_label_is_taken(rig: Rig) -> None:
    (row,) = await rig.judged(1, model_name="cells")

    await rig.reviewing.dispose(row.id, label="crack", by="kim", note="")

    assert [found.label async for _, found in rig.reviewing.found("cells")] == ["crack"]


async def test_what_is_not_kept_cannot_be_disposed_of(rig: Rig) -> None:
    with pytest.raises(NotFoundError, match="result 'f00'"):
        await rig.reviewing.dispose("f00", label="good", by="kim", note="")


async def test_reviews_wait_before_the_audit_sample_and_the_oldest_first(rig: Rig) -> None:
    now = datetime.now(UTC)
    (drawn,) = await rig.judged(1, audit=True, judged_at=now - timedelta(hours=9))
    (late,) = await rig.judged(1, decision=Decision.REVIEW, judged_at=now)
    (early,) = await rig.judged(1, decision=Decision.REVIEW, judged_at=now - timedelta(hours=1))
    await rig.judged(1)  # accepted, and nobody looks at it

    pending = await rig.reviewing.pending("", 10)

    assert [row.id for row in pending] == [early.id, late.id, drawn.id]
    assert [row.id for row in await rig.reviewing.pending("plates", 1)] == [early.id]
    assert await rig.reviewing.pending("cells", 10) == []
