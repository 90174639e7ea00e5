"""The shelf: within its budget whatever comes, the least valuable gone first, its index the names alone."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ledger import Outcome
from edge.shelf import Label, Shelf, Value, label_of, listing
from tests.pictures import encoded, rough, small_disk
from vision.errors import StorageError

RANK = {
    Outcome.ACCEPT: Value.AUDIT,
    Outcome.TIMEOUT: Value.UNJUDGED,
    Outcome.FAULT: Value.UNJUDGED,
    Outcome.REVIEW: Value.DOUBTED,
    Outcome.REJECT: Value.DOUBTED,
}


def label(part: int, outcome: Outcome = Outcome.REJECT, reason: str = "confident") -> Label:
    return Label(part=part, outcome=outcome, reason=reason, boot="b00t")


def shelf(folder: Path, budget: int = 1000, keep_free: int = 0) -> Shelf:
    return Shelf(folder, budget_bytes=budget, keep_free_bytes=keep_free)


def parts(folder: Path) -> list[int]:
    return sorted(one.label.part for one in listing(folder))


labels = st.builds(
    Label,
    part=st.integers(1, 10**12),
    outcome=st.sampled_from(Outcome),
    reason=st.sampled_from(["confident", "image_quality", "begun", "output"]),
    boot=st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
)


@given(one=labels, cameras=st.integers(1, 20), ending=st.sampled_from([".jpg", ".png", ".bin"]))
def test_a_name_says_whose_picture_it_is(one: Label, cameras: int, ending: str) -> None:
    assert label_of(one.file_name(cameras, cameras, ending)) == (one, cameras)


@given(name=st.text(max_size=60))
def test_other_names_are_nobodys(name: str) -> None:
    assert label_of(name) is None


def test_pictures_are_kept_as_they_came_and_named_by_what_they_are(tmp_path: Path) -> None:
    jpeg, png = encoded(rough(16, 16), "JPEG"), encoded(rough(16, 16), "PNG")
    shelf(tmp_path, budget=10_000).put(label(12, reason="image quality!"), [jpeg, png, b"no picture"])

    (kept,) = listing(tmp_path)
    assert kept.names == (
        "0000000012-reject-image_quality_-b00t-1of3.jpg",
        "0000000012-reject-image_quality_-b00t-2of3.png",
        "0000000012-reject-image_quality_-b00t-3of3.bin",
    )
    assert [(tmp_path / name).read_bytes() for name in kept.names] == [jpeg, png, b"no picture"]
    assert kept.bytes == len(jpeg) + len(png) + 10


def test_accepts_go_first_then_what_nobody_judged_then_the_oldest(tmp_path: Path) -> None:
    full = shelf(tmp_path, budget=500)
    full.put(label(1, Outcome.REJECT), [bytes(100)])
    full.put(label(2, Outcome.FAULT), [bytes(100)])
    full.put(label(3, Outcome.ACCEPT), [bytes(100)])
    full.put(label(4, Outcome.REVIEW), [bytes(50), bytes(50)])
    full.put(label(5, Outcome.TIMEOUT), [bytes(100)])

    gone = []
    for number in range(6, 11):
        before = set(parts(tmp_path))
        full.put(label(number, Outcome.REVIEW), [bytes(100)])
        gone += sorted(before - set(parts(tmp_path)))
    assert gone == [3, 2, 5, 1, 4]


@pytest.mark.parametrize("size", [101, 5000])
def test_what_finds_no_room_is_refused_and_nothing_makes_way_for_it(tmp_path: Path, size: int) -> None:
    full = shelf(tmp_path, budget=200)
    full.put(label(1, Outcome.ACCEPT), [bytes(100)])
    full.put(label(2, Outcome.REJECT), [bytes(100)])
    with pytest.raises(
        StorageError, match=f"expected room for {size} bytes, found 0 free of a budget of 200"
    ):
        full.put(label(3, Outcome.FAULT), [bytes(size)])
    assert parts(tmp_path) == [1, 2]


@settings(max_examples=60, deadline=None)
@given(
    coming=st.lists(
        st.tuples(st.sampled_from(Outcome), st.integers(1, 120), st.booleans()), min_size=1, max_size=25
    )
)
def test_what_is_kept_is_what_the_rule_says_also_after_a_restart(
    coming: list[tuple[Outcome, int, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, budget = tmp_path_factory.mktemp("shelf"), 200
    ours = shelf(folder, budget)
    expected: list[tuple[Value, int, int]] = []  # value, part, size
    for part, (outcome, size, restart) in enumerate(coming, start=1):
        if restart:
            for file in folder.iterdir():  # as if each was written a second after the one before
                at = float(file.name[:10])
                os.utime(file, (at, at))
            ours = shelf(folder, budget)
        value = RANK[outcome]
        lower = sum(one[2] for one in expected if one[0] > value)
        if lower + size > budget:
            with pytest.raises(StorageError):
                ours.put(label(part, outcome), [bytes(size)])
            assert parts(folder) == sorted(one[1] for one in expected)
            continue
        while sum(one[2] for one in expected) + size > budget:
            expected.remove(min(expected))
        expected.append((value, part, size))
        ours.put(label(part, outcome), [bytes(size)])
        assert parts(folder) == sorted(one[1] for one in expected)


def test_what_a_killed_writer_left_is_removed_and_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".0000000001-reject-confident-b00t-1of1.png-abcd1234").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    shelf(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["notes.txt"]


def test_a_disk_that_is_to_stay_free_is_as_good_as_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=256) as disk:
        ours = shelf(disk / "pictures", budget=2**20, keep_free=128 * 1024)
        for number in range(1, 21):
            ours.put(label(number), [bytes(16 * 1024)])
        kept = parts(disk / "pictures")
        assert 5 <= len(kept) <= 8, "half of the disk"
        assert kept == list(range(21 - len(kept), 21)), "the youngest"
        (disk / "other").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize // 2))
        with pytest.raises(StorageError, match="a disk that is to keep 131072 free"):
            ours.put(label(21), [bytes(160 * 1024)])


def test_a_disk_that_refuses_leaves_none_of_a_parts_pictures(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=64) as disk:
        ours = shelf(disk / "pictures", budget=2**20)
        ours.put(label(1), [bytes(16 * 1024)])
        for number in range(2, 5):
            ours.put(label(number, Outcome.ACCEPT), [bytes(100), bytes(3000)])
        (disk / "other").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 4096))
        with pytest.raises(StorageError, match="No space left"):  # one block is left, and this takes two
            ours.put(label(5, Outcome.ACCEPT), [bytes(100), bytes(3000)])
        assert parts(disk / "pictures") == [1, 2, 3, 4]
        assert all(len(one.names) == one.cameras for one in listing(disk / "pictures"))
