import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.pictures import encoded
from training import looks
from training.audit import Audit, audit
from training.findings import Finding
from training.manifest import Item, Manifest
from vision.errors import ManifestError
from vision.image import Pixels, read_bytes

PER_CLASS = 20


def part(seed: int) -> Pixels:
    """uint8 (120, 160, 3): a plate with bars, as every other part, and a faint texture of its own."""
    plate = np.full((120, 160), 40.0)
    plate[10:110, 10:150] = 150
    plate[40:46, 10:150] = plate[76:82, 10:150] = 70
    random = np.random.default_rng((5, seed))
    texture = cv2.GaussianBlur(random.normal(0, 90, plate.shape), (0, 0), 4)
    grey = np.clip(plate + texture + random.normal(0, 1, plate.shape), 0, 255).astype(np.uint8)
    return np.dstack([grey] * 3)


def item(path: Path, split: str, label: str = "good", group: str = "") -> Item:
    return Item(path=path, label=label, split=split, group=group or str(path), columns={})


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Two labels in three splits: 120 parts that look alike, each a group of its own."""
    folder = tmp_path_factory.mktemp("parts")
    places = [(s, label) for s in ("train", "val", "test") for label in ("good", "scratch")] * PER_CLASS
    items = []
    for seed, (split, label) in enumerate(places):
        path = folder / f"{split}-{label}-{seed:03}.png"
        path.write_bytes(encoded(part(seed), "PNG"))
        items.append(item(path, split, label))
    return Manifest(source=folder / "manifest.csv", items=tuple(items), grouped=True)


Add = Callable[..., Manifest]


@pytest.fixture
def add(clean: Manifest, tmp_path: Path) -> Add:
    """The clean set and one more file: `add("copy.png", data, "test")`."""

    def _add(name: str, data: bytes, split: str, label: str = "good", group: str = "") -> Manifest:
        (tmp_path / name).write_bytes(data)
        return replace(clean, items=(*clean.items, item(tmp_path / name, split, label, group)))

    return _add


def only(result: Audit) -> Finding:
    (finding,) = result.findings
    return finding


def first_file(manifest: Manifest) -> bytes:
    return manifest.items[0].path.read_bytes()


def test_a_clean_set_has_no_findings(clean: Manifest) -> None:
    result = audit(clean, good="good")
    assert result.findings == ()
    assert not result.leaks
    assert (result.pictures, result.readable) == (120, 120)
    assert result.counts == {s: {"good": PER_CLASS, "scratch": PER_CLASS} for s in ("train", "val", "test")}


def test_the_same_file_in_another_split_is_a_leak(clean: Manifest, add: Add) -> None:
    result = audit(add("copy.png", first_file(clean), "test"))
    finding = only(result)
    assert result.leaks
    assert (finding.kind, finding.severity, finding.leak) == ("duplicate", "error", True)
    assert [Path(path).name for path in finding.paths] == ["train-good-000.png", "copy.png"]
    assert (
        "train-good-000.png (train): expected its copies in one split, found the same file" in finding.message
    )
    assert finding.message.endswith("copy.png (test)")


def test_the_same_pixels_in_another_file_format_are_a_leak(add: Add) -> None:
    finding = only(audit(add("copy.bmp", encoded(part(0), "BMP"), "test")))
    assert (finding.kind, finding.leak) == ("duplicate", True)
    assert "found the same pixels" in finding.message


def half_size(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("copy.jpg", encoded(part(0), "JPEG", quality=60)),
        ("small.png", encoded(half_size(part(0)), "PNG")),
        ("bright.png", encoded(np.clip(part(0) * 1.1 + 5, 0, 255).astype(np.uint8), "PNG")),
    ],
)
def test_a_changed_copy_in_another_split_is_a_leak(add: Add, name: str, data: bytes) -> None:
    result = audit(add(name, data, "test"))
    finding = only(result)
    assert result.leaks
    assert (finding.kind, finding.severity) == ("near-duplicate", "error")
    assert [Path(path).name for path in finding.paths] == ["train-good-000.png", name]
    assert "found nearly the same picture" in finding.message


@pytest.mark.parametrize("pixels", [part(0)[:, ::-1], part(999)], ids=["mirrored", "different"])
def test_another_part_is_not_a_leak(add: Add, pixels: Pixels) -> None:
    assert audit(add("other.jpg", encoded(np.ascontiguousarray(pixels), "JPEG"), "test")).findings == ()


def test_a_copy_in_another_group_of_the_split_warns(add: Add) -> None:
    result = audit(add("copy.jpg", encoded(part(0), "JPEG"), "train"))
    assert not result.leaks
    assert (only(result).kind, only(result).severity) == ("near-duplicate", "warning")
    assert "expected its copies in one group" in only(result).message


def test_copies_in_one_group_and_split_are_only_counted(clean: Manifest, tmp_path: Path) -> None:
    copies = []
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(clean.items[number].path.read_bytes())
        copies.append(replace(clean.items[number], path=tmp_path / f"{number}.png"))
    result = audit(replace(clean, items=(*clean.items, *copies)))
    finding = only(result)
    assert (finding.kind, finding.severity, len(finding.paths)) == ("duplicate", "info", 6)
    assert "in its own group and split (and 2 more)" in finding.message
    assert not result.leaks


def test_many_frames_of_one_part_across_splits_warn_and_do_not_fail(clean: Manifest, tmp_path: Path) -> None:
    random, frames = np.random.default_rng(8), []
    for number in range(12):
        noisy = np.clip(part(777) + random.normal(0, 2, (120, 160, 3)), 0, 255).astype(np.uint8)
        (tmp_path / f"{number}.png").write_bytes(encoded(noisy, "PNG"))
        frames.append(item(tmp_path / f"{number}.png", "train" if number % 2 else "test"))
    result = audit(replace(clean, items=(*clean.items, *frames)))
    assert (only(result).kind, only(result).severity, len(only(result).paths)) == (
        "look-alike",
        "warning",
        12,
    )
    assert not result.leaks


def test_a_group_in_two_splits_is_a_leak(clean: Manifest) -> None:
    items = [replace(one, group="m7") if n in {0, 2, 4} else one for n, one in enumerate(clean.items)]
    result = audit(replace(clean, items=tuple(items)))
    finding = only(result)
    assert result.leaks
    assert (finding.kind, finding.severity) == ("straddling-group", "error")
    assert "expected its group 'm7' in one split, found it in test and train and val" in finding.message
    assert len(finding.paths) == 3


def test_a_path_listed_in_two_splits_is_a_leak_with_and_without_groups(clean: Manifest) -> None:
    again = replace(clean.items[0], split="test")
    ungrouped = audit(replace(clean, items=(*clean.items, again), grouped=False))
    grouped = audit(replace(clean, items=(*clean.items, again)))
    assert [finding.kind for finding in ungrouped.findings] == ["duplicate"]
    assert [finding.kind for finding in grouped.findings] == ["straddling-group", "duplicate"]
    assert ungrouped.leaks
    assert grouped.leaks
    assert "found the same path" in only(ungrouped).message


def test_one_path_under_two_labels_is_an_error(clean: Manifest) -> None:
    again = replace(clean.items[0], label="scratch")
    conflict, repeated = audit(replace(clean, items=(*clean.items, again))).findings
    assert (conflict.kind, conflict.severity, repeated.severity) == ("conflicting-labels", "error", "info")
    assert "expected one label, found 'good' and, for the same path at" in conflict.message
    assert conflict.message.endswith("'scratch'")


@pytest.mark.parametrize(
    ("name", "data", "severity"),
    [
        ("copy.bmp", encoded(part(0), "BMP"), "error"),
        ("copy.jpg", encoded(part(0), "JPEG"), "warning"),  # perhaps the same part, damaged meanwhile
    ],
)
def test_a_copy_under_another_label_is_a_conflict(add: Add, name: str, data: bytes, severity: str) -> None:
    manifest = add(name, data, "train", "scratch", group="one")
    items = (replace(manifest.items[0], group="one"), *manifest.items[1:])
    found = audit(replace(manifest, items=items)).findings
    assert (found[0].kind, found[0].severity) == ("conflicting-labels", severity)
    assert len(found[0].paths) == 2


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("notes.png", b"these are notes", "expected one of JPEG, PNG"),
        ("short.png", encoded(part(0), "PNG")[:-500], "truncated or damaged"),
        ("short.jpg", encoded(part(0), "JPEG")[:-500], "truncated or damaged"),
        ("empty.png", b"", "found 0 bytes"),
        ("tiny.png", encoded(part(0)[:4, :4], "PNG"), "expected sides of at least 8 px, found 4x4"),
        ("float.tif", encoded(part(0)[:, :, 0].astype(np.float32), "TIFF"), "32"),
    ],
)
def test_a_file_that_is_no_whole_picture_is_a_finding(add: Add, name: str, data: bytes, message: str) -> None:
    result = audit(add(name, data, "train"))
    assert (only(result).kind, only(result).severity) == ("unreadable", "error")
    assert f"{name}: " in only(result).message
    assert message in only(result).message
    assert (result.pictures, result.readable, result.leaks) == (121, 120, False)


def test_a_missing_file_is_a_finding_and_not_an_exception(clean: Manifest, tmp_path: Path) -> None:
    missing = item(tmp_path / "gone.png", "train")
    result = audit(replace(clean, items=(missing, *clean.items)))
    assert only(result).message == f"{missing.path}: cannot be read: No such file or directory"
    assert only(result).paths == (str(missing.path),)


def test_a_set_in_which_nothing_can_be_read_is_audited_all_the_same(clean: Manifest, tmp_path: Path) -> None:
    items = tuple(replace(one, path=tmp_path / one.path.name) for one in clean.items)
    result = audit(replace(clean, items=items))
    assert result.tally == {"unreadable": 120}
    assert (result.readable, result.leaks) == (0, False)


def test_an_empty_manifest_has_nothing_wrong(clean: Manifest) -> None:
    assert audit(replace(clean, items=())).findings == ()


@pytest.mark.parametrize(
    ("kind", "pixels"),
    [
        ("dark", part(500) // 8),
        ("washed-out", np.clip(part(500) * 3.0, 0, 255).astype(np.uint8)),
        ("blurred", cv2.GaussianBlur(part(500), (0, 0), 6)),
        ("odd-size", part(500)[:, :60]),
    ],
)
def test_an_unusual_picture_warns(add: Add, kind: str, pixels: Pixels) -> None:
    result = audit(add("odd.png", encoded(np.ascontiguousarray(pixels), "PNG"), "train"))
    assert kind in result.tally
    assert all(finding.severity == "warning" for finding in result.findings)
    assert all(finding.paths[0].endswith("odd.png") for finding in result.findings)


def test_classes_are_counted_in_every_split(clean: Manifest) -> None:
    scratched = [one for one in clean.items if one.label == "scratch"]
    left_out = {one.path for one in scratched if one.split == "train"}
    left_out |= {one.path for one in scratched if one.split == "val"} - {scratched[1].path}
    result = audit(
        replace(clean, items=tuple(one for one in clean.items if one.path not in left_out)), good="good"
    )
    assert [(finding.kind, finding.severity) for finding in result.findings] == [
        ("missing-class", "error"),
        ("few-pictures", "warning"),
        ("imbalance", "warning"),
    ]
    assert result.counts["train"] == {"good": PER_CLASS, "scratch": 0}


def test_an_unknown_good_label_is_refused_before_any_file_is_opened(clean: Manifest) -> None:
    done: list[int] = []
    with pytest.raises(
        ManifestError, match="expected the good label to be one of good, scratch, found 'fine'"
    ):
        audit(clean, good="fine", advance=done.append)
    assert done == []


def test_the_same_set_gives_the_same_audit(add: Add) -> None:
    manifest = add("copy.jpg", encoded(part(0), "JPEG"), "test")
    assert audit(manifest) == audit(manifest)


def test_every_file_is_read_once_and_every_row_counted(
    clean: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    done: list[int] = []

    def counting(path: Path) -> bytes:
        read.append(path)
        return read_bytes(path)

    monkeypatch.setattr(looks, "read_bytes", counting)
    audit(replace(clean, items=(*clean.items, clean.items[0])), advance=done.append)
    assert sorted(read) == sorted(one.path for one in clean.items)
    assert sum(done) == 121


def test_the_json_form_keeps_long_lists_whole(clean: Manifest) -> None:
    items = tuple(replace(one, group="all") for one in clean.items)
    form = audit(replace(clean, items=items)).to_json()
    assert json.loads(json.dumps(form)) == form
    assert form["leaks"] is True
    assert form["tally"] == {"straddling-group": 1}
    assert form["findings"][0]["paths"] == [str(one.path) for one in items]
    assert form["findings"][0]["message"].endswith("(and 119 more)")


def test_the_worst_comes_first(clean: Manifest, add: Add, tmp_path: Path) -> None:
    manifest = add("copy.jpg", encoded(part(6), "JPEG"), "train")
    gone = item(tmp_path / "gone.png", "train")
    found = audit(replace(manifest, items=(*manifest.items, clean.items[1], gone))).findings
    assert [finding.severity for finding in found] == ["error", "warning", "info"]
