"""What is old or too much goes, the least valuable first; what people found stays."""

import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from server.storage import retention
from server.storage.blobs import Blobs, open_blobs
from server.storage.database import Database, open_database
from server.storage.results import ResultRow
from server.storage.retention import Swept, sweep
from server.storage.tables import dispositions, results
from tests.server.storage.rows import NOON, dispose, found, keep, result, review
from vision.errors import StorageError
from vision.inspection.policy import Decision

MONTH = timedelta(days=30)
NO_GRACE = timedelta(0)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return open_blobs(str(tmp_path / "pictures"))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_PAUSE_S", 0)


def put(blobs: Blobs, name: str, *, at: datetime, size: int = 1000) -> str:
    """A picture of this size, put at this time."""
    sha256 = blobs.put(name.encode().ljust(size))
    path = Path(blobs.name) / sha256[:2] / sha256[2:4] / sha256
    os.utime(path, (at.timestamp(), at.timestamp()))
    return sha256


def kept_rows(database: Database) -> dict[str, str | None]:
    with database.reading() as connection:
        rows = connection.execute(select(results.c.id, results.c.image_sha256)).all()
    return {row.id: row.image_sha256 for row in rows}


def kept_pictures(blobs: Blobs) -> set[str]:
    return {entry.sha256 for entry in blobs.entries()}


def test_within_the_limits_nothing_goes(database: Database, blobs: Blobs) -> None:
    row = result(image_sha256=put(blobs, "a", at=NOON))
    keep(database, row)
    swept = sweep(database, blobs, now=NOON + MONTH, max_age=MONTH, max_bytes=1000, grace=NO_GRACE)
    assert swept == Swept(results=0, pictures=0, bytes=0, bytes_left=1000)
    assert kept_rows(database) == {row.id: row.image_sha256}


def test_without_limits_nothing_goes(database: Database, blobs: Blobs) -> None:
    keep(database, result(image_sha256=put(blobs, "a", at=NOON)))
    put(blobs, "stray", at=NOON)
    swept = sweep(database, blobs, now=NOON + 100 * MONTH, max_age=None, max_bytes=None)
    assert swept == Swept(results=0, pictures=0, bytes=0, bytes_left=2000)


def test_old_results_go_with_their_pictures_unless_a_person_found_something(
    database: Database, blobs: Blobs
) -> None:
    old, young = NOON - MONTH - timedelta(seconds=1), NOON - MONTH
    rows = {
        name: make(judged_at=at, image_sha256=put(blobs, name, at=at))
        for name, make, at in [
            ("old", result, old),
            ("old review", review, old),
            ("old disposed", review, old),
            ("young", result, young),
        ]
    }
    keep(database, *rows.values())
    dispose(database, rows["old disposed"], found("crack"))

    swept = sweep(database, blobs, now=NOON, max_age=MONTH, max_bytes=None)

    stay = [rows["old disposed"], rows["young"]]
    assert swept == Swept(results=2, pictures=2, bytes=2000, bytes_left=2000)
    assert kept_rows(database) == {row.id: row.image_sha256 for row in stay}
    assert kept_pictures(blobs) == {row.image_sha256 for row in stay}


def test_an_old_picture_of_a_young_result_stays(database: Database, blobs: Blobs) -> None:
    picture = put(blobs, "the same again and again", at=NOON - 5 * MONTH)
    keep(
        database,
        result(image_sha256=picture, judged_at=NOON - 5 * MONTH),
        last := result(image_sha256=picture),
    )
    sweep(database, blobs, now=NOON, max_age=MONTH, max_bytes=None)
    assert kept_rows(database) == {last.id: picture}
    assert kept_pictures(blobs) == {picture}


def test_the_least_valuable_go_first_and_the_oldest_of_them(database: Database, blobs: Blobs) -> None:
    order = [
        ("stray", None, None),
        ("accepted, old", result, {"judged_at": NOON - timedelta(3)}),
        ("accepted", result, {"judged_at": NOON - timedelta(1)}),
        ("audit", result, {"audit": True, "judged_at": NOON - timedelta(9)}),
        ("rejected, old", result, {"decision": Decision.REJECT, "judged_at": NOON - timedelta(8)}),
        ("review", review, {"judged_at": NOON - timedelta(7)}),
        ("disposed, accepted", result, {"audit": True, "judged_at": NOON - timedelta(20)}),
        ("disposed, review", review, {"judged_at": NOON - timedelta(19)}),
    ]
    pictures, rows = [], []
    for name, make, changed in order:
        pictures.append(put(blobs, name, at=NOON - timedelta(1)))
        if make is not None and changed is not None:
            rows.append(make(image_sha256=pictures[-1], **changed))
    keep(database, *rows)
    for row in rows[-2:]:
        dispose(database, row, found())

    for left in range(len(order) - 1, -1, -1):
        swept = sweep(database, blobs, now=NOON, max_age=None, max_bytes=1000 * left + 999)
        assert swept == Swept(results=0, pictures=1, bytes=1000, bytes_left=1000 * left)
        assert kept_pictures(blobs) == set(pictures[len(order) - left :])
    assert kept_rows(database) == {
        row.id: None for row in rows
    }  # they stay, and say that their pictures are gone


