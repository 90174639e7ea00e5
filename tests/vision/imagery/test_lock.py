"""The lock is verified from photo, alpha and placement alone: nothing that was done to a scene matters, and one level in one pixel does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vision.imagery.products import (
    LAYOUTS,
    Thing,
    blob,
    block,
    manifest_of,
    noise,
    placements,
    write_kept,
)
from vision.errors import GuardError, ImageError, ImageryError
from vision.image import Pixels, encode_png
from vision.imagery.brief import Layout, Light
from vision.imagery.compose.blend import Composition, compose
from vision.imagery.compose.place import Placed, place
from vision.imagery.kept import encode_alpha, sha256
from vision.imagery.lock import LockReport, verify, verify_apart
from vision.imagery.placement import Placement
from vision.imagery.scenes.scene import Scene

FRAME = (160, 120)
PLACEMENT = Placement(frame_wh=FRAME, scale=0.9, degrees=5.0, centre_xy=(80, 60))
THING = blob((90, 110), 1)


def composed(
    thing: Thing = THING, placement: Placement = PLACEMENT, layout: Layout | None = None, seed: int = 0
) -> tuple[Composition, Placed]:
    placed = place(thing, placement)
    scene = Scene(
        image_hwc=noise(*placement.frame_wh, seed),
        layout=layout or Layout(horizon=0.5, light=Light.RIGHT),
        record={},
    )
    return compose(scene, placed), placed


def report(master: Pixels, thing: Thing = THING, placement: Placement = PLACEMENT) -> LockReport:
    return verify(master, thing.photo, encode_alpha(thing.alpha_hw), placement)


@given(
    seed=st.integers(0, 10_000),
    placement=placements(frame_wh=FRAME),
    layout=LAYOUTS,
    ground=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_no_locked_pixel_is_ever_changed(
    seed: int, placement: Placement, layout: Layout, ground: int
) -> None:
    thing = blob((90, 110), seed)
    try:
        composition, placed = composed(thing, placement, layout, ground)
    except ImageryError:  # too little of it is in the frame
        return
    found = report(composition.master_hwc, thing, placement)
    assert found.kept
    assert (found.changed, found.max_delta) == (0, 0)
    assert (found.pixels, found.edge) == (placed.locked_hw.sum(), placed.edge_hw.sum())


@given(which=st.integers(0, 10**6), channel=st.integers(0, 2), level=st.integers(1, 255))
@settings(deadline=None, max_examples=40)
def test_one_changed_value_is_found(which: int, channel: int, level: int) -> None:
    composition, placed = composed()
    spoilt = composition.master_hwc.copy()
    locked = np.argwhere(placed.locked_hw)
    y, x = locked[which % len(locked)]
    before = int(spoilt[y, x, channel])
    spoilt[y, x, channel] = (before + level) % 256
    found = report(spoilt)
    assert not found.kept
    assert (found.changed, found.max_delta) == (1, abs((before + level) % 256 - before))


def test_what_is_not_locked_may_be_anything() -> None:
    composition, placed = composed()
    other = np.where(placed.locked_hw[:, :, None], composition.master_hwc, noise(*FRAME, 77))
    assert report(other).kept


def test_a_product_of_the_same_outline_from_another_photo_is_not_the_product() -> None:
    composition, _ = composed()
    other = Thing(noise(90, 110, 5), THING.alpha_hw)
    found = report(composition.master_hwc, other)
    assert found.changed > 0.99 * found.pixels


def test_a_product_moved_by_a_pixel_is_not_in_its_place() -> None:
    composition, _ = composed()
    moved = PLACEMENT.model_copy(update={"centre_xy": (81, 60)})
    assert report(composition.master_hwc, THING, moved).changed > 0


def test_at_its_own_size_the_locked_pixels_are_the_photos_bytes() -> None:
    thing = block((80, 70), (10, 20, 50, 44))
    placement = Placement(frame_wh=FRAME, scale=1.0, centre_xy=(80, 60))
    composition, _ = composed(thing, placement)
    found = report(composition.master_hwc, thing, placement)
    assert found.locked == sha256(np.ascontiguousarray(thing.image_hwc[20:44, 10:50]).tobytes())


def test_masters_and_alphas_of_another_size_are_refused() -> None:
    composition, _ = composed()
    with pytest.raises(
        ImageryError, match=r"master: expected \(120, 160\) rows and columns, found \(119, 160\)"
    ):
        report(composition.master_hwc[1:])
    with pytest.raises(ImageryError, match=r"alpha.png: expected \(110, 90\) rows and columns"):
        verify(composition.master_hwc, THING.photo, encode_alpha(THING.alpha_hw[1:]), PLACEMENT)
    with pytest.raises(ImageError, match="photo: expected one of"):
        verify(composition.master_hwc, b"nothing", encode_alpha(THING.alpha_hw), PLACEMENT)


def test_another_process_finds_the_same() -> None:
    composition, placed = composed()
    manifest = manifest_of(THING, PLACEMENT, placed, composition)
    files = {"photo": THING.photo, "alpha_png": encode_alpha(THING.alpha_hw)}
    master = composition.master_hwc
    assert verify_apart(manifest, **files, master_png=encode_png(master)) == report(master)
    spoilt = master.copy()
    spoilt[tuple(np.argwhere(placed.locked_hw)[0])] ^= 1
    found = verify_apart(manifest, **files, master_png=encode_png(spoilt))
    assert (found.changed, found.max_delta) == (1, 1)
    with pytest.raises(GuardError, match="the lock cannot be verified: photo: expected sha256"):
        verify_apart(manifest, photo=encode_png(noise(90, 110)), alpha_png=files["alpha_png"], master_png=b"")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A candidate as it is kept."""
    composition, placed = composed()
    manifest = manifest_of(THING, PLACEMENT, placed, composition)
    return write_kept(tmp_path, THING, manifest, composition.master_hwc).parent


