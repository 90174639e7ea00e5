"""A journal torn at its end gives what was promised; one damaged anywhere else says where."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.limits import files_of_at_most
from vision.catalog.search.journal import KIND, Journal, create, read
from vision.errors import SearchIndexError, StorageError

HEAD = 16  # bytes before a payload
PAYLOADS = [b"first", b"", b"a third one LFRM that speaks of frames", b"\x00" * 40]


def written(path: Path, payloads: list[bytes]) -> bytes:
    create(path)
    journal = Journal(path)
    for payload in payloads:
        journal.append(payload)
    journal.close()
    return path.read_bytes()


def payloads_in(path: Path, *, last: bool = True) -> list[bytes]:
    return [frame.payload for frame in read(path, last=last)[0]]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_what_was_appended_is_read(tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal-000000"
    written(path, payloads)
    assert payloads_in(path, last=False) == payloads


def test_wherever_the_last_write_was_torn_the_frames_before_it_are_there(tmp_path: Path) -> None:
    path = tmp_path / "journal-000000"
    whole = written(path, PAYLOADS)
    ends = [len(KIND)]
    for payload in PAYLOADS:
        ends.append(ends[-1] + HEAD + len(payload))
    for size in range(len(KIND), len(whole)):
        path.write_bytes(whole[:size])
        complete = sum(end <= size for end in ends) - 1
        assert payloads_in(path) == PAYLOADS[:complete], f"cut at {size}"


@pytest.mark.parametrize("rest", [b"\x00" * 50, b"LFRM" + b"\xff" * 90, b"garbage"])
def test_what_a_power_cut_leaves_behind_the_last_frame_is_cut_off(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "journal-000000"
    path.write_bytes(written(path, PAYLOADS) + rest)
    assert payloads_in(path) == PAYLOADS
    journal = Journal(path, read(path, last=True)[1])
    journal.append(b"one more")
    assert payloads_in(path, last=False) == [*PAYLOADS, b"one more"]


def test_a_flipped_bit_before_the_last_frame_is_an_error_that_says_where(tmp_path: Path) -> None:
    path = tmp_path / "journal-000000"
    whole = written(path, PAYLOADS)
    last = len(whole) - HEAD - len(PAYLOADS[-1])
    for at in range(len(KIND), last):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(SearchIndexError, match=r"journal-000000: offset \d+: expected a whole frame"):
            read(path, last=True)


def test_a_torn_frame_in_a_journal_that_was_ended_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal-000000"
    path.write_bytes(written(path, PAYLOADS)[:-1])
    with pytest.raises(SearchIndexError, match="expected a whole frame"):
        read(path, last=False)


@pytest.mark.parametrize("data", [b"", b"LOUPE", b"PK\x03\x04 something else"])
def test_what_is_no_journal_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "journal-000000"
    path.write_bytes(data)
    with pytest.raises(SearchIndexError, match="journal-000000: offset 0: expected"):
        read(path, last=True)


def test_a_full_disk_refuses_a_frame_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "journal-000000"
    written(path, PAYLOADS)
    journal = Journal(path, read(path, last=True)[1])
    with files_of_at_most(64 * 1024), pytest.raises(StorageError, match="journal-000000: cannot be written"):
        journal.append(b"x" * 100_000)
    assert payloads_in(path, last=False) == PAYLOADS
    journal.append(b"room again")
    assert payloads_in(path, last=False) == [*PAYLOADS, b"room again"]