def test_a_picture_is_worth_as_much_as_the_most_valuable_result_that_shows_it(
    database: Database, blobs: Blobs
) -> None:
    shared, other = put(blobs, "shared", at=NOON - MONTH), put(blobs, "other", at=NOON - MONTH)
    keep(database, result(image_sha256=shared, judged_at=NOON - MONTH), review(image_sha256=shared))
    keep(database, result(image_sha256=other, audit=True))
    sweep(database, blobs, now=NOON, max_age=None, max_bytes=1000)
    assert kept_pictures(blobs) == {shared}


def test_a_picture_that_was_just_put_stays_for_its_result_to_come(database: Database, blobs: Blobs) -> None:
    now = datetime.now(UTC)
    blobs.put(b"put a moment ago")
    assert sweep(database, blobs, now=now, max_age=NO_GRACE, max_bytes=0).pictures == 0
    assert sweep(database, blobs, now=now + retention.GRACE * 2, max_age=None, max_bytes=0).pictures == 1


def test_a_known_picture_that_was_just_put_again_stays(database: Database, blobs: Blobs) -> None:
    picture = put(blobs, "again", at=NOON - timedelta(seconds=30))
    keep(database, row := result(image_sha256=picture, judged_at=NOON - MONTH))
    assert sweep(database, blobs, now=NOON, max_age=None, max_bytes=0).pictures == 0
    assert kept_rows(database) == {row.id: picture}
    assert sweep(database, blobs, now=NOON + timedelta(minutes=1), max_age=None, max_bytes=0).pictures == 1


