"""Bundles installed on a running line: swapped between two parts, sent away when they are worse, and through kills."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from edge.ledger import FILE, audit
from edge.rig.kills import conveyor
from edge.rig.plc import COUNTER, HEARTBEAT, Plc, plc
from edge.slots.state import Held
from tests.bundles import part, spotted
from tests.e2e.lines import Run, loupe, running
from tests.e2e.serving import eventually
from tests.edge.slots.world import NAME, Box, moody_model, slow_model, with_model
from vision import signing
from vision.bundle import GOLDEN, Bundle, pack_arrays, rewrite
from vision.image import encode_png
from vision.signing import read_private

pytestmark = pytest.mark.slow

PERIOD_S: Final = 0.1


class Line(Box):
    """A box beside a PLC, whose line is run by real processes."""

    gate: Plc

    def beside(self, gate: Plc, more: str = "") -> "Line":
        self.gate = gate
        (self.folder / "parts").mkdir(exist_ok=True)
        pictures = [
            part(1),
            spotted(2),
            np.full((128, 128, 3), 255, np.uint8),
        ]  # the last is blank, for review
        for number, picture in enumerate(pictures):
            (self.folder / "parts" / f"{number}.png").write_bytes(encode_png(picture))
        (self.folder / "line.toml").write_text(
            f"""
            {more}
            [[station]]
            name = "infeed"
            bundle = "plates-1.0.loupe"
            due_s = 0.5  # commands and self-tests beside it take the cores
            late_s = 0.25
            trigger = {{ kind = "modbus", address = "127.0.0.1:{gate.port}", register = {COUNTER} }}
            camera = {{ kind = "folder", folder = "parts", again = true }}
            actuator = {{ kind = "modbus", address = "127.0.0.1:{gate.port}", coils = {{ accept = 0, reject = 1, review = 2 }}, heartbeat = {HEARTBEAT} }}
            """
        )
        return self

    @property
    def trust(self) -> dict[str, str]:
        return {"LOUPE_TRUSTED_KEYS": json.dumps([str(self.folder / "line.pub")])}

    def loupe(self, *arguments: object, trusting: bool = True) -> "subprocess.CompletedProcess[str]":
        given = ("edge", *arguments, "--config", self.folder / "line.toml", "--json")
        return loupe(self.folder, *given, environment=self.trust if trusting else None)

    def runs(self) -> AbstractContextManager[Run]:
        """`loupe edge run`, taking parts."""
        return running(self.folder, self.gate, environment=self.trust)

    def install(self, bundle: Bundle) -> None:
        ended = self.loupe("install", bundle.path)
        assert ended.returncode == 0, ended.stderr

    def status(self) -> dict[str, Any]:
        ended = self.loupe("status")
        assert ended.returncode == 0, ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)["models"][NAME]
        return found

    def undone(self) -> tuple[str, str]:
        """Version and reason of the last rollback; without starting a process."""
        undone = self.store.read().last_rollback
        return ("", "") if undone is None else (undone.version, undone.reason)

    def active(self) -> tuple[str | None, bool]:
        """Version in a slot, and whether it is on trial; without starting a process."""
        state = self.store.read()
        return None if state.active is None else state.active.version, state.on_trial

    def judged_by(self) -> list[str]:
        """The bundles of the judged parts, in the order of the parts."""
        connection = sqlite3.connect(f"file:{self.folder}/loupe-data/infeed/{FILE}?mode=ro", uri=True)
        try:
            return [
                one
                for (one,) in connection.execute(
                    "SELECT bundle FROM part WHERE bundle IS NOT NULL ORDER BY part"
                )
            ]
        finally:
            connection.close()

    def unjudged(self) -> list[tuple[str, ...]]:
        """What became of parts that have no verdict, and why; but those whose output a PLC in this busy process did not take in time."""
        connection = sqlite3.connect(f"file:{self.folder}/loupe-data/infeed/{FILE}?mode=ro", uri=True)
        try:
            query = "SELECT part, outcome, reason, detail, timings FROM part WHERE outcome IN ('timeout', 'fault') AND reason != 'output' ORDER BY part"
            return list(connection.execute(query))
        finally:
            connection.close()

    def judges_by(self, bundle: Bundle, parts: int = 3) -> Callable[[], bool]:
        """Whether the last parts were judged by a bundle."""
        return lambda: self.judged_by()[-parts:] == [bundle.digest()] * parts

    def seen(self, parts: int) -> Callable[[], bool]:
        return lambda: len(self.judged_by()) >= parts


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def spoilt_golden(bundle: Bundle) -> bytes:
    """The golden set of a bundle, with answers that the model does not give."""
    arrays = bundle.arrays(GOLDEN)
    arrays["logits_model.onnx"] = arrays["logits_model.onnx"] + 1
    return pack_arrays(arrays)


def put_by_force(line: Line, bundle: Bundle, *, signed: bool) -> None:
    """Into the free slot and active, past every check of `install`."""
    state = line.store.read()
    line.store.make()
    rewrite(
        bundle, to=line.store.path(state.free), key=read_private(line.folder / "line.key") if signed else None
    )
    held = Held(
        slot=state.free, version=bundle.manifest.version, digest=bundle.digest(), since=datetime.now(UTC)
    )
    line.store.update(lambda now: now.installed(held, factory=line.bundle("1.0").digest()))


def test_a_swap_between_two_parts_loses_none_and_the_trial_confirms_it(line: Line) -> None:
    old, new = line.bundle("1.0"), line.bundle("1.1")
    with plc() as gate, line.beside(gate, "[trial]\nparts = 30\nlatency_ratio = 20").runs() as run:
        with conveyor(gate, PERIOD_S):
            eventually(line.seen(10))
            line.install(new)
            assert line.status()["trial"]
            eventually(lambda: line.active() == ("1.1", False))
            eventually(line.judges_by(new))
        eventually(lambda: audit(line.folder / "loupe-data" / "infeed").triggers == len(gate.parts))
        eventually(lambda: audit(line.folder / "loupe-data" / "infeed").balanced)
        run.stop()

    found = audit(line.folder / "loupe-data" / "infeed")
    assert (found.triggers, found.missing, found.balanced) == (len(gate.parts), 0, True)
    assert line.unjudged() == []
    assert len(gate.gate()) == len(gate.parts), "each part moved the gate"
    assert [digest for digest, _ in groupby(line.judged_by())] == [old.digest(), new.digest()], "one change"
    told = line.status()
    assert (told["active"]["version"], told["active"]["slot"], told["trial"]) == ("1.1", "a", False)
    assert told["previous"]["version"] == "1.0"
    assert told["last_rollback"] is None

    with plc() as gate, line.beside(gate).runs() as run:  # and it starts with it
        with conveyor(gate, PERIOD_S):
            eventually(line.judges_by(new))
        run.stop()


@pytest.mark.parametrize(
    ("signed_by", "trusting", "said"),
    [
        (None, True, "expected a signature in manifest.sig, found none"),
        ("other.key", True, "expected a signature by"),
        ("line.key", False, "LOUPE_TRUSTED_KEYS: expected the public keys"),
    ],
)
def test_without_a_signature_by_a_trusted_key_nothing_is_installed(
    line: Line, signed_by: str | None, trusting: bool, said: str
) -> None:
    signing.generate(line.folder / "other.key", line.folder / "other.pub")
    ended = line.loupe("install", line.bundle("1.1", signed_by=signed_by).path, trusting=trusting)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert line.active() == (None, False)


def test_a_bundle_whose_golden_set_comes_out_otherwise_is_refused_and_the_line_goes_on(line: Line) -> None:
    new = line.bundle("1.1", contents={GOLDEN: spoilt_golden(line.bundle("1.0"))})
    with plc() as gate, line.beside(gate).runs() as run:
        with conveyor(gate, PERIOD_S):
            ended = line.loupe("install", new.path)
            eventually(line.seen(10))
        assert ended.returncode == 2
        assert "plates-1.1.loupe: model.onnx: expected golden logits within 0.01" in ended.stderr
        run.stop()
    assert line.unjudged() == []
    assert line.active() == (None, False)


@pytest.mark.parametrize(
    ("signed", "said"),
    [(False, "expected a signature in manifest.sig, found none"), (True, "expected golden logits within")],
)
def test_a_slot_that_was_filled_past_the_checks_is_rolled_back_by_the_running_line(
    line: Line, signed: bool, said: str
) -> None:
    with plc() as gate, line.beside(gate).runs() as run:
        with conveyor(gate, PERIOD_S):
            eventually(line.seen(3))
            put_by_force(
                line, line.bundle("1.1", contents={GOLDEN: spoilt_golden(line.bundle("1.0"))}), signed=signed
            )
            eventually(lambda: line.active() == (None, False))
            eventually(line.seen(20))
        run.stop()
    assert line.unjudged() == []
    assert set(line.judged_by()) == {line.bundle("1.0").digest()}
    assert said in line.undone()[1]
    assert "plates: 1.1 was rolled back" in run.words


@pytest.mark.parametrize(
    ("model", "reason"),
    [(slow_model, "latency: the model's median is"), (moody_model, "faults:")],
)
def test_a_model_that_is_slower_or_fails_more_is_rolled_back(
    line: Line, model: Callable[[], bytes], reason: str
) -> None:
    old, new = line.bundle("1.0"), line.bundle("1.1", **with_model(model()))
    with plc() as gate, line.beside(gate, "[trial]\nlatency_ratio = 8").runs() as run:
        with conveyor(gate, PERIOD_S):
            eventually(line.seen(25))
            line.install(new)
            eventually(lambda: new.digest() in line.judged_by())
            eventually(lambda: line.active() == (None, False))
            eventually(line.judges_by(old, 5))
        eventually(lambda: audit(line.folder / "loupe-data" / "infeed").balanced)
        run.stop()

    assert audit(line.folder / "loupe-data" / "infeed").triggers == len(gate.parts)
    version, why = line.undone()
    assert version == "1.1"
    assert why.startswith(reason)
    assert f"plates: 1.1 was rolled back: {reason}" in run.words
    assert line.judged_by().count(new.digest()) < 60


def test_a_program_that_is_killed_again_and_again_on_trial_comes_up_with_the_old_one(line: Line) -> None:
    old, new = line.bundle("1.0"), line.bundle("1.1")
    with plc() as gate:
        line.beside(gate, "[trial]\nparts = 10000\nstarts = 2\nlatency_ratio = 100")
        with conveyor(gate, PERIOD_S):
            with line.runs() as run:
                line.install(new)
                eventually(line.judges_by(new))
                run.kill()
            for _ in range(2):
                with line.runs() as run:
                    eventually(line.judges_by(new))
                    assert line.active() == ("1.1", True)
                    run.kill()
            with line.runs() as run:
                assert line.active() == (None, False)
                eventually(line.judges_by(old))
                run.stop()
        assert "2 starts ended badly" in line.undone()[1]
        assert "plates: 1.1 was rolled back" in run.words


def test_a_program_that_is_ended_in_good_order_on_trial_goes_on_with_it(line: Line) -> None:
    new = line.bundle("1.1")
    line.install(new)
    with plc() as gate, conveyor(gate, PERIOD_S):
        for _ in range(3):
            with line.beside(gate, "[trial]\nparts = 10000\nstarts = 1\nlatency_ratio = 100").runs() as run:
                eventually(line.judges_by(new))
                run.stop()
    assert line.active() == ("1.1", True)


def test_by_hand_back_to_what_ran_before_between_two_parts(line: Line) -> None:
    old, new = line.bundle("1.0"), line.bundle("1.1")
    with plc() as gate, line.beside(gate, "[trial]\nparts = 10\nlatency_ratio = 100").runs() as run:
        with conveyor(gate, PERIOD_S):
            line.install(new)
            eventually(lambda: line.active() == ("1.1", False))
            back = line.loupe("rollback")
            assert back.returncode == 0, back.stderr
            assert json.loads(back.stdout) == {"name": NAME, "active": None}
            eventually(line.judges_by(old))
            assert line.loupe("rollback").returncode == 2
        run.stop()
    assert line.unjudged() == []
    assert [digest for digest, _ in groupby(line.judged_by())][-2:] == [new.digest(), old.digest()]
    assert line.status()["last_rollback"]["reason"] == "by hand"


@pytest.mark.parametrize("damage", ["file", "state", "folder"])
def test_a_slot_or_a_state_that_is_damaged_at_the_start_is_passed_over(line: Line, damage: str) -> None:
    old, new = line.bundle("1.0"), line.bundle("1.1")
    put_by_force(line, new, signed=True)
    line.store.update(lambda now: now.confirmed())
    if damage == "file":
        (line.store.path("a") / "model.onnx").write_bytes(b"damage")
    elif damage == "folder":
        (line.store.path("a") / "manifest.json").unlink()
    else:
        line.store.file.write_bytes(line.store.file.read_bytes()[:-40])
    with plc() as gate, line.beside(gate).runs() as run:
        with conveyor(gate, PERIOD_S):
            eventually(line.judges_by(old))
        run.stop()
    assert line.active() == (None, False)
    assert ("plates: 1.1 was rolled back" if damage != "state" else "the state was set aside") in run.words