def checked(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "vision.imagery.lock", str(folder / "candidate-1.json")]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_kept_candidate_is_checked_from_the_command_line(folder: Path) -> None:
    done = checked(folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["changed"] == 0


def test_several_are_checked_at_once_and_the_worst_decides(folder: Path) -> None:
    composition, placed = composed()
    manifest = manifest_of(THING, PLACEMENT, placed, composition)
    composition.master_hwc[tuple(np.argwhere(placed.locked_hw)[9])] ^= 4
    spoilt = write_kept(folder / "spoilt", THING, manifest, composition.master_hwc)
    command = [sys.executable, "-m", "vision.imagery.lock", str(spoilt), str(folder / "candidate-1.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert [json.loads(line)["changed"] for line in done.stdout.splitlines()] == [1, 0]


def test_a_tampered_master_ends_with_1(folder: Path) -> None:
    composition, placed = composed()
    composition.master_hwc[tuple(np.argwhere(placed.locked_hw)[9])] ^= 4
    (folder / "candidate-1.png").write_bytes(encode_png(composition.master_hwc))
    done = checked(folder)
    assert (done.returncode, json.loads(done.stdout)["changed"]) == (1, 1)


def test_a_tampered_scene_or_input_ends_with_2_and_is_named(folder: Path) -> None:
    composition, placed = composed()
    composition.master_hwc[tuple(np.argwhere(~placed.locked_hw)[0])] ^= 4
    (folder / "candidate-1.png").write_bytes(encode_png(composition.master_hwc))
    assert "master: expected sha256" in checked(folder).stderr
    (folder / "alpha.png").write_bytes(encode_alpha(np.zeros_like(THING.alpha_hw)))
    done = checked(folder)
    assert (done.returncode, "alpha.png: expected sha256" in done.stderr) == (2, True)
    (folder / "alpha.png").unlink()
    assert "expected photo, alpha.png and master beside it" in checked(folder).stderr
    (folder / "candidate-1.json").write_text("{}")
    assert "candidate-1.json: brief: Field required" in checked(folder).stderr
