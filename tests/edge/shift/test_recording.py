"""Recordings on the disk: what was judged comes out as it went in, whatever cut them short."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ledger import Ended, Outcome
from edge.parts import Finished, Judged
from edge.ports import Shot
from edge.shift.format import FRAMES, HEADER, PARTS, Fingerprint, Header, Model
from edge.shift.reader import Frames, Shift, read_shifts
from edge.shift.recorder import Recorder
from edge.shift.writer import ShiftWriter
from tests.bundles import frame, part
from tests.edge.world import judged
from tests.pictures import small_disk
from vision.errors import ImageError, InputError, NotFoundError, StorageError
from vision.files import write_json
from vision.image import Frame
from vision.inspection.policy import Decision

DIGEST = "0" * 64


def head(folder: Path) -> Path:
    header = Header(
        loupe="0",
        station=folder.name,
        boot="b00t",
        began_at="2026-01-01T00:00:00+00:00",
        fingerprint=Fingerprint(machine="m", cpu="c", cores=1, libraries={}),
        tiles=None,
        merge="any",
        drift_alpha=None,
        on_drift="review_all",
        models=(Model(recipe=None, bundle=DIGEST, file="model.onnx", threads=1),),
    )
    write_json(folder / HEADER, header.model_dump())
    return folder


def shots(n: int) -> tuple[Shot, ...]:
    """Bytes of a size of their own, and raw pixels."""
    return (
        Shot(image=bytes([n % 256]) * (10 + n % 7), frame_id=n, device_ns=n * 1000, name=f"file {n}"),
        Shot(image=Frame(image_hwc=part(n)[:5, :7], size_wh=(70, 50), name=f"eye {n}"), name=f"raw {n}"),
    )


def record(
    folder: Path, parts: int, *, keep_free: int = 0, before: Callable[[int], None] = lambda _: None
) -> tuple[Recorder, list[str]]:
    """A recording of so many parts, every third rejected and every fifth one that cannot be judged, and its alarms."""
    alarms: list[str] = []

    def judge(taken: tuple[Shot, ...]) -> Judged:
        n = taken[0].frame_id or 0
        if n % 5 == 0:
            raise ImageError(f"file {n}: no picture")
        return judged(Decision.REJECT if n % 3 == 0 else Decision.ACCEPT)

    async def work() -> Recorder:
        recorder = Recorder(ShiftWriter(head(folder), keep_free_bytes=keep_free), alarm=alarms.append)
        watched = recorder.watching(None, judge)
        await recorder.start()
        for n in range(1, parts + 1):
            before(n)
            taken = shots(n)
            outcome, said = Outcome.FAULT, None
            if n % 5:
                said = watched(taken)
                outcome = Outcome(said.verdict.decision)
            else:
                with pytest.raises(ImageError):
                    watched(taken)
            recorder.hear(
                Finished(
                    ended=Ended(part=100 + n, outcome=outcome, reason="confident"), shots=taken, judged=said
                )
            )
            await asyncio.sleep(0)
        await recorder.stop()
        await asyncio.sleep(0)
        return recorder

    return asyncio.run(work()), alarms


def only(path: Path) -> Shift:
    (shift,) = read_shifts(path)
    return shift


def numbers(shift: Shift) -> list[int]:
    """Of its parts, each of whose pictures is what went in."""
    found = []
    with Frames(shift.folder) as frames:
        for line in shift.judged():
            for expected, one in zip(shots(line.n), frames.shots(line), strict=True):
                if isinstance(expected.image, Frame):
                    assert isinstance(one.image, Frame)
                    assert np.array_equal(one.image.image_hwc, expected.image.image_hwc)
                    assert (one.image.size_wh, one.image.name) == ((70, 50), expected.image.name)
                    assert one.name == expected.name
                else:
                    assert one == expected
            found.append(line.n)
    return found


def test_what_was_judged_comes_out_as_it_went_in(tmp_path: Path) -> None:
    recorder, alarms = record(tmp_path / "infeed", 12)

    shift = only(tmp_path)
    assert (recorder.lost, alarms) == (0, [])
    assert numbers(shift) == list(range(1, 13))
    assert (shift.parts, shift.gaps, shift.torn, shift.closed) == (12, (), False, True)
    assert [shift.ended[n].part for n in range(1, 13)] == list(range(101, 113))
    for line in shift.judged():
        if line.n % 5:
            assert line.said is not None
            assert line.said.decision.value == shift.ended[line.n].outcome.value
        else:
            assert (line.said, line.error) == (None, f"ImageError: file {line.n}: no picture")
            assert shift.ended[line.n].outcome is Outcome.FAULT


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The lines and frames of a recording of 12 parts."""
    folder = tmp_path_factory.mktemp("whole") / "infeed"
    record(folder, 12)
    return (folder / PARTS).read_bytes(), (folder / FRAMES).read_bytes()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_cut_anywhere_it_gives_every_part_whose_line_is_whole(
    data: st.DataObject, whole: tuple[bytes, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines, frames = whole
    folder = head(tmp_path_factory.mktemp("cut") / "infeed")
    cut = data.draw(st.integers(0, len(lines)))
    (folder / PARTS).write_bytes(lines[:cut] + data.draw(st.sampled_from([b"", bytes(64)])))
    (folder / FRAMES).write_bytes(frames)

    shift = only(folder)

    left = lines[:cut]
    whole_lines = left[: left.rfind(b"\n") + 1]
    assert numbers(shift) == list(range(1, whole_lines.count(b'"judged","n"') + 1))
    assert shift.torn == ((folder / PARTS).read_bytes() != whole_lines)
    assert shift.closed == (b'"closed"' in whole_lines)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_picture_that_was_changed_or_cut_off_is_found(
    data: st.DataObject, whole: tuple[bytes, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines, frames = whole
    folder = head(tmp_path_factory.mktemp("changed") / "infeed")
    (folder / PARTS).write_bytes(lines)
    where = data.draw(st.integers(0, len(frames) - 1))
    flipped = frames[:where] + bytes([frames[where] ^ data.draw(st.integers(1, 255))]) + frames[where + 1 :]
    (folder / FRAMES).write_bytes(data.draw(st.sampled_from([flipped, frames[:where]])))
    bad = []
    shift = only(folder)
    with Frames(folder) as opened:
        for line in shift.judged():
            try:
                opened.shots(line)
            except ImageError:
                bad.append(line.n)
    touched = [line.n for line in shift.judged() if any(f.at <= where < f.at + f.bytes for f in line.frames)]
    assert bad[:1] == touched


def test_a_line_damaged_in_the_middle_is_no_torn_end(whole: tuple[bytes, bytes], tmp_path: Path) -> None:
    folder = head(tmp_path / "infeed")
    rows = whole[0].splitlines(keepends=True)
    (folder / PARTS).write_bytes(b"".join([*rows[:3], rows[3][:-9] + b"\n", *rows[4:]]))
    with pytest.raises(InputError, match="line 4: expected a line of JSON"):
        read_shifts(tmp_path)


def test_a_part_that_was_taken_out_is_missed(whole: tuple[bytes, bytes], tmp_path: Path) -> None:
    folder = head(tmp_path / "infeed")
    rows = [row for row in whole[0].splitlines(keepends=True) if b'"judged","n":4,' not in row]
    (folder / PARTS).write_bytes(b"".join(rows))
    with pytest.raises(InputError, match="expected part 4 of the recording, found 5"):
        read_shifts(tmp_path)


def test_a_verdict_that_comes_after_its_part_has_ended_is_recorded_with_what_became_of_the_part(
    tmp_path: Path,
) -> None:
    going_on = threading.Event()

    def slow(_: tuple[Shot, ...]) -> Judged:
        going_on.wait(10)
        return judged(Decision.ACCEPT)

    async def work() -> None:
        recorder = Recorder(ShiftWriter(head(tmp_path / "infeed"), keep_free_bytes=0), alarm=pytest.fail)
        await recorder.start()
        taken = shots(1)
        judging = asyncio.create_task(asyncio.to_thread(recorder.watching(None, slow), taken))
        while not recorder.judged:
            await asyncio.sleep(0.001)
        late = Ended(part=7, outcome=Outcome.TIMEOUT, reason="captured")
        recorder.hear(Finished(ended=late, shots=taken))
        going_on.set()
        await judging
        await recorder.stop()

    asyncio.run(work())
    shift = only(tmp_path)
    (line,) = shift.judged()
    assert line.said is not None
    assert (line.said.decision, shift.ended[1]) == (Decision.ACCEPT, (7, Outcome.TIMEOUT))


def test_what_found_no_room_while_the_disk_was_slow_is_a_gap(tmp_path: Path) -> None:
    alarms: list[str] = []
    large = Shot(image=frame(np.zeros((1000, 1000, 3), np.uint8)))

    async def work() -> Recorder:
        recorder = Recorder(
            ShiftWriter(head(tmp_path / "infeed"), keep_free_bytes=0),
            alarm=alarms.append,
            max_waiting_bytes=4 * 10**6,
        )
        watched = recorder.watching(None, lambda _: judged())
        recorder._loop = asyncio.get_running_loop()  # before `start`, as if the disk hung
        for _ in range(4):
            watched((large,))
        await recorder.start()
        while recorder._aside._waiting:
            await asyncio.sleep(0.01)
        watched((large,))
        await recorder.stop()
        return recorder

    recorder = asyncio.run(work())
    shift = only(tmp_path)
    assert (recorder.judged, recorder.lost) == (5, 3)
    assert [line.n for line in shift.judged()] == [1, 5]
    assert (shift.gaps, shift.last, shift.closed) == (((2, 3),), 5, True)
    assert alarms == [
        "recording: a part is not recorded: the disk was not fast enough; the line goes on, and the recording has gaps",
        "recording: 3 of 5 judged parts are not in it",
    ]


def test_a_full_disk_makes_a_gap_and_the_recording_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=256) as disk:
        filler = disk / "filler"

        def befalls(n: int) -> None:
            if n == 20:
                filler.write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
            if n == 60:
                filler.unlink()
            time.sleep(0.002)  # so that it is written while the disk is as it was

        recorder, alarms = record(disk / "infeed", 80, before=befalls)

        shift = only(disk)
        recorded = numbers(shift)
        missing = [n for first, count in shift.gaps for n in range(first, first + count)]
        assert sorted([*recorded, *missing]) == list(range(1, 81))
        assert len(missing) == recorder.lost > 0
        assert {1, 80} <= set(recorded)
        assert "recording: a part is not recorded" in alarms[0]
        assert shift.closed


def test_a_disk_that_is_to_stay_free_is_not_filled(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=256) as disk:
        recorder, _ = record(disk / "infeed", 10, keep_free=2**20)
        assert recorder.lost == 10
        assert only(disk).parts == 0
        assert os.statvfs(disk).f_bavail > os.statvfs(disk).f_blocks / 2


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    record(tmp_path / "infeed", 1)
    with pytest.raises(StorageError, match="File exists"):
        ShiftWriter(tmp_path / "infeed", keep_free_bytes=0)


def test_no_recording_and_one_of_a_newer_loupe_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="expected a recorded shift, found none"):
        read_shifts(tmp_path)
    folder = head(tmp_path / "infeed")
    (folder / HEADER).write_text('{"format": 2}')
    with pytest.raises(InputError, match="format: expected 1, found 2"):
        read_shifts(tmp_path)
