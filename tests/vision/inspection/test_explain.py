"""An explanation adds up to the verdict, and its counterfactual is the model's own answer."""

from pathlib import Path

import numpy as np
import pytest

from tests.bundles import (
    BLUE,
    CELL,
    FLOAT32,
    LABELS,
    RED,
    TEMPERATURE,
    frame,
    make_bundle,
    part,
    spotted,
    stranger,
)
from vision.inspection.explain import explain, picture
from vision.inspection.heatmap import overlay
from vision.inspection.inspect import Inspection, Inspector
from vision.inspection.policy import Decision
from vision.qualify import Choice


@pytest.fixture
def inspector(tmp_path: Path) -> Inspector:
    bundle = make_bundle(tmp_path / "plates")
    return Inspector(bundle, choice=Choice(file=FLOAT32, threads=1), drift_alpha=0.01)


def inspected(inspector: Inspector, image_hwc: np.ndarray) -> Inspection:
    return inspector.inspect(inspector.prepare(frame(image_hwc)))


@pytest.mark.parametrize(("colour", "defect"), [(RED, "red"), (BLUE, "blue")])
def test_the_region_and_the_rest_sum_to_the_log_odds(
    inspector: Inspector, colour: tuple[int, int, int], defect: str
) -> None:
    inspection = inspected(inspector, spotted(1, colour=colour))
    found = explain(inspector, inspection)
    logits = inspection.prediction.logits
    assert found.defect == defect
    assert found.log_odds == pytest.approx((logits[LABELS.index(defect)] - logits[0]) / TEMPERATURE)
    assert found.region is not None
    rest = float(found.evidence[~found.region.mask].sum()) / found.evidence.size
    bias = -8 / TEMPERATURE  # of the defect against good, where nothing is seen
    assert found.contribution + rest + bias == pytest.approx(found.log_odds, abs=1e-4)


def test_log_odds_are_those_of_the_verdicts_probabilities(inspector: Inspector) -> None:
    inspection = inspected(inspector, spotted(1))
    shares = inspection.verdict.probabilities
    assert shares is not None
    odds = np.log(shares["red"] / shares["good"])
    assert explain(inspector, inspection).log_odds == pytest.approx(odds, abs=1e-6)


def test_the_box_is_the_spot_in_the_original_picture(inspector: Inspector) -> None:
    found = explain(inspector, inspected(inspector, spotted(cell_xy=(3, 1))))
    side = 2 * CELL
    assert found.source_box_xyxy == (3 * side, side, 4 * side, 2 * side)


def test_with_the_spot_painted_over_the_part_is_accepted(inspector: Inspector) -> None:
    inspection = inspected(inspector, spotted())
    found = explain(inspector, inspection)
    assert inspection.verdict.decision is Decision.REJECT
    assert found.counterfactual is not None
    assert found.counterfactual.decision is Decision.ACCEPT
    assert found.sentence() == (
        "the region (32, 64, 64, 96) adds +14.34 of +9.00 log-odds for red; with it replaced by its surroundings "
        "the verdict would be accept (probability 0.010)"
    )


def test_with_one_of_two_spots_painted_over_the_part_is_still_rejected(inspector: Inspector) -> None:
    both = spotted(cell_xy=(0, 0))
    both[96:, 96:] = RED
    found = explain(inspector, inspected(inspector, both))
    assert found.counterfactual is not None
    assert found.counterfactual.decision is Decision.REJECT


@pytest.mark.parametrize("image_hwc", [part(5), stranger()], ids=["good", "novel"])
def test_where_nothing_speaks_for_a_defect_that_is_said(inspector: Inspector, image_hwc: np.ndarray) -> None:
    found = explain(inspector, inspected(inspector, image_hwc))
    assert found.region is None
    assert found.source_box_xyxy is None
    assert found.counterfactual is None
    assert found.contribution == 0
    assert found.sentence() == "nothing in the picture speaks for red"


def test_an_explanation_counts_as_no_part_for_the_drift_test(inspector: Inspector) -> None:
    inspection = inspected(inspector, spotted())
    before = inspector.drift
    explain(inspector, inspection)
    assert before is not None
    assert before.parts == 1
    assert inspector.drift == before


def test_explaining_leaves_the_inspection_as_it_was(inspector: Inspector) -> None:
    inspection = inspected(inspector, spotted())
    before = inspection.prepared.image_hwc.copy()
    painted = picture(inspection, explain(inspector, inspection))
    assert np.array_equal(inspection.prepared.image_hwc, before)
    assert painted.shape == before.shape
    assert not np.array_equal(painted, before)


def test_the_picture_is_the_evidence_with_its_region_framed(inspector: Inspector) -> None:
    inspection = inspected(inspector, spotted())
    found = explain(inspector, inspection)
    expected = overlay(inspection.prepared, found.evidence, region=found.region)
    assert np.array_equal(picture(inspection, found), expected)
