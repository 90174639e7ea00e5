"""Replays: the same models say the same to the last bit; a candidate's decisions are told apart; what is missing is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge.shift.bench import Candidate, standing_in
from edge.shift.bench import recorded as recorded_models
from edge.shift.format import BUNDLES, FRAMES, PARTS
from edge.shift.machine import differing, this_fingerprint
from edge.shift.reader import read_shifts
from edge.shift.replay import Difference, Replayed, replay
from edge.shift.sheet import Sheet
from tests.bundles import make_bundle, part, spotted, stranger
from tests.edge.shift.shifts import encoded, make_candidate, raw, recorded
from vision.errors import BundleError, NotFoundError, SettingsError
from vision.image import decode
from vision.settings import Settings, read_settings

MIXED = (part(1), spotted(2), stranger(), part(3), spotted(4))


@pytest.fixture
def box(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "plates.loupe")
    return tmp_path


def again(box: Path, candidate: Path | None = None, *, recipe: int | None = None) -> Replayed:
    (shift,) = read_shifts(box / "shift")
    if candidate is None:
        return replay(shift, recorded_models(shift, read_settings()))
    bench = standing_in(shift, read_settings(), Candidate(bundle=candidate, recipe=recipe))
    return replay(shift, bench, numbers=False)


@pytest.mark.parametrize("shot", [encoded, raw])
@pytest.mark.parametrize(
    "more",
    ["", 'merge = "majority"', "tiles = { columns = 2, rows = 2, overlap = 0.2 }", "drift_alpha = 0.01"],
)
def test_the_same_models_say_the_same_to_the_last_bit(box: Path, shot: type, more: str) -> None:
    shift = recorded(box, [(None, (shot(one), shot(part(9)))) for one in MIXED], cameras=2, more=more)
    decisions = {line.said.decision for line in shift.judged() if line.said is not None}
    found = again(box)
    assert (found.judged, found.identical, found.differences, found.spoilt) == (5, 5, [], [])
    assert len(decisions) > 1, "or there would be little to tell apart"


def test_a_shift_in_which_the_parts_drifted_replays_to_the_same_alarm(box: Path) -> None:
    shift = recorded(box, [(None, (encoded(part(1)),))] * 60, more="drift_alpha = 0.01")
    certified = [line.said.certified for line in shift.judged() if line.said is not None]
    assert certified[0]
    assert not certified[-1]
    assert again(box).identical == 60


def test_what_a_lost_picture_hides_from_the_drift_test_is_told_apart(box: Path) -> None:
    shift = recorded(box, [(None, (encoded(part(1)),))] * 60, more="drift_alpha = 0.01")
    flip(shift.folder / FRAMES, next(shift.judged()).frames[0].at)
    found = again(box)
    assert [n for n, _ in found.spoilt] == [1]
    assert found.judged == 59
    assert found.differences, "the alarm comes a part later"
    assert all(one.unsure for one in found.differences)


def flip(file: Path, where: int) -> None:
    data = bytearray(file.read_bytes())
    data[where] ^= 1
    file.write_bytes(data)


def test_a_picture_that_was_tampered_with_is_found_and_not_judged(box: Path) -> None:
    shift = recorded(box, [(None, (raw(one),)) for one in MIXED])
    lines = list(shift.judged())
    flip(shift.folder / FRAMES, lines[2].frames[0].at + lines[2].frames[0].bytes // 2)
    found = again(box)
    ((n, error),) = found.spoilt
    assert n == 3
    assert "(part 3 of the recording): expected sha256" in error
    assert (found.judged, found.identical) == (4, 4)


def test_a_verdict_that_differs_in_the_last_bit_is_a_difference_with_its_size(box: Path) -> None:
    shift = recorded(box, [(None, (raw(one),)) for one in MIXED])
    rows = [json.loads(row) for row in (shift.folder / PARTS).read_text().splitlines()]
    row = next(row for row in rows if row["kind"] == "judged" and row["n"] == 2)
    row["said"]["probability"] = float(np.nextafter(row["said"]["probability"], 0))
    (shift.folder / PARTS).write_text("".join(json.dumps(one) + "\n" for one in rows))
    (difference,) = again(box).differences
    assert (difference.n, difference.part) == (2, 2)
    assert difference.change is not None
    assert 0 < difference.change < 1e-15


def test_a_part_that_could_not_be_judged_cannot_be_judged_again(box: Path) -> None:
    spoilt = encoded(part(1))
    cut = type(spoilt)(
        image=bytes(spoilt.image)[:-30] if isinstance(spoilt.image, bytes) else b"", name="cut"
    )
    shift = recorded(box, [(None, (encoded(part(1)),)), (None, (cut,))])
    assert [line.error.partition(":")[0] for line in shift.judged()] == ["", "ImageError"]
    found = again(box)
    assert (found.identical, found.transitions) == (2, {("accept", "accept"): 1, ("fault", "fault"): 1})


def test_a_candidate_is_told_by_exactly_the_parts_that_it_decides_otherwise(box: Path) -> None:
    recorded(box, [(None, (raw(one),)) for one in MIXED])
    found = again(box, make_candidate(box / "candidate.loupe"))
    assert found.transitions == {
        ("accept", "accept"): 2,
        ("reject", "review"): 2,
        ("review", "review"): 1,
    }
    assert [(one.n, one.before.decision, one.after.decision) for one in found.differences] == [
        (2, "reject", "review"),
        (5, "reject", "review"),
    ]
    assert all(one.change is not None and one.change < 0 for one in found.differences)
    assert again(box, box / "plates.loupe").differences == []
    slightly = again(box, make_candidate(box / "slightly.loupe", scale=0.99))
    assert (slightly.judged, slightly.identical, slightly.differences) == (5, 3, [])
    assert 0 < slightly.largest_change < 0.01


@pytest.fixture
def two_products(box: Path) -> Path:
    """Plates as product 1, and as product 2 by another model."""
    make_candidate(box / "others.loupe", scale=0.8)
    more = """
        [station.changeover]
        source = { kind = "operator" }
        [[station.changeover.recipe]]
        code = 1
        bundle = "plates.loupe"
        [[station.changeover.recipe]]
        code = 2
        bundle = "others.loupe"
    """
    recorded(box, [(1 + number % 2, (raw(one),)) for number, one in enumerate(MIXED)], more=more)
    return box


def test_each_product_is_judged_again_by_its_own_model(two_products: Path) -> None:
    found = again(two_products)
    assert (found.judged, found.identical) == (5, 5)
    assert len(list((two_products / "shift" / BUNDLES).iterdir())) == 2


def test_a_candidate_takes_the_place_of_one_products_model(two_products: Path) -> None:
    candidate = make_candidate(two_products / "candidate.loupe")
    found = again(two_products, candidate, recipe=2)
    assert (found.judged, found.left_out) == (2, 3)
    assert [(one.n, one.recipe) for one in found.differences] == [(2, 2)]
    for recipe in (None, 3):
        with pytest.raises(SettingsError, match=f"--recipe: expected one of 1, 2, .* found {recipe}"):
            again(two_products, candidate, recipe=recipe)


def test_a_shift_can_be_moved_and_judged_where_its_bundle_is_not(box: Path) -> None:
    recorded(box, [(None, (raw(one),)) for one in MIXED])
    (box / "plates.loupe").unlink()
    (box / "elsewhere").mkdir()
    (box / "shift").rename(box / "elsewhere" / "shift")
    assert again(box / "elsewhere").identical == 5


def test_a_bundle_that_is_a_folder_is_copied_as_well(tmp_path: Path) -> None:
    make_bundle(tmp_path / "plates.loupe")
    (tmp_path / "plates.loupe").unlink()
    made = make_bundle(tmp_path / "plates")
    made.path.rename(tmp_path / "plates.loupe")
    recorded(tmp_path, [(None, (raw(part(1)),))])
    assert again(tmp_path).identical == 1


def test_a_bundle_that_is_gone_or_not_trusted_is_an_error(box: Path) -> None:
    shift = recorded(box, [(None, (raw(part(1)),))])
    with pytest.raises(BundleError, match="expected a signature"):
        replay(shift, recorded_models(shift, Settings(require_signature=True)))
    (copy,) = (box / "shift" / BUNDLES).iterdir()
    copy.unlink()
    with pytest.raises(NotFoundError, match="which judged in this shift, found none"):
        again(box)


def test_the_sheet_shows_each_changed_part_with_both_models_evidence(box: Path) -> None:
    shift = recorded(box, [(None, (raw(one, "<eye>"),)) for one in MIXED])
    candidate = Candidate(bundle=make_candidate(box / "candidate.loupe"))
    sheet = Sheet(box / "sheet", before=recorded_models(shift, read_settings()))
    seen: list[Difference] = []

    def shown(difference: Difference, *rest: object) -> None:
        seen.append(difference)
        sheet.add("infeed", difference, *rest)  # type: ignore[arg-type]  # as `replay` gives them

    replay(shift, standing_in(shift, read_settings(), candidate), shown=shown)
    page = sheet.write("changed").read_text()

    assert [one.n for one in seen] == [2, 5]
    assert page.count("<section>") == 2
    assert "infeed, part 5: reject → review" in page
    assert "<eye>" not in page
    files = {file.name for file in (box / "sheet").iterdir()}
    assert files == {"index.html"} | {
        f"infeed-{n}-{what}" for n in (2, 5) for what in ("camera-1.jpg", "before.png", "after.png")
    }
    for name in files - {"index.html"}:
        assert f'src="{name}"' in page
        assert min(decode((box / "sheet" / name).read_bytes()).image_hwc.shape[:2]) >= 64


def test_another_machine_and_other_libraries_are_told_apart() -> None:
    here = this_fingerprint()
    assert differing(here, here) == []
    other = here.model_copy(
        update={"cpu": "Z80", "machine": "z", "libraries": {**here.libraries, "opencv": "1"}}
    )
    library, cpu = differing(other, here)
    assert library.startswith("opencv 1 there, ")
    assert cpu.startswith(f"Z80 with {here.cores} cores there, ")
    assert differing(here.model_copy(update={"machine": "m"}), here) == [
        f"the instruction sets of {here.cpu} there and here"
    ]
