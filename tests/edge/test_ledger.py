"""The ledger: whatever is begun has an outcome in the end, through any order of crashes, and on a full disk."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ledger import FILE, Begun, Ended, Ledger, Outcome, audit
from tests.pictures import small_disk
from vision.errors import StorageError

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
RESERVE: Final = 2**16


def opened(folder: Path, boot: str = "first") -> Ledger:
    return Ledger(folder, boot=boot, reserve_bytes=RESERVE)


def begun(part: int, counter: int | None = None) -> Begun:
    return Begun(part=part, at=NOON, counter=counter)


def ended(part: int, outcome: Outcome = Outcome.ACCEPT, **more: object) -> Ended:
    return Ended(part=part, outcome=outcome, reason="confident", **more)  # type: ignore[arg-type]


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", 0) as file:
        while True:
            file.write(b"x" * 4096)


def rows(folder: Path, columns: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / FILE)
    try:
        return connection.execute(f"SELECT {columns} FROM part ORDER BY part").fetchall()  # noqa: S608  (our own columns)
    finally:
        connection.close()


def test_a_part_is_kept_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    verdict = ended(
        1,
        Outcome.REJECT,
        probability=0.97,
        label="scratched",
        bundle="sha256:1",
        frame_id=12,
        timings={"model": 7.5},
    )

    ledger.commit([begun(1, counter=41), verdict])

    columns = (
        "part, boot, triggered_at, counter, outcome, reason, probability, label, bundle, frame_id, timings"
    )
    assert rows(tmp_path, columns) == [
        (
            1,
            "first",
            "2026-01-01T12:00:00+00:00",
            41,
            "reject",
            "confident",
            0.97,
            "scratched",
            "sha256:1",
            12,
            '{"model": 7.5}',
        )
    ]
    assert audit(tmp_path).balanced


def test_a_part_that_was_cut_short_is_a_fault_when_the_ledger_is_opened_again(tmp_path: Path) -> None:
    opened(tmp_path).commit([begun(1, counter=7), begun(2, counter=8), ended(1)])
    assert (audit(tmp_path).open, audit(tmp_path).balanced) == (1, False)

    found = opened(tmp_path, boot="second").found

    assert (found.last_part, found.last_counter, found.cut_short) == (2, 8, 1)
    assert rows(tmp_path, "boot, outcome, reason") == [
        ("first", "accept", "confident"),
        ("first", "fault", "output_unknown"),
    ]
    assert audit(tmp_path).balanced


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_trigger_has_an_outcome_after_any_order_of_events_and_crashes(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    ledger, still_open, last = opened(folder), set[int](), 0
    for event in data.draw(st.lists(st.sampled_from(["begin", "end", "crash"]), max_size=30)):
        if event == "begin":
            last += 1
            still_open.add(last)
            ledger.commit([begun(last)])
        elif event == "end" and still_open:
            part = data.draw(st.sampled_from(sorted(still_open)))
            still_open.remove(part)
            ledger.commit([ended(part, data.draw(st.sampled_from(Outcome)))])
        elif event == "crash":  # the process is gone: nothing is closed in good order
            del ledger
            ledger = opened(folder)
            assert (ledger.found.last_part, ledger.found.cut_short) == (last, len(still_open))
            still_open.clear()
        found = audit(folder)
        assert (found.triggers, found.open, found.missing) == (last, len(still_open), 0)
    del ledger
    opened(folder)
    assert audit(folder).balanced


def test_changes_are_kept_all_or_none(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    with pytest.raises(StorageError, match="part 9 is not open"):
        ledger.commit([begun(1), ended(9)])
    assert audit(tmp_path).triggers == 0
    ledger.commit([begun(1), ended(1)])
    with pytest.raises(StorageError, match="part 1 is not open"):
        ledger.commit([ended(1, Outcome.REJECT)])
    assert audit(tmp_path).outcomes[Outcome.ACCEPT] == 1


@pytest.mark.parametrize(
    ("unwritable", "said"),
    [({"detail": "\udc80.png"}, "surrogates not allowed"), ({"frame_id": 2**64}, "too large")],
)
def test_what_sqlite_cannot_write_is_refused_and_leaves_the_ledger_usable(
    tmp_path: Path, unwritable: dict[str, Any], said: str
) -> None:
    ledger = opened(tmp_path)
    ledger.commit([begun(1)])
    with pytest.raises(StorageError, match=rf"ledger\.db: cannot be written: .*{said}"):
        ledger.commit([begun(2), ended(1, **unwritable)])
    assert (audit(tmp_path).triggers, audit(tmp_path).open) == (1, 1)
    ledger.commit([ended(1)])
    assert audit(tmp_path).balanced


def test_a_damaged_ledger_is_set_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.commit([one for part in range(1, 400) for one in (begun(part), ended(part))])
    ledger.close()
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:4096] + b"\xa5" * 4096 + whole[8192:])

    found = opened(tmp_path).found

    assert found.set_aside is not None
    assert found.set_aside.read_bytes()[4096:8192] == b"\xa5" * 4096
    assert (found.last_part, audit(tmp_path).triggers) == (0, 0)


def test_a_file_that_is_no_ledger_is_set_aside_too(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"once upon a time " * 100)
    found = opened(tmp_path).found
    assert found.set_aside is not None
    assert found.set_aside.read_bytes().startswith(b"once upon")


def test_what_cannot_be_opened_is_no_damage_and_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(StorageError, match=r"ledger\.db: cannot be opened"):
        opened(tmp_path)
    assert (tmp_path / FILE).is_dir()


def test_a_ledger_is_one_programs_at_a_time(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger:
        ledger.commit([begun(1)])
        with pytest.raises(StorageError, match="another process is at work here"):
            opened(tmp_path)
        assert audit(tmp_path).open == 1, "its part is still on its way"
    assert opened(tmp_path).found.cut_short == 1


def test_a_reserve_that_the_disk_has_no_room_for_is_told(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", kibibytes=1024) as disk:
        for size, lacking in ((0, False), (64 * 1024, False), (2**30, True)):
            with closing(Ledger(disk / str(size), boot="first", reserve_bytes=size)) as ledger:
                assert ledger.found.unreserved is lacking


def test_a_ledger_of_a_newer_loupe_is_refused_and_left_alone(tmp_path: Path) -> None:
    opened(tmp_path).close()
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageError, match="expected schema 2, found 99: a newer Loupe wrote it"):
        opened(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("ledger.db*")) == [FILE]


def test_a_full_disk_takes_the_reserve_first_and_refuses_then(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "small", kibibytes=1024) as disk,
        closing(Ledger(disk / "station", boot="first", reserve_bytes=512 * 1024)) as ledger,
    ):
        assert (disk / "station" / "reserve").exists()
        with pytest.raises(OSError, match="No space left"):
            fill(disk / "other")
        taken = 0
        with pytest.raises(StorageError, match="cannot be written"):  # noqa: PT012  (which of them is refused is the disk's)
            for part in count(1):
                ledger.commit([begun(part), ended(part, detail="x" * 500)])
                taken = part
        assert taken > 20, "the reserve took some"
        assert not (disk / "station" / "reserve").exists()
        ledger.close()
        found = audit(disk / "station")
        assert (found.triggers, found.balanced) == (taken, True)


def test_where_no_ledger_is_the_audit_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"ledger\.db: expected a ledger, found no file"):
        audit(tmp_path)
    (tmp_path / "notes.txt").write_text("no ledger at all, but long enough to be read as one" * 20)
    with pytest.raises(StorageError, match=r"notes\.txt: expected a ledger: "):
        audit(tmp_path / "notes.txt")
