"""A part's pictures through a real bundle: one verdict, whichever way they are looked at."""

import numpy as np
import pytest

from edge.judging import BundleJudges, Looking, judge_with
from edge.ports import Shot
from edge.tiles import Tiles
from tests.bundles import frame, make_bundle, part, spotted, stranger
from vision.errors import ImageError, NotFoundError
from vision.image import Pixels, decode, encode_png
from vision.inspection.inspect import Inspector, open_inspector
from vision.inspection.policy import Decision, Reason


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    path = tmp_path_factory.mktemp("bundle") / "plates.loupe"
    make_bundle(path)
    return open_inspector(path)


def encoded(picture: Pixels) -> Shot:
    return Shot(image=encode_png(picture))


def raw(picture: Pixels) -> Shot:
    return Shot(image=frame(picture))


def test_encoded_and_raw_pictures_get_the_same_verdict(inspector: Inspector) -> None:
    judge = judge_with(inspector)
    assert judge((encoded(spotted(1)),)).verdict == judge((raw(spotted(1)),)).verdict


def test_one_camera_that_sees_a_defect_rejects_the_part(inspector: Inspector) -> None:
    judge = judge_with(inspector)
    assert judge((raw(part(1)), raw(part(2)))).verdict.decision == Decision.ACCEPT
    seen = judge((raw(part(1)), raw(spotted(2)), raw(part(3))))
    assert seen.verdict.decision == Decision.REJECT
    assert seen.verdict.label == "red"


def test_one_camera_that_sees_something_unknown_asks_a_person(inspector: Inspector) -> None:
    seen = judge_with(inspector)((raw(part(1)), raw(stranger())))
    assert (seen.verdict.decision, seen.verdict.reason) == (Decision.REVIEW, Reason.NOVEL)


def test_by_majority_two_of_three_accept(inspector: Inspector) -> None:
    judge = judge_with(inspector, Looking(merge="majority"))
    seen = judge((raw(part(1)), raw(part(2)), raw(spotted(3))))
    assert seen.verdict.decision == Decision.ACCEPT
    assert not seen.verdict.certified


def large(spot_px: int) -> Pixels:
    """Eight plates side by side, with a spot of so many pixels on the sixth."""
    picture = np.concatenate([part(1)] * 8, axis=1)
    picture[40 : 40 + spot_px, 700 : 700 + spot_px] = (230, 20, 20)
    return picture


def test_a_defect_too_small_for_the_whole_picture_is_seen_on_its_tile(inspector: Inspector) -> None:
    shots = (raw(large(spot_px=30)),)

    whole = judge_with(inspector)(shots)
    tiled = judge_with(inspector, Looking(tiles=Tiles(columns=8, rows=1, overlap=0.0)))(shots)

    assert whole.verdict.decision != Decision.REJECT
    assert tiled.verdict.decision == Decision.REJECT
    assert tiled.timings["model"] > whole.timings["model"]


def test_the_overlay_shows_the_decisive_picture(inspector: Inspector) -> None:
    judged = judge_with(inspector)((raw(part(1)), raw(spotted(2))))
    assert judged.overlay is not None
    shown = decode(judged.overlay()).image_hwc.astype(int)
    reddish = shown[..., 0] - shown[..., 1] > 60
    assert reddish[32:48, 16:32].mean() > 0.6, "the spot fills the cell (1, 2) of 16 px"
    assert reddish[:16].mean() < 0.1


def test_a_spoilt_picture_among_good_ones_is_an_error(inspector: Inspector) -> None:
    with pytest.raises(ImageError):
        judge_with(inspector)((encoded(part(1)), Shot(image=b"no picture")))


def test_each_recipe_has_its_judge_and_no_other_code_has_one(inspector: Inspector) -> None:
    one, two = judge_with(inspector), judge_with(inspector)
    judges = BundleJudges({1: one, 2: two})
    assert judges.choose(1) is one
    assert judges.choose(2) is two
    for code in (3, None):
        with pytest.raises(NotFoundError, match=f"recipe: expected one of 1, 2, found {code}"):
            judges.choose(code)
