"""The report's figures, each as one piece of SVG to be set into its page.

Takes what was judged and the policy, gives a string, or nothing where there is nothing to draw. No text of the data
is drawn: labels and file names may hold anything, and stay in the page's own text.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter
from sklearn.metrics import precision_recall_curve, roc_curve

from training.certify import GRID
from training.evaluate import Judged
from training.statistics import rate
from training.svg import BAD, GOOD, INK, MUTED, PAPER, drawn
from training.wording import FEW, percent, probability
from vision.inspection.policy import Costs, Policy, Rates

Floats = npt.NDArray[np.float64]

_HALF_WH: Final = (5.4, 4.1)  # inches at 72 a inch: two stand side by side on the page
_WHOLE_WH: Final = (11.2, 4.2)
_DASHED: Final[Mapping[str, Any]] = {"linewidth": 0.8, "linestyle": (0, (4, 4))}
_SMALLEST: Final = 1e-6  # probabilities nearer than this to 0 or 1 are drawn here
_LEAST_SPAN: Final = 5.0  # log-odds, in which there are at least two ticks
_TICKS: Final = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)
_HISTOGRAM_BINS: Final = 60
_CALIBRATION_BINS: Final = 15  # as many as the expected calibration error is summed over


def histogram(one: Judged, policy: Policy | None) -> str:
    """Probability of defect of good and of defective parts, one above the other, under both thresholds."""
    values = _logit(one.defect_probability)
    thresholds = _thresholds(policy)
    low, high = _span(values, thresholds)
    edges = _edges(low, high, thresholds)
    kinds = [
        (name, values[mask], colour)
        for name, mask, colour in (
            ("good parts", ~one.defective, GOOD),
            ("defective parts", one.defective, BAD),
        )
        if mask.any()
    ]

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, of_kind, colour) in zip(panels, kinds, strict=True):
            axes.stairs(np.histogram(of_kind, edges)[0], edges, fill=True, color=colour, alpha=0.85)
            axes.set_ylabel(name, color=INK)
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.grid(visible=False, axis="x")
            _draw_zones(axes, policy, low, high)
        _name_thresholds(panels[0], policy)
        _probability_axis(panels[-1], low, high, most=13)
        panels[-1].set_xlabel("probability of defect (0 to 1, stretched towards both ends)")

    return drawn("histogram", _WHOLE_WH, draw, "Histogram of the probability of defect")


def _edges(low: float, high: float, thresholds: list[float]) -> Floats:
    """Some sixty bins in log-odds, none of which lies on both sides of a threshold."""
    width = (high - low) / _HISTOGRAM_BINS
    at = _logit(np.array(thresholds))
    apart = float(np.ptp(at)) if len(at) else 0.0
    if apart > width:
        width = apart / round(apart / width)
    start = float(at[0]) if len(at) else low
    return start + width * np.arange(np.floor((low - start) / width), np.ceil((high - start) / width) + 1)


def _draw_zones(axes: Axes, policy: Policy | None, low: float, high: float) -> None:
    """What is accepted and what is rejected, shaded, with the thresholds as lines."""
    if policy is None:
        return
    for threshold, colour, end in ((policy.accept_at, GOOD, low), (policy.reject_at, BAD, high)):
        if threshold is not None:
            at = _at(threshold)
            axes.axvspan(min(at, end), max(at, end), color=colour, alpha=0.1, linewidth=0, zorder=0)
            axes.axvline(at, color=INK, linewidth=1.1)


def _name_thresholds(axes: Axes, policy: Policy | None) -> None:
    """Above the lines, each to its own side."""
    if policy is None:
        return
    named = (
        (policy.accept_at, "accepted up to", "right", -3),
        (policy.reject_at, "rejected from", "left", 3),
    )
    for threshold, words, side, offset in named:
        if threshold is not None:
            axes.annotate(
                f"{words} {probability(threshold)}",
                (_at(threshold), 1),
                xycoords=axes.get_xaxis_transform(),
                xytext=(offset, 4),
                textcoords="offset points",
                ha=side,
            )


def roc(one: Judged, policy: Policy | None) -> str | None:
    """Defective parts flagged against good parts flagged, with the policy's operating points; needs both kinds."""
    if one.defective.all() or not one.defective.any():
        return None
    flagged_good, flagged_bad, _ = roc_curve(one.defective, one.defect_probability)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=MUTED, **_DASHED)
        axes.plot(flagged_good, flagged_bad, color=INK, clip_on=False)
        for threshold, name, colour, marker in _operating_points(policy):
            x, y = _flagged(one, threshold, inclusive=name == "rejected")
            text = f"{name}: {percent(y)} of defective, {percent(x)} of good"
            axes.plot(x, y, marker, color=colour, markersize=8, clip_on=False, label=text, zorder=3)
        _percent_axes(axes)
        axes.set_xlabel("good parts flagged (%)")
        axes.set_ylabel("defective parts flagged (%)")
        if policy is not None and _thresholds(policy):
            axes.legend(loc="lower right")

    return drawn("roc", _HALF_WH, draw, "ROC curve")


