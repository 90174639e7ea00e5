"""An explanation in words, the same where a part is judged and where a server's answer is read.

Plain values in, a sentence out; it knows no maps, models or messages.
"""

from vision.inspection.policy import Verdict


def evidence_sentence(
    defect: str,
    box_xyxy: tuple[int, int, int, int] | None,
    *,
    contribution: float,
    log_odds: float,
    counterfactual: Verdict | None,
) -> str:
    """Where the evidence lies, what it weighs, and what would be said without it."""
    if box_xyxy is None or counterfactual is None:
        return f"nothing in the picture speaks for {defect}"
    return (
        f"the region {box_xyxy} adds {contribution:+.2f} of {log_odds:+.2f} log-odds for "
        f"{defect}; with it replaced by its surroundings the verdict would be "
        f"{counterfactual.decision.value} (probability {counterfactual.probability or 0.0:.3f})"
    )
