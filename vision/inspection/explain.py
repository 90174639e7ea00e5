"""Why this verdict: where the evidence lies, what it weighs, and what would be said without it.

The counterfactual is the real model's answer to the same picture with the hottest region painted over from its
surroundings: not a guess about the model but a second question to it.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from vision.image import Pixels
from vision.inspection.heatmap import Map, Region, evidence, hottest_region, overlay
from vision.inspection.inspect import Inspection, Inspector
from vision.inspection.policy import Verdict
from vision.inspection.prediction import worst_defect
from vision.inspection.wording import evidence_sentence
from vision.preprocess import Prepared

_INPAINT_RADIUS_PX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The evidence for a defect in one picture.

    Attributes:
        defect: the defect class the evidence is for.
        evidence: float32 (h, w), its class activation map minus the good class's, over the temperature.
        region: the hottest region; absent where nothing speaks for a defect.
        source_box_xyxy: the region in pixels of the original picture.
        log_odds: what the whole picture says for that defect against good, calibrated.
        contribution: the region's part of `log_odds`; negative evidence elsewhere can make it larger than the whole.
        counterfactual: the verdict with the region replaced by its surroundings; absent where that was not asked.
    """

    defect: str
    evidence: Map
    region: Region | None
    source_box_xyxy: tuple[int, int, int, int] | None
    log_odds: float
    contribution: float
    counterfactual: Verdict | None

    def sentence(self) -> str:
        """The explanation in words."""
        return evidence_sentence(
            self.defect,
            self.source_box_xyxy,
            contribution=self.contribution,
            log_odds=self.log_odds,
            counterfactual=self.counterfactual,
        )


def explain(inspector: Inspector, inspection: Inspection, *, counterfactual: bool = True) -> Explanation:
    """Explain an inspection.

    Args:
        counterfactual: ask the model once more where there is a region to take away; else only what is known already.
    """
    prediction, prepared = inspection.prediction, inspection.prepared
    temperature = inspector.decision.temperature
    defect = worst_defect(prediction.logits, inspector.labels, inspector.spec.good)
    weighed = evidence(prediction.cam, defect, inspector.good) / np.float32(temperature)
    region = hottest_region(weighed, inspector.bundle.manifest.preprocess.size_wh)
    without_it = None
    if region is not None and counterfactual:
        without = _without(prepared, region)
        without_it = inspector.judge(inspector.predict([without])[0], None, watch=False)
    difference = float(prediction.logits[defect] - prediction.logits[inspector.good])
    return Explanation(
        defect=inspector.labels[defect],
        evidence=weighed,
        region=region,
        source_box_xyxy=prepared.to_source(region.box_xyxy) if region else None,
        log_odds=difference / temperature,
        contribution=region.contribution if region else 0.0,
        counterfactual=without_it,
    )


def picture(inspection: Inspection, explanation: Explanation) -> Pixels:
    """The prepared picture with the evidence over it and the hottest region framed: uint8 RGB."""
    return overlay(inspection.prepared, explanation.evidence, region=explanation.region)


def _without(prepared: Prepared, region: Region) -> Prepared:
    """The picture with the region filled in from around it (Telea 2004, Journal of Graphics Tools 9)."""
    height, width = prepared.image_hwc.shape[:2]
    mask = cv2.resize(region.mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    filled = cv2.inpaint(prepared.image_hwc, mask, _INPAINT_RADIUS_PX, cv2.INPAINT_TELEA)
    return Prepared(
        image_hwc=np.asarray(filled, np.uint8),
        scale_xy=prepared.scale_xy,
        offset_xy=prepared.offset_xy,
        source_wh=prepared.source_wh,
    )