def _operating_points(policy: Policy | None) -> list[tuple[float, str, str, str]]:
    """Threshold, name, colour and marker."""
    points = []
    if policy is not None and policy.accept_at is not None:
        points.append((policy.accept_at, "not accepted", GOOD, "o"))
    if policy is not None and policy.reject_at is not None:
        points.append((policy.reject_at, "rejected", BAD, "D"))
    return points


def _flagged(one: Judged, threshold: float, *, inclusive: bool) -> tuple[float, float]:
    """Shares of the good and of the defective parts above a threshold."""
    values = one.defect_probability
    above = values >= threshold if inclusive else values > threshold
    return float(above[~one.defective].mean()), float(above[one.defective].mean())


def precision_recall(one: Judged) -> str | None:
    """How many of the flagged parts are defective, against how many of the defective are flagged; needs both kinds."""
    if one.defective.all() or not one.defective.any():
        return None
    precision, recall, _ = precision_recall_curve(one.defective, one.defect_probability)
    share = float(one.defective.mean())

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.axhline(share, color=MUTED, **_DASHED)
        axes.text(0.01, share + 0.015, f"flagging at random: {percent(share)}", color=MUTED, va="bottom")
        axes.step(recall, precision, where="post", color=INK, clip_on=False)
        _percent_axes(axes)
        axes.set_xlabel("defective parts flagged (%)")
        axes.set_ylabel("flagged parts that are defective (%)")

    return drawn("precision-recall", _HALF_WH, draw, "Precision and recall")


