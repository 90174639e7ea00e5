"""`loupe edge record`, `replay` and `pictures`: real processes, a folder for a camera, a file for a gate."""

import json
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.ledger import FILE, audit
from edge.shelf import listing
from edge.shift.format import FRAMES, HEADER, PARTS
from edge.shift.reader import read_shifts
from tests.e2e.lines import furnished, loupe, running
from tests.e2e.serving import eventually
from tests.edge.shift.shifts import make_candidate
from tests.pictures import small_disk
from vision.image import decode

pytestmark = pytest.mark.slow


def line(
    box: Path,
    parts: int,
    *,
    period_s: float = 0.05,
    stations: Sequence[str] = ("infeed",),
    top: str = "",
    more: str = "",
) -> Path:
    """A line without hardware, that ends by itself."""
    path = box / "line.toml"
    tables = [
        f"""
        [[station]]
        name = "{name}"
        bundle = "plates.loupe"
        due_s = 0.25
        late_s = 0.1
        trigger = {{ kind = "timer", period_s = {period_s}, parts = {parts} }}
        camera = {{ kind = "folder", folder = "parts", again = true }}
        actuator = {{ kind = "journal", path = "{name}.jsonl" }}
        {more}
        """
        for name in stations
    ]
    path.write_text("\n".join([top, *tables]))
    return path


def record(box: Path, *arguments: object) -> None:
    ended = loupe(box, "edge", "record", "--config", box / "line.toml", "--out", box / "shift", *arguments)
    assert ended.returncode == 0, ended.stderr


def replayed(box: Path, *arguments: object, code: int = 0, station: str = "infeed") -> dict[str, Any]:
    """What a replay says of a station."""
    ended = loupe(box, "edge", "replay", box / "shift", "--json", *arguments)
    assert ended.returncode == code, ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)["stations"][station]
    return said


def ledger(box: Path, columns: str, station: str = "infeed") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(box / "loupe-data" / station / FILE)) as connection:
        return connection.execute(f"SELECT {columns} FROM part ORDER BY part").fetchall()  # noqa: S608  (our own columns)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A box that recorded a shift of 12 parts; not to be changed."""
    box = furnished(tmp_path_factory.mktemp("box"))
    line(box, 12)
    record(box)
    return box


@pytest.fixture
def copied(recorded: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(recorded, tmp_path / "copy"))


def test_a_recorded_line_is_judged_again_identically_and_agrees_with_its_ledger(recorded: Path) -> None:
    box = recorded
    said = replayed(box)

    assert (said["judged"], said["identical"], said["differences"]) == (12, 12, [])
    assert (said["gaps"], said["cut_short"], said["torn"], said["same_machine"]) == ([], False, False, True)
    (shift,) = read_shifts(box / "shift")
    rows = ledger(box, "part, outcome, probability, bundle, boot")
    assert len(rows) == 12
    for judged in shift.judged():
        ended = shift.ended[judged.n]
        assert judged.said is not None
        assert (
            ended.part, ended.outcome, judged.said.probability, judged.bundle, shift.header.boot,
        ) == rows[judged.n - 1]  # fmt: skip
    people = loupe(box, "edge", "replay", box / "shift")
    assert people.stdout.strip() == "infeed: 12 parts judged again, 12 of them identically"


def test_a_candidate_is_told_by_its_decisions_with_pictures(recorded: Path, tmp_path: Path) -> None:
    box = recorded
    candidate = make_candidate(tmp_path / "candidate.loupe")

    said = replayed(box, "--candidate", candidate, "--pictures", tmp_path / "changed")

    rejected = [number for number, outcome in ledger(box, "part, outcome") if outcome == "reject"]
    assert [one["part"] for one in said["differences"]] == rejected == [2, 5, 8, 11]
    assert said["transitions"] == [
        {"from": "accept", "to": "accept", "parts": 4},
        {"from": "reject", "to": "review", "parts": 4},
        {"from": "review", "to": "review", "parts": 4},
    ]
    page = (tmp_path / "changed" / "infeed" / "index.html").read_text()
    assert page.count("reject → review") == 4
    people = loupe(box, "edge", "replay", box / "shift", "--candidate", candidate)
    assert people.returncode == 0
    assert "parts that differ" in people.stdout


