"""Into a slot or not at all: what is refused, what a kill at any step leaves, and the way back."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import disk_usage
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.slots.install import install, numbers, roll_back
from edge.slots.seats import named
from edge.slots.state import Held, OnTrialError
from tests.bundles import inspection
from tests.edge.slots.world import NAME, Box
from tests.pictures import small_disk
from vision import signing
from vision.bundle import GOLDEN, Bundle, open_bundle, pack_arrays
from vision.errors import BundleError, LoupeError, NotFoundError, SettingsError, StorageError
from vision.files import held
from vision.settings import Settings

KILLED: Final = """
import os, signal, sys
from pathlib import Path
from shutil import disk_usage
from edge.line import read_line
from edge.slots.install import install
from vision.settings import read_settings

def step(name):
    if name == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)

install(Path(sys.argv[2]), read_line(Path(sys.argv[1])), read_settings(), step=step, test=TEST)
"""
TRUSTING: Final = "lambda folder, _: __import__('vision.bundle').bundle.describe(folder)[1]"  # fast: the self-test is tried elsewhere


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def digest_of(folder: Path, _keys: object = ()) -> str:
    """Stands in for the self-test, which takes a second."""
    return open_bundle(folder).digest()


def put(box: Box, bundle: Bundle, **how: Any) -> Held:
    name, found = install(bundle.path, box.line, box.settings, **{"test": digest_of} | how)
    assert name == NAME
    return found


def test_a_signed_bundle_is_copied_as_it_is_and_is_on_trial(box: Box) -> None:
    new = box.bundle("1.1")

    found = install(new.path, box.line, box.settings)[1]  # with the real self-test

    state = box.store.read()
    assert (found.slot, found.version, found.digest) == ("a", "1.1", new.digest())
    assert (state.active, state.previous, state.starts) == (found, None, 0)
    copy = open_bundle(box.store.path("a"), trusted=box.settings.trusted(), require_signature=True)
    assert copy.digest() == new.digest()


def test_slots_take_turns_and_the_one_that_runs_is_never_written(box: Box) -> None:
    first = put(box, box.bundle("1.1"))
    with pytest.raises(OnTrialError, match=r"1\.1 in slot a is on trial"):
        put(box, box.bundle("1.2"))
    box.store.update(lambda now: now.confirmed())
    second = put(box, box.bundle("1.2"))
    assert (first.slot, second.slot) == ("a", "b")
    assert box.store.read().previous == first
    assert digest_of(box.store.path("a")) == first.digest


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_folder_does_as_well_as_a_file(box: Box, as_folder: bool) -> None:
    assert put(box, box.bundle("1.1", file="new" if as_folder else "new.loupe")).version == "1.1"


def wrong_golden() -> bytes:
    return pack_arrays(
        {
            "sha256": np.array(["0" * 64]),
            "encoded_0": np.zeros(3, np.uint8),
            "logits_model.onnx": np.zeros((1, 3)),
        }
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"signed_by": None}, "expected a signature in manifest.sig, found none"),
        ({"signed_by": "other.key"}, "expected a signature by"),
        ({"version": "0.9"}, "version: expected 1.0 or later, found 0.9"),
        ({"version": "1.0", "file": "plates-1.0.loupe"}, "expected another bundle than the one that runs"),
        ({"labels": ("good", "blue", "red")}, "labels: expected ('good', 'red', 'blue') as in what runs here"),
        ({"decision": inspection().model_copy(update={"good": "red"}).model_dump(mode="json")}, "good: expected good"),
        ({"certified": False}, "certified: expected True"),
        ({"task": "catalog"}, "task: expected 'inspection', found 'catalog'"),
        ({"contents": {GOLDEN: wrong_golden()}}, "golden.npz"),
        ({"contents": {"model.onnx": b"no model"}}, "model.onnx"),
    ],
)  # fmt: skip
def test_a_bundle_that_is_not_right_is_refused_and_nothing_changes(
    box: Box, changes: dict[str, Any], said: str
) -> None:
    signing.generate(box.folder / "other.key", box.folder / "other.pub")
    new = box.bundle(**{"version": "1.1", "file": "new.loupe"} | changes)
    with pytest.raises(LoupeError) as refused:
        install(new.path, box.line, box.settings)
    assert said in str(refused.value)
    assert box.store.stamp() is None, "no state was written"
    assert not box.store.path("a").exists()


def test_a_bundle_is_not_trusted_by_the_key_that_comes_with_it_nor_without_one(box: Box) -> None:
    new = box.bundle("1.1")
    with pytest.raises(SettingsError, match=r"LOUPE_TRUSTED_KEYS: expected the public keys .* found none"):
        install(new.path, box.line, Settings(cache_dir=box.folder), test=digest_of)


def test_a_bundle_of_no_station_is_refused(box: Box) -> None:
    with pytest.raises(NotFoundError, match="expected that of a model of this line, plates, found 'cells'"):
        put(box, box.bundle("1.1", name="cells"))


def test_an_older_version_needs_to_be_asked_for(box: Box) -> None:
    assert put(box, box.bundle("0.9"), older=True).version == "0.9"


def test_a_self_test_that_takes_its_process_down_is_a_refusal(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    (box.folder / "sitecustomize.py").write_text(
        "import os; os.abort()"
    )  # as a model that brings the interpreter down
    monkeypatch.setenv("PYTHONPATH", str(box.folder))
    with pytest.raises(BundleError, match=r"plates-1.1.loupe: the self-test's process was ended by SIGABRT"):
        install(box.bundle("1.1").path, box.line, box.settings)
    assert box.store.stamp() is None


def test_one_install_at_a_time(box: Box) -> None:
    box.store.make()
    with (
        held(box.store.folder / "installing"),
        pytest.raises(StorageError, match="another process is at work here"),
    ):
        put(box, box.bundle("1.1"))


def test_a_rollback_while_an_install_is_at_work_wins(box: Box) -> None:
    put(box, box.bundle("1.1"))
    box.store.update(lambda now: now.confirmed())

    def meanwhile(folder: Path, _keys: object) -> str:
        roll_back(NAME, box.line, box.settings)
        return digest_of(folder)

    with pytest.raises(OnTrialError, match="the install is given up"):
        put(box, box.bundle("1.2"), test=meanwhile)
    assert box.store.read().active is None


def killed_at(box: Box, bundle: Bundle, step: str) -> int:
    environment = dict(os.environ) | {
        "LOUPE_TRUSTED_KEYS": f'["{box.folder / "line.pub"}"]',
        "LOUPE_CACHE_DIR": str(box.folder / "cache"),
    }
    script = KILLED.replace("TEST", TRUSTING)
    return subprocess.run(
        [sys.executable, "-c", script, str(box.folder / "line.toml"), str(bundle.path), step], env=environment
    ).returncode


STEPS: Final = (
    "verify", "clean", "copy golden.npz", "copy model.onnx", "copy reference.npz", "test", "forget", "move", "activate",
)  # fmt: skip


@pytest.mark.slow
def test_an_install_interrupted_at_every_step_leaves_what_runs_and_the_next_one_clears_up(box: Box) -> None:
    steps: list[str] = []
    put(box, box.bundle("1.1"), step=steps.append)
    assert steps == [*STEPS, "installed"]
    box.store.update(lambda now: now.confirmed())
    put(box, box.bundle("1.2"))
    box.store.update(lambda now: now.confirmed())
    runs, new = box.store.read().active, box.bundle("1.3")

    for step in STEPS:
        assert killed_at(box, new, step) == -9
        state = box.store.read()
        assert state.active == runs
        assert not state.on_trial
        assert runs is not None
        assert digest_of(box.store.path("b")) == runs.digest
        if state.previous is not None:  # then it is really there
            assert digest_of(box.store.path("a")) == state.previous.digest

    assert put(box, new).version == "1.3"
    left = {one.name for one in box.store.folder.iterdir()}
    assert left == {"a", "b", "state.json", "lock", "installing"}


@pytest.mark.slow
def test_killed_right_after_the_last_step_the_new_one_is_active(box: Box) -> None:
    assert killed_at(box, box.bundle("1.1"), "installed") == -9
    active = box.store.read().active
    assert active is not None
    assert active.version == "1.1"


def test_back_by_hand_to_the_previous_one_and_then_to_the_configured_one(box: Box) -> None:
    put(box, box.bundle("1.1"))
    box.store.update(lambda now: now.confirmed())
    put(box, box.bundle("1.2"))
    active = roll_back(NAME, box.line, box.settings).active
    assert active is not None
    assert active.version == "1.1"
    state = roll_back(NAME, box.line, box.settings)
    assert state.active is None
    assert state.last_rollback is not None
    assert (state.last_rollback.version, state.last_rollback.reason) == ("1.1", "by hand")
    with pytest.raises(NotFoundError, match="the configured one runs"):
        roll_back(NAME, box.line, box.settings)


def test_back_by_hand_past_a_slot_that_is_damaged(box: Box) -> None:
    put(box, box.bundle("1.1"))
    box.store.update(lambda now: now.confirmed())
    put(box, box.bundle("1.2"))
    (box.store.path("a") / "model.onnx").write_bytes(b"damage")
    assert roll_back(NAME, box.line, box.settings).active is None


def test_two_bundles_of_one_name_have_no_slots(box: Box) -> None:
    box.bundle("1.05", file="second.loupe")
    path = box.folder / "line.toml"
    box.configure(stations=("infeed", "outfeed"))
    text = path.read_text()
    path.write_text(
        text[: text.rindex("plates-1.0.loupe")]
        + "second.loupe"
        + text[text.rindex("plates-1.0.loupe") + len("plates-1.0.loupe") :]
    )
    assert named(box.line)[NAME].digest is None
    with pytest.raises(
        NotFoundError, match="expected one configured bundle of that name, found several that differ"
    ):
        put(box, box.bundle("1.1"))


@pytest.mark.parametrize(
    ("older", "newer"),
    [("1.0", "1.1"), ("1.9", "1.10"), ("1", "1.0.1"), ("0.9rc2", "1.0rc1"), ("9", "10a")],
)
def test_versions_are_compared_as_numbers(older: str, newer: str) -> None:
    assert numbers(older) < numbers(newer)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_zeros_at_the_end_make_no_other_version(parts: list[int]) -> None:
    text = ".".join(map(str, parts))
    assert numbers(text) == numbers(text + ".0") == numbers(text + "rc1")


def test_a_disk_without_room_for_the_ledgers_beside_it_takes_no_bundle(box: Box) -> None:
    with small_disk(box.folder / "loupe-data", kibibytes=70 * 1024):
        with pytest.raises(StorageError, match="bytes free for the bundle and the ledgers"):
            put(box, box.bundle("1.1"))
        assert box.store.stamp() is None


def test_a_disk_that_fills_up_meanwhile_keeps_what_it_had(box: Box) -> None:
    with small_disk(box.folder / "loupe-data", kibibytes=90 * 1024) as disk:
        put(box, box.bundle("1.1"))
        box.store.update(lambda now: now.confirmed())
        before = box.store.read()

        def fills(step: str) -> None:
            if step == "copy model.onnx":
                (disk / "filler").write_bytes(bytes(disk_usage(disk).free))

        with pytest.raises(StorageError, match="cannot be written"):
            put(box, box.bundle("1.2"), step=fills)
        (disk / "filler").unlink()
        assert box.store.read() == before
        assert digest_of(box.store.path("a")) == before.active.digest  # type: ignore[union-attr]
        assert put(box, box.bundle("1.2")).slot == "b"
