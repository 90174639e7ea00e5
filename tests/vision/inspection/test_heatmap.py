"""The evidence lies where the defect is, adds up to the logits, and paints nothing where there is none."""

from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bundles import (
    BIAS,
    BLUE,
    CELL,
    LABELS,
    PREPROCESS,
    RED,
    SIDE,
    frame,
    onnx_model,
    part,
    prepared_batch,
    spotted,
)
from vision.inspection.heatmap import REGION_LEVEL, evidence, hottest_region, overlay
from vision.inspection.prediction import Prediction, split_batch
from vision.preprocess import PreprocessSpec, prepare
from vision.session import Session

GOOD, IS_RED, IS_BLUE = range(3)
SIZE: Final = (SIDE, SIDE)
CELLS: Final = st.tuples(st.integers(0, 3), st.integers(0, 3))
SESSION: Final = Session(onnx_model(), threads=1)


def predicted(picture: Any) -> Prediction:
    return split_batch(SESSION.run(prepared_batch(picture)))[0]


@settings(deadline=None)
@given(st.integers(0, 1000), CELLS, st.sampled_from([RED, BLUE]), st.permutations(range(len(LABELS))))
def test_the_mean_of_the_evidence_is_the_difference_of_the_logits(
    seed: int, cell_xy: tuple[int, int], colour: tuple[int, int, int], classes: list[int]
) -> None:
    one, other, _ = classes
    answer = predicted(spotted(seed, cell_xy=cell_xy, colour=colour))
    mean = float(evidence(answer.cam, one, other).mean())
    difference = float(answer.logits[one] - answer.logits[other])
    assert mean + BIAS[one] - BIAS[other] == pytest.approx(difference, abs=1e-3)


@settings(deadline=None)
@given(CELLS)
def test_the_region_lies_on_the_planted_spot(cell_xy: tuple[int, int]) -> None:
    answer, (x, y) = predicted(spotted(cell_xy=cell_xy)), cell_xy
    region = hottest_region(evidence(answer.cam, IS_RED, GOOD), SIZE)
    assert region is not None
    assert region.box_xyxy == (x * CELL, y * CELL, (x + 1) * CELL, (y + 1) * CELL)
    assert np.argwhere(region.mask).tolist() == [[y, x]]
    assert region.contribution == pytest.approx(answer.logits[IS_RED] - BIAS[IS_RED], rel=1e-3)


@pytest.mark.parametrize(
    ("spec", "spot_xyxy"),
    [
        (PREPROCESS, (32, 64, 64, 96)),  # twice the network's input
        (PreprocessSpec(size_wh=SIZE, fit="crop", roi_xyxy=(0, 0, 128, 64)), (64, 16, 80, 32)),
        (PreprocessSpec(size_wh=SIZE, fit="pad", roi_xyxy=(0, 32, 128, 96)), (32, 64, 64, 96)),
        (PreprocessSpec(size_wh=SIZE, roi_xyxy=(32, 0, 160, 128)), (64, 64, 96, 96)),
        (PreprocessSpec(size_wh=SIZE, roi_xyxy=(0, 32, 64, 96)), (16, 64, 32, 80)),  # pixel by pixel
    ],
)
def test_the_box_leads_back_to_the_spot_in_the_picture(
    spec: PreprocessSpec, spot_xyxy: tuple[int, int, int, int]
) -> None:
    picture = part() if spec.roi_xyxy is None else np.tile(part(), (2, 2, 1))
    left, top, right, bottom = spot_xyxy
    picture[top:bottom, left:right] = RED
    prepared = prepare(frame(picture), spec)
    (answer,) = split_batch(SESSION.run(prepared.image_hwc[None]))
    region = hottest_region(evidence(answer.cam, IS_RED, GOOD), SIZE)
    assert region is not None
    assert prepared.to_source(region.box_xyxy) == spot_xyxy


@pytest.mark.parametrize("level", [0.0, -1.0, np.nan])
def test_where_nothing_speaks_for_a_defect_there_is_no_region(level: float) -> None:
    assert hottest_region(np.full((4, 4), level, np.float32), SIZE) is None


def test_the_region_is_what_hangs_together_with_the_peak() -> None:
    heat = np.zeros((5, 6), np.float32)
    # too little beside the peak, enough over its corner
    heat[0:2, 0:3] = np.array([[10, 4.9, 0], [4.9, 6, 5]])
    heat[4, 5] = 9  # strong but apart
    heat[3, 0] = -20
    region = hottest_region(heat, (60, 100))
    assert region is not None
    assert REGION_LEVEL == 0.5
    assert np.argwhere(region.mask).tolist() == [[0, 0], [1, 1], [1, 2]]
    assert region.box_xyxy == (0, 0, 30, 40)
    assert region.contribution == pytest.approx((10 + 6 + 5) / 30)


def test_a_map_of_one_cell_is_a_region() -> None:
    region = hottest_region(np.ones((1, 1), np.float32), SIZE)
    assert region is not None
    assert region.box_xyxy == (0, 0, SIDE, SIDE)
    assert region.contribution == 1


@pytest.mark.parametrize("level", [0.0, -3.0])
def test_a_picture_without_evidence_is_left_as_it_is(level: float) -> None:
    prepared = prepare(frame(part()), PREPROCESS)
    painted = overlay(prepared, np.full((4, 4), level, np.float32))
    assert np.array_equal(painted, prepared.image_hwc)


def test_only_the_evidence_is_coloured() -> None:
    prepared = prepare(frame(part()), PREPROCESS)
    heat = np.full((4, 4), -1, np.float32)
    heat[3, 3] = 2
    changed = (overlay(prepared, heat) != prepared.image_hwc).any(axis=2)
    assert changed[-CELL // 2 :, -CELL // 2 :].all()
    assert not changed[: 2 * CELL].any()
    assert not changed[:, : 2 * CELL].any()


def test_the_hottest_region_is_framed() -> None:
    prepared = prepare(frame(spotted()), PREPROCESS)
    heat = evidence(predicted(spotted()).cam, IS_RED, GOOD)
    region = hottest_region(heat, SIZE)
    assert region is not None
    left, top, right, bottom = region.box_xyxy
    framed, plain = overlay(prepared, heat, region=region), overlay(prepared, heat)
    edge = np.zeros(SIZE, bool)
    edge[top:bottom, left:right] = True
    edge[top + 1 : bottom - 1, left + 1 : right - 1] = False
    assert (framed[edge] == 255).all()
    assert np.array_equal(framed[~edge], plain[~edge])


def test_the_source_picture_is_never_painted_on() -> None:
    prepared = prepare(frame(spotted()), PREPROCESS)
    before = prepared.image_hwc.copy()
    heat = evidence(predicted(spotted()).cam, IS_RED, GOOD)
    overlay(prepared, heat, region=hottest_region(heat, SIZE))
    assert np.array_equal(prepared.image_hwc, before)