def test_after_kill_9_there_is_what_was_recorded_until_then(box: Path) -> None:
    line(box, 1000, period_s=0.02)
    lines = box / "shift" / "infeed" / PARTS
    with running(box, command=("record", "--out", box / "shift")) as run:
        eventually(lambda: lines.exists() and lines.stat().st_size > 20_000)
        run.kill()

    said = replayed(box)

    assert said["cut_short"]
    assert said["judged"] == said["identical"] >= 10
    again = loupe(box, "edge", "record", "--config", box / "line.toml", "--out", box / "shift")
    assert again.returncode == 2
    assert "--out: expected no folder or an empty one" in again.stderr


def test_a_line_that_is_told_to_end_closes_its_recording(box: Path) -> None:
    line(box, 1000, stations=("infeed", "outfeed"))
    lines = box / "shift" / "outfeed" / PARTS
    with running(box, command=("record", "--out", box / "shift", "--station", "outfeed")) as run:
        eventually(lambda: lines.exists() and lines.stat().st_size > 5_000)
        stations = run.stop()

    (shift,) = read_shifts(box / "shift")
    assert shift.header.station == "outfeed"
    assert shift.closed
    assert shift.parts == sum(stations["outfeed"]["outcomes"].values())
    assert sum(stations["infeed"]["outcomes"].values()) > 0, "the other one is run as well"
    replayed(box, station="outfeed")