def test_an_old_picture_that_is_put_again_just_before_it_goes_stays(database: Database, blobs: Blobs) -> None:
    keep(database, result(image_sha256=put(blobs, "again", at=NOON - MONTH)))

    @event.listens_for(database.engine, "after_cursor_execute")
    def put_again(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("UPDATE"):
            blobs.put(b"again".ljust(1000))

    swept = sweep(database, blobs, now=NOON, max_age=None, max_bytes=0)
    assert swept == Swept(results=0, pictures=0, bytes=0, bytes_left=1000)
    assert len(kept_pictures(blobs)) == 1


def test_a_result_whose_picture_is_gone_says_so_after_a_sweep(database: Database, blobs: Blobs) -> None:
    rows = [result(image_sha256=put(blobs, str(n), at=NOON), judged_at=NOON + timedelta(n)) for n in range(2)]
    keep(database, *rows)
    assert blobs.delete(rows[0].image_sha256 or "") == 1000

    swept = sweep(database, blobs, now=NOON + MONTH, max_age=None, max_bytes=0)
    assert swept == Swept(results=0, pictures=1, bytes=1000, bytes_left=0)
    assert kept_rows(database) == {row.id: None for row in rows}


def test_many_rows_and_pictures_go_step_by_step(
    database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_STEP", 3)
    rows = [result(image_sha256=put(blobs, str(n), at=NOON)) for n in range(20)]
    keep(database, *rows)
    swept = sweep(database, blobs, now=NOON + timedelta(1), max_age=None, max_bytes=4000)
    assert swept == Swept(results=0, pictures=16, bytes=16_000, bytes_left=4000)
    assert {sha256 for sha256 in kept_rows(database).values() if sha256} == kept_pictures(blobs)

    assert sweep(database, blobs, now=NOON + 2 * MONTH, max_age=MONTH, max_bytes=None).results == 20
    assert kept_pictures(blobs) == set()


def test_a_database_that_is_locked_ends_the_sweep_with_a_storage_error(tmp_path: Path, blobs: Blobs) -> None:
    url = f"sqlite:///{tmp_path / 'results.db'}"
    holder, database = open_database(url), open_database(url, wait_s=0)
    keep(database, row := result(image_sha256=put(blobs, "a", at=NOON)))
    with holder.writing(), pytest.raises(StorageError, match="database is locked"):
        sweep(database, blobs, now=NOON + MONTH, max_age=None, max_bytes=0)
    assert kept_rows(database) == {row.id: row.image_sha256}
    assert kept_pictures(blobs) == {row.image_sha256}
    holder.close()
    database.close()


# --- whatever there is


@dataclass(frozen=True, slots=True)
class Part:
    """A result and perhaps a picture, which others may share; `days` ago."""

    days: int
    value: int  # 0 accepted, 1 audit, 2 review, 3 disposed
    picture: int | None

    def row(self, names: dict[int, str]) -> ResultRow:
        return result(
            judged_at=NOON - timedelta(self.days),
            decision=Decision.REVIEW if self.value >= 2 else Decision.ACCEPT,
            audit=self.value == 1,
            image_sha256=None if self.picture is None else names[self.picture],
        )


parts = st.builds(Part, st.integers(0, 60), st.integers(0, 3), st.none() | st.integers(0, 7))


@dataclass(frozen=True, slots=True)
class World:
    """Results by their parts, pictures by their numbers, and what was left of both by a sweep."""

    rows: list[tuple[Part, ResultRow]]
    names: dict[int, str]
    put_days: dict[int, int]
    swept: Swept
    rows_left: dict[str, str | None]
    pictures_left: set[str]
    dispositions_left: int


SIZES = {number: 500 + 137 * number for number in range(13)}


def swept_world(
    made: list[Part], strays: dict[int, int], max_age: timedelta | None, max_bytes: int | None
) -> World:
    put_days = dict(strays)
    for part in made:
        if part.picture is not None:
            put_days[part.picture] = min(part.days, put_days.get(part.picture, 60))
    with tempfile.TemporaryDirectory() as folder:
        database, blobs = open_database(f"sqlite:///{folder}/results.db"), open_blobs(f"{folder}/pictures")
        names = {
            number: put(blobs, str(number), at=NOON - timedelta(days), size=SIZES[number])
            for number, days in put_days.items()
        }
        rows = [(part, part.row(names)) for part in made]
        keep(database, *(row for _, row in rows))
        for part, row in rows:
            if part.value == 3:
                dispose(database, row, found())
        swept = sweep(database, blobs, now=NOON, max_age=max_age, max_bytes=max_bytes, grace=NO_GRACE)
        with database.reading() as connection:
            found_left = len(connection.execute(select(dispositions.c.id)).all())
        left = kept_rows(database), kept_pictures(blobs)
        database.close()
    return World(rows, names, put_days, swept, *left, found_left)


limits = {
    "made": st.lists(parts, max_size=12),
    "strays": st.dictionaries(st.integers(8, 12), st.integers(0, 60), max_size=3),
    "max_days": st.none() | st.integers(0, 60),
    "max_bytes": st.none() | st.integers(0, 9000),
}


@settings(deadline=None, max_examples=25)
@given(**limits)
def test_whatever_there_is_limits_are_kept_and_the_most_valuable_stays(
    made: list[Part], strays: dict[int, int], max_days: int | None, max_bytes: int | None
) -> None:
    world = swept_world(made, strays, None if max_days is None else timedelta(max_days), max_bytes)

    # exactly the results that are old and that nobody looked at are gone
    stay = [
        (part, row)
        for part, row in world.rows
        if part.value == 3 or max_days is None or part.days <= max_days
    ]
    assert world.rows_left.keys() == {row.id for _, row in stay}
    assert world.swept.results == len(made) - len(stay)
    assert world.dispositions_left == sum(part.value == 3 for part in made)

    # what is said of the pictures is so
    size = {name: SIZES[number] for number, name in world.names.items()}
    left = sum(size[name] for name in world.pictures_left)
    assert (world.swept.bytes_left, world.swept.bytes) == (left, sum(size.values()) - left)
    assert world.swept.pictures == len(size) - len(world.pictures_left)
    assert {name for name in world.rows_left.values() if name} <= world.pictures_left
    assert max_bytes is None or left <= max_bytes

    # pictures of nothing go with age; of the others only the least valuable and oldest, and no more than needed
    worth: dict[str, tuple[int, int]] = {}
    for number, name in world.names.items():
        owners = [part for part, row in stay if row.image_sha256 == name]
        if owners:
            worth[name] = (max(part.value for part in owners), -min(part.days for part in owners))
        elif max_days is None or world.put_days[number] <= max_days:
            worth[name] = (-1, -world.put_days[number])
        else:
            assert name not in world.pictures_left
    gone = worth.keys() - world.pictures_left
    if gone:
        assert max_bytes is not None
        top = max(worth[name] for name in gone)
        assert all(worth[name] >= top for name in world.pictures_left)
        assert left + max(size[name] for name in gone if worth[name] == top) > max_bytes