def reliability(one: Judged) -> str:
    """How often answers were right against how sure the model was, with exact 95 % intervals, above their counts."""
    confidence = one.probabilities.max(1)
    correct = one.probabilities.argmax(1) == one.truth
    cell = np.minimum((confidence * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    cells = np.unique(cell)
    shares = [rate(int(correct[cell == index].sum()), int((cell == index).sum())) for index in cells]
    means = [float(confidence[cell == index].mean()) for index in cells]
    values = np.array([share.count / share.n for share in shares])
    around = np.array([[share.low for share in shares], [share.high for share in shares]]) - values
    first = float(cells[0]) / _CALIBRATION_BINS

    def draw(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], color=MUTED, **_DASHED)
        upper.errorbar(means, values, yerr=np.abs(around), fmt="none", color=INK, elinewidth=0.9)
        faces = [PAPER if share.n < FEW else INK for share in shares]
        upper.scatter(means, values, s=24, c=faces, edgecolors=INK, linewidths=1.2, zorder=3)
        upper.set_ylabel("answers that were right (%)")
        upper.set_ylim(-0.03, 1.03)
        upper.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
        lefts = cells / _CALIBRATION_BINS
        width = 1 / _CALIBRATION_BINS
        lower.bar(lefts + width / 2, [share.n for share in shares], 0.9 * width, color=MUTED, alpha=0.6)
        lower.set_ylabel("pictures")
        lower.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        lower.grid(visible=False, axis="x")
        lower.set_xlim(first - 0.02, 1.02)
        lower.set_xlabel("probability the model gave its answer (0 to 1)")

    return drawn("reliability", _HALF_WH, draw, "Reliability diagram")


def expected_cost(one: Judged, policy: Policy | None) -> str | None:
    """Cost of a part over the accept threshold, the reject threshold kept; needs a policy and both kinds."""
    if policy is None or one.defective.all() or not one.defective.any():
        return None
    most = 1.0 if policy.reject_at is None else policy.reject_at
    thresholds = GRID[most > GRID]
    costs = [cost_of(one, policy.costs, float(at), policy.reject_at) for at in thresholds]
    nothing = cost_of(one, policy.costs, None, policy.reject_at)
    chosen = policy.accept_at
    low, high = _span(_logit(one.defect_probability), _thresholds(policy))
    high = min(high, _at(most) + 0.5)
    low = min(low, high - _LEAST_SPAN)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.axhline(nothing, color=MUTED, label=f"accept nothing: {nothing:.3g}", **_DASHED)
        axes.plot(_logit(thresholds), costs, color=INK)
        if chosen is not None:
            at, cost = _at(chosen), cost_of(one, policy.costs, chosen, policy.reject_at)
            axes.plot(
                at, cost, "o", color=GOOD, markersize=8, label=f"chosen, {probability(chosen)}: {cost:.3g}"
            )
        figure.legend(loc="outside upper left", ncols=2)
        _probability_axis(axes, low, high, most=9)
        axes.set_ylim(0, 1.05 * max([nothing, *costs]) or 1)
        axes.set_xlabel("accept threshold (probability of defect)")
        axes.set_ylabel("expected cost (a part)")

    return drawn("expected-cost", _HALF_WH, draw, "Expected cost over the accept threshold")


def cost_of(one: Judged, costs: Costs, accept_at: float | None, reject_at: float | None) -> float:
    """Expected cost of a part by the probabilities of these parts alone; needs both kinds."""
    accepted_good, accepted_bad = (
        (0.0, 0.0)
        if accept_at is None
        else (1 - above for above in _flagged(one, accept_at, inclusive=False))
    )
    rejected_good, rejected_bad = (
        (0.0, 0.0) if reject_at is None else _flagged(one, reject_at, inclusive=True)
    )
    return costs.expected(
        Rates(
            escape=accepted_bad,
            review_of_defective=1 - accepted_bad - rejected_bad,
            false_reject=rejected_good,
            review_of_good=1 - accepted_good - rejected_good,
        )
    )


def _thresholds(policy: Policy | None) -> list[float]:
    given = (policy.accept_at, policy.reject_at) if policy is not None else ()
    return [threshold for threshold in given if threshold is not None]


def _logit(values: npt.NDArray[np.floating]) -> Floats:
    """Log-odds, which spread probabilities near 0 and 1 out."""
    clipped = np.clip(np.asarray(values, np.float64), _SMALLEST, 1 - _SMALLEST)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _at(value: float) -> float:
    """Where one probability lies on an axis of log-odds."""
    return float(_logit(np.array(value)))


def _span(values: Floats, thresholds: list[float]) -> tuple[float, float]:
    """From where to where to draw, in log-odds: all values, and thresholds with room for their names."""
    at = _logit(np.array(thresholds))
    everything = np.concatenate([values, at, [-2.0, 2.0]])
    width = float(np.ptp(everything))
    low, high = float(everything.min()) - 0.05 * width, float(everything.max()) + 0.05 * width
    return min([low, *(at - 0.18 * width)]), max([high, *(at + 0.18 * width)])


def _probability_axis(axes: Axes, low: float, high: float, *, most: int) -> None:
    """Probabilities under an axis of log-odds: at most `most` of them, a half among them where it is there."""
    shown = [tick for tick in _TICKS if low <= _at(tick) <= high]
    step = -(-len(shown) // most)
    middle = shown.index(0.5) if 0.5 in shown else 0
    shown = [tick for position, tick in enumerate(shown) if (position - middle) % step == 0]
    axes.xaxis.set_major_locator(FixedLocator([_at(tick) for tick in shown]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:.6f}".rstrip("0") for tick in shown])
    axes.set_xlim(low, high)


def _percent_axes(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
