"""The evaluation as one HTML file for the person who answers for quality.

Takes the figures of `training.evaluate`, what they were made from, and the policy and certificate of the file that was
judged. Writes a page that needs no network and no script: figures are SVG, pictures are inside it. The same input
gives the same bytes, so the page carries no date. It measures nothing itself.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training import plots, wording
from training.evaluate import Evaluation, Judged
from training.mistakes import exhibits, mistakes, worst
from training.wording import FEW
from vision.files import write_bytes
from vision.inspection.certificate import Certificate
from vision.inspection.policy import Decision, Policy, Reason, Verdict
from vision.preprocess import PreprocessSpec

MOST_CELLS: Final = 16  # labels of which a confusion matrix can still be read
MOST_CONFUSED: Final = 20
_IN_ORDER: Final = (Decision.ACCEPT, Decision.REVIEW, Decision.REJECT)
_TEMPLATES: Final = Path(__file__).parent / "templates"
_IN_WORDS: Final[Mapping[Reason, str]] = {
    Reason.UNCERTAIN: "the probability of defect lies between the thresholds",
    Reason.NOVEL: "the part is unlike all parts seen in training",
    Reason.IMAGE_QUALITY: "the picture cannot be trusted",
    Reason.FAULT: "nobody could judge the part",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is promised, in a word and in a sentence; `tone` is `held`, `plain` or `warning`."""

    tone: str
    heading: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How many parts of a kind were accepted, reviewed and rejected."""

    kind: str
    counts: tuple[tuple[Decision, int], ...]

    @property
    def n(self) -> int:
        return sum(number for _, number in self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A decision that was taken `n` times for one reason."""

    decision: Decision
    reason: Reason
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Confused:
    """`n` pictures of the label `truth`, of which there are `of`, called `said`."""

    truth: str
    said: str
    n: int
    of: int


def write_report(  # noqa: PLR0913  (a page has this many parts)
    path: Path,
    *,
    title: str,
    evaluation: Evaluation,
    judged: Judged,
    policy: Policy | None,
    certificate: Certificate | None,
    temperature: float,
    preprocess: PreprocessSpec,
    notice: str | None = None,
) -> None:
    """Write the page, whole or not at all.

    Args:
        judged: what `evaluation` was made from; its pictures are read again where they show a mistake.
        notice: under which terms the pictures may be shown; stands above and below them.

    Raises:
        StorageError: the disk refused.
    """
    page = _environment().get_template("report.html.j2")
    html = page.render(
        title=title,
        notice=notice,
        policy=policy,
        certificate=certificate,
        standing=standing(policy, certificate),
        contradiction=_contradiction(evaluation, certificate),
        temperature=temperature,
        preprocess=preprocess,
        plots=_plots(judged, policy),
        **_figures(evaluation, judged),
        **_wall(judged, preprocess),
    )
    # a file name that is not UTF-8 reaches us as lone surrogates, which no file can hold
    write_bytes(path, html.encode("utf-8", "backslashreplace"))


def standing(policy: Policy | None, certificate: Certificate | None) -> Standing:
    """What is promised of accepted parts, or plainly that nothing is."""
    if certificate is not None:
        line = certificate.line()
        return Standing(tone="held", heading="Certified", sentence=f"{line[0].upper()}{line[1:]}.")
    if policy is None:
        return Standing(
            tone="plain",
            heading="No certificate, and nothing is accepted",
            sentence="There is no policy yet: no part is accepted or rejected, and no escape rate is promised. "
            "All figures are of the model's own answers.",
        )
    if policy.accept_at is None:
        return Standing(
            tone="plain",
            heading="No certificate, and nothing is accepted",
            sentence="No escape rate is promised, so the policy lets no part pass on its own: each one is "
            + ("sent to review." if policy.reject_at is None else "rejected or sent to review."),
        )
    return Standing(
        tone="warning",
        heading="No certificate",
        sentence=f"Parts are accepted up to a probability of defect of {wording.probability(policy.accept_at)}, but "
        "nothing is promised of how many defective ones are among them.",
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(wording, name)
        for name in ("percent", "decimal", "probability", "interval", "count", "listed")
    }
    environment.filters["in_words"] = _in_words
    return environment


def _in_words(one: Taken | Verdict) -> str:
    """Why a decision was taken."""
    if one.reason is not Reason.CONFIDENT:
        return _IN_WORDS[one.reason]
    if one.decision is Decision.ACCEPT:
        return "the probability of defect is no higher than the accept threshold"
    return "the probability of defect reaches the reject threshold"