def test_a_picture_that_was_tampered_with_is_found(copied: Path) -> None:
    box = copied
    frames = box / "shift" / "infeed" / FRAMES
    data = bytearray(frames.read_bytes())
    data[len(data) // 2] ^= 1
    frames.write_bytes(data)

    said = replayed(box, code=1)

    assert len(said["spoilt"]) == 1
    assert (said["judged"], said["identical"]) == (11, 11)
    assert "expected sha256" in loupe(box, "edge", "replay", box / "shift").stdout.replace("\n", " ")


def test_what_differs_fails_on_the_same_machine_and_is_told_with_its_size_on_another(copied: Path) -> None:
    box = copied
    lines = box / "shift" / "infeed" / PARTS
    rows = [json.loads(row) for row in lines.read_text().splitlines()]
    row = next(row for row in rows if row["kind"] == "judged" and row["n"] == 4)
    row["said"]["probability"] += 1e-9
    lines.write_text("".join(json.dumps(one) + "\n" for one in rows))

    said = replayed(box, code=1)
    assert [one["part"] for one in said["differences"]] == [4]

    header = box / "shift" / "infeed" / HEADER
    told = json.loads(header.read_text())
    told["fingerprint"]["libraries"]["onnxruntime"] = "0.1"
    header.write_text(json.dumps(told))
    said = replayed(box)
    assert not said["same_machine"]
    assert said["largest_change"] == pytest.approx(1e-9, rel=1e-3)
    assert (
        "recorded on another machine: onnxruntime 0.1 there"
        in loupe(box, "edge", "replay", box / "shift").stdout
    )


def test_a_shift_in_which_the_parts_drift_replays_to_the_same_alarm(box: Path) -> None:
    for number in (1, 2):
        (box / "parts" / f"{number:02}.png").unlink()
    line(box, 60, period_s=0.03, more="drift_alpha = 0.01")
    record(box)

    said = replayed(box)

    (shift,) = read_shifts(box / "shift")
    certified = [one.said.certified for one in shift.judged() if one.said is not None]
    assert (certified[0], certified[-1]) == (True, False)
    assert ("review",) in ledger(box, "outcome")
    assert said["judged"] == said["identical"] == len(certified) >= 50


def test_no_shift_and_another_recipe_end_with_2(box: Path) -> None:
    (box / "shift").mkdir()
    ended = loupe(box, "edge", "replay", box / "shift")
    assert (ended.returncode, "expected a recorded shift, found none" in ended.stderr) == (2, True)
    ended = loupe(box, "edge", "record", "--config", line(box, 1), "--out", box / "new", "--station", "none")
    assert ended.returncode == 2
    assert "--station: expected one of infeed, found none" in ended.stderr
    assert not (box / "new").exists()


# --- pictures


def test_what_was_not_accepted_is_kept_and_listed(box: Path) -> None:
    path = line(box, 9, top="pictures = { accept_share = 0.0 }")
    assert loupe(box, "edge", "run", "--config", path).returncode == 0

    listed = loupe(box, "edge", "pictures", box / "loupe-data" / "infeed", "--outcome", "reject", "--json")

    assert listed.returncode == 0, listed.stderr
    said = json.loads(listed.stdout)
    assert [(one["part"], one["outcome"]) for one in said["parts"]] == [(n, "reject") for n in (2, 5, 8)]
    ((boot,),) = set(ledger(box, "boot"))
    assert {one["boot"] for one in said["parts"]} == {boot}
    for one in said["parts"]:
        (name,) = one["files"]
        assert (Path(said["folder"]) / name).read_bytes() == (box / "parts" / "01.png").read_bytes()
    everything = [one.label for one in listing(box / "loupe-data" / "infeed" / "pictures")]
    assert [(one.part, one.outcome) for one in everything] == [
        (number, outcome) for number, outcome in ledger(box, "part, outcome") if outcome != "accept"
    ]
    assert "novel" in loupe(box, "edge", "pictures", box / "loupe-data" / "infeed").stdout


def test_none_are_kept_where_there_is_no_budget(box: Path) -> None:
    path = line(box, 3, top="pictures = { budget_mib = 0 }")
    assert loupe(box, "edge", "run", "--config", path).returncode == 0
    assert not (box / "loupe-data" / "infeed" / "pictures").exists()


@pytest.mark.parametrize("enough", [3, 20])
def test_after_kill_9_no_picture_is_torn(box: Path, enough: int) -> None:
    line(box, 1000, period_s=0.02, top="pictures = { accept_share = 1.0 }")
    folder = box / "loupe-data" / "infeed" / "pictures"
    with running(box) as run:
        eventually(lambda: folder.exists() and len(list(folder.glob("0*"))) >= enough)
        run.kill()

    kept = listing(folder)
    assert len(kept) >= enough
    for one in kept:
        for name in one.names:
            assert decode((folder / name).read_bytes()).size_wh == (128, 128)
    path = line(box, 3, top="pictures = { accept_share = 1.0 }")
    assert loupe(box, "edge", "run", "--config", path).returncode == 0
    after = listing(folder)
    assert after[: len(kept)] == kept
    assert len(after) == len(kept) + 3
    assert not list(folder.glob(".*")), "what was half written is gone"


def test_on_a_full_disk_every_part_is_decided_and_none_stored(box: Path) -> None:
    with small_disk(box / "disk", kibibytes=8192) as disk:
        path = line(
            box,
            30,
            top='data = "disk"\nreserve_mib = 1\npictures = { keep_free_mib = 1, accept_share = 1.0 }',
        )
        (disk / "other").write_bytes(bytes(5_300 * 1024))
        ended = loupe(box, "edge", "run", "--config", path, "--json")

        assert ended.returncode == 0, ended.stderr
        outcomes = json.loads(ended.stdout)["stations"]["infeed"]["outcomes"]
        assert (outcomes["accept"], outcomes["reject"], outcomes["review"]) == (10, 10, 10)
        assert audit(disk / "infeed").balanced
        assert (disk / "infeed" / "reserve").exists()
        assert listing(disk / "infeed" / "pictures") == []
        said = ended.stderr.replace("\n", " ")
        assert "infeed: pictures: those of part 1 are not kept" in said
        assert "infeed: pictures: those of 30 parts were not kept" in said


def test_a_recording_on_a_full_disk_delays_no_part_and_says_what_is_missing(box: Path) -> None:
    with small_disk(box / "disk", kibibytes=2048) as disk:
        path = line(box, 12)
        ended = loupe(box, "edge", "record", "--config", path, "--out", disk / "shift", "--json")
        assert ended.returncode == 0, ended.stderr
        assert sum(json.loads(ended.stdout)["stations"]["infeed"]["outcomes"][one] for one in ("accept", "reject", "review")) == 12  # fmt: skip
        assert "recording: 12 of 12 judged parts are not in it" in ended.stderr.replace("\n", " ")
        (shift,) = read_shifts(disk / "shift")
        assert (shift.parts, shift.gaps, shift.closed) == (0, ((1, 12),), True)
        said = loupe(box, "edge", "replay", disk / "shift")
        assert said.returncode == 0
        assert "12 parts were judged and could not be recorded" in said.stdout