def _subject(one: Judged) -> str:
    """What was judged, in a sentence."""
    defects = Counter(item.label for item in one.scored.items)
    good = defects.pop(one.good, 0)
    bad = defects.total()
    kinds = [f"{number:,} “{label}”" for label, number in sorted(defects.items(), key=_largest_first)]
    of_kinds = f" ({wording.listed(kinds)})" if kinds else ""
    if len(kinds) == 1:
        of_kinds = f" (“{next(iter(defects))}”)"
    return (
        f"{wording.count(good + bad, 'picture')}: {good:,} of good parts (“{one.good}”) "
        f"and {bad:,} of defective ones{of_kinds}."
    )


def _largest_first(labelled: tuple[str, int]) -> tuple[int, str]:
    return -labelled[1], labelled[0]


def _figures(evaluation: Evaluation, judged: Judged) -> dict[str, object]:
    return {
        "evaluation": evaluation,
        "subject": _subject(judged),
        "defective": int(judged.defective.sum()),
        "groups": len(set(judged.scored.groups)),
        "outcomes": _outcomes(judged),
        "reasons": _reasons(evaluation),
        "kinds": _kinds(judged),
        "confused": _confused(evaluation),
        "few": FEW,
        "most_cells": MOST_CELLS,
        "most_confused": MOST_CONFUSED,
    }


def _wall(judged: Judged, preprocess: PreprocessSpec) -> dict[str, object]:
    found = mistakes(judged)
    missed, alarms = worst(found)
    return {
        "found": found,
        "missed": exhibits(judged, missed, preprocess),
        "alarms": exhibits(judged, alarms, preprocess),
    }


def _contradiction(evaluation: Evaluation, certificate: Certificate | None) -> str | None:
    """Said where these pictures and the certificate can hardly both be right."""
    if certificate is None or evaluation.policy is None:
        return None
    escape = evaluation.policy.escape
    if escape.low <= certificate.max_escape:
        return None
    return (
        f"{escape.count:,} of {escape.n:,} defective parts were accepted here, at least {wording.percent(escape.low)} with "
        f"95% confidence. The certificate promises at most {wording.percent(certificate.max_escape, 2)}. These "
        "pictures are not like those it was issued on, or their labels differ."
    )


def _outcomes(one: Judged) -> list[Outcome]:
    """What became of the good and of the defective parts."""
    outcomes = []
    for kind, rows in (("good parts", ~one.defective), ("defective parts", one.defective)):
        decided = Counter(
            verdict.decision
            for verdict, of_kind in zip(one.verdicts or (), rows, strict=one.verdicts is not None)
            if of_kind
        )
        if decided:
            outcomes.append(Outcome(kind=kind, counts=tuple((one, decided[one]) for one in _IN_ORDER)))
    return outcomes


def _reasons(evaluation: Evaluation) -> list[Taken]:
    """Each decision with each of its reasons, as often as it was taken."""
    if evaluation.policy is None:
        return []
    taken = []
    for key, number in evaluation.policy.reasons.items():
        decision, reason = key.split(" ", 1)
        taken.append(Taken(decision=Decision(decision), reason=Reason(reason), n=number))
    return sorted(taken, key=lambda one: (_IN_ORDER.index(one.decision), -one.n, one.reason))


def _plots(one: Judged, policy: Policy | None) -> dict[str, str | None]:
    return {
        "histogram": plots.histogram(one, policy),
        "roc": plots.roc(one, policy),
        "precision_recall": plots.precision_recall(one),
        "reliability": plots.reliability(one),
        "cost": plots.expected_cost(one, policy),
    }


def _kinds(one: Judged) -> str:
    """Good against defective, and among the defective the right label against another defect's."""
    predicted, good = one.probabilities.argmax(1), one.labels.index(one.good)
    bad = one.defective
    missed, right = int((bad & (predicted == good)).sum()), int((bad & (predicted == one.truth)).sum())
    alarms = int((~bad & (predicted != good)).sum())
    said = []
    if not bad.all():
        said.append(
            f"Of {wording.count(int((~bad).sum()), 'good picture')}, {alarms:,} got the label of a defect."
        )
    if bad.any():
        said.append(
            f"Of {wording.count(int(bad.sum()), 'defective one')}, {right:,} got the right label, "
            f"{int(bad.sum()) - right - missed:,} that of another defect, and {missed:,} were called good."
        )
    return " ".join(said)


def _confused(evaluation: Evaluation) -> list[Confused]:
    """Every label that was taken for another, the commonest first."""
    confused = [
        Confused(truth=truth, said=said, n=number, of=sum(counts))
        for truth, counts in zip(evaluation.labels, evaluation.confusion, strict=True)
        for said, number in zip(evaluation.labels, counts, strict=True)
        if number and said != truth
    ]
    return sorted(confused, key=lambda one: (-one.n, one.of))
