"""Figures on tables small enough to count by hand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.evaluate import MAX_SLICES, Judged, evaluate, judged
from training.manifest import Item
from training.score import Scored
from training.statistics import rate
from vision.errors import ManifestError
from vision.inspection.policy import Decision, Reason, Verdict
from vision.inspection.prediction import Prediction
from vision.inspection.quality import Quality

LABELS = ("defective", "good")
# truth and probability of defect; at one half the third defective part is called good, all else is right
ROWS = [
    ("defective", 0.9),
    ("defective", 0.8),
    ("defective", 0.3),
    ("good", 0.4),
    ("good", 0.2),
    ("good", 0.1),
]


def given(
    truth: Sequence[str],
    probabilities: Sequence[Sequence[float]],
    *,
    labels: tuple[str, ...] = LABELS,
    groups: Sequence[str] | None = None,
    columns: Sequence[Mapping[str, str]] | None = None,
    verdicts: Sequence[Verdict] | None = None,
    temperature: float = 1.0,
) -> Judged:
    """Parts with what a model says of each label."""
    items = tuple(
        Item(
            path=Path(f"{index}.png"),
            label=label,
            split="test",
            group=groups[index] if groups else str(index),
            columns=columns[index] if columns else {},
        )
        for index, label in enumerate(truth)
    )
    nothing = np.zeros(1, np.float32)
    scored = Scored(
        items=items,
        predictions=tuple(
            Prediction(logits=np.log(np.array(row, np.float32)), embedding=nothing, cam=nothing)
            for row in probabilities
        ),
        qualities=(Quality(sharpness=1, brightness=1, contrast=1, clipped=0),) * len(items),
        digests=("",) * len(items),
    )
    return judged(
        scored, labels, "good", temperature=temperature, verdicts=tuple(verdicts) if verdicts else None
    )


def table(rows: Sequence[tuple[str, float]], *, columns: Sequence[Mapping[str, str]] | None = None) -> Judged:
    """Parts of two labels with their probability of defect."""
    return given([label for label, _ in rows], [(p, 1 - p) for _, p in rows], columns=columns)


def test_six_parts_give_the_figures_counted_by_hand() -> None:
    found = evaluate(table(ROWS))
    assert (found.n, found.labels, found.good) == (6, LABELS, "good")
    assert (found.accuracy.count, found.accuracy.n) == (5, 6)
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 3 / 3) / 2)
    assert found.auroc == pytest.approx(8 / 9)  # of nine pairs, 0.3 against 0.4 is the wrong way round
    assert found.average_precision == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert found.confusion == ((2, 1), (0, 3))
    # each part alone: confident 0.9, 0.8, 0.6, 0.8, 0.9 and right, confident 0.7 and wrong
    assert found.ece == pytest.approx((0.1 + 0.2 + 0.4 + 0.2 + 0.1 + 0.7) / 6, abs=1e-6)


def test_recall_and_precision_of_a_label_come_with_exact_intervals() -> None:
    figures = evaluate(table(ROWS)).per_class
    assert figures["defective"].recall == rate(2, 3)
    assert figures["defective"].precision == rate(2, 2)
    assert figures["good"].recall == rate(3, 3)
    assert figures["good"].precision == rate(3, 4)
    # Clopper & Pearson for two of three, as in any table
    assert figures["defective"].recall.low == pytest.approx(0.0943, abs=1e-4)
    assert figures["defective"].recall.high == pytest.approx(0.9916, abs=1e-4)


def test_with_several_defects_good_stands_against_all_others() -> None:
    labels = ("crack", "dent", "good")
    found = evaluate(
        given(
            ["crack", "dent", "good", "good"],
            [(0.1, 0.7, 0.2), (0.3, 0.3, 0.4), (0.2, 0.3, 0.5), (0.05, 0.05, 0.9)],
            labels=labels,
        )
    )
    assert found.auroc == 1.0  # probability of defect 0.8 and 0.6 against 0.5 and 0.1, whichever defect it is
    assert found.confusion == (
        (0, 1, 0),
        (0, 0, 1),
        (0, 0, 2),
    )  # and yet neither defect was called by its name
    assert found.balanced_accuracy == pytest.approx(1 / 3)
    assert found.per_class["crack"].precision == rate(0, 0)


def test_a_temperature_changes_how_sure_the_model_is_and_no_answer() -> None:
    cold, warm = (
        evaluate(given([one for one, _ in ROWS], [(p, 1 - p) for _, p in ROWS], temperature=temperature))
        for temperature in (1.0, 100.0)
    )
    assert (warm.accuracy, warm.auroc, warm.confusion) == (cold.accuracy, cold.auroc, cold.confusion)
    assert warm.ece == pytest.approx(
        5 / 6 - 0.5, abs=0.01
    )  # half sure of everything, right five times of six


# --- verdicts


def verdict(decision: Decision, reason: Reason = Reason.CONFIDENT) -> Verdict:
    return Verdict(decision=decision, reason=reason, detail="")


ACCEPT, REJECT, REVIEW = (verdict(one) for one in (Decision.ACCEPT, Decision.REJECT, Decision.REVIEW))
NOVEL = verdict(Decision.REVIEW, Reason.NOVEL)


def test_escapes_false_rejects_and_reviews_are_counted_from_the_verdicts() -> None:
    truth = ["defective"] * 5 + ["good"] * 4
    verdicts = [ACCEPT, REJECT, REJECT, REVIEW, NOVEL, ACCEPT, ACCEPT, REJECT, NOVEL]
    policy = evaluate(given(truth, [(0.5, 0.5)] * 9, verdicts=verdicts)).policy
    assert policy is not None
    assert policy.escape == rate(1, 5)
    assert policy.false_reject == rate(1, 4)
    assert policy.review == rate(3, 9)
    assert policy.reasons == {
        "accept confident": 3,
        "reject confident": 3,
        "review confident": 1,
        "review novel": 2,
    }


def test_without_verdicts_there_are_no_figures_of_a_policy() -> None:
    found = evaluate(
        table(ROWS, columns=[{"camera": "left" if index % 2 else "right"} for index in range(6)])
    )
    assert found.policy is None
    assert found.slices["camera"]["left"].escape is None


# --- slices


def test_each_value_of_a_column_gets_figures_of_its_own() -> None:
    cameras = ["left", "right", "left", "left", "right", "right"]
    one = given(
        [label for label, _ in ROWS],
        [(p, 1 - p) for _, p in ROWS],
        columns=[{"camera": camera} for camera in cameras],
        verdicts=[REJECT, REJECT, ACCEPT, REVIEW, ACCEPT, ACCEPT],
    )
    left, right = (evaluate(one).slices["camera"][side] for side in ("left", "right"))
    assert (left.n, left.defective, left.accuracy, left.auroc, left.escape) == (
        3,
        2,
        rate(2, 3),
        0.5,
        rate(1, 2),
    )
    assert (right.n, right.defective, right.accuracy, right.auroc, right.escape) == (
        3,
        1,
        rate(3, 3),
        1.0,
        rate(0, 1),
    )


def test_a_slice_of_one_kind_has_no_auroc() -> None:
    lines = ["east", "east", "east", "west", "west", "west"]  # all defective parts on one line
    slices = evaluate(table(ROWS, columns=[{"line": line} for line in lines])).slices["line"]
    assert (slices["east"].auroc, slices["west"].auroc) == (None, None)
    assert slices["east"].accuracy == rate(2, 3)


def test_columns_that_name_pictures_or_say_nothing_are_not_sliced() -> None:
    count = MAX_SLICES + 1
    columns = [
        {
            "serial": str(index),  # one value too many
            "shift": str(index % MAX_SLICES),
            "plant": "one",
            "label": "defective" if index % 2 else "good",
            "split": str(index % 2),
            "group": str(index % 3),
            "path": str(index % 4),
        }
        for index in range(count)
    ]
    rows = [(each["label"], 0.5) for each in columns]
    assert set(evaluate(table(rows, columns=columns)).slices) == {"shift"}


def test_a_column_that_was_asked_for_is_sliced_however_many_values_it_has() -> None:
    columns = [{"serial": str(index), "line": "east" if index % 2 else "west"} for index in range(6)]
    found = evaluate(table(ROWS, columns=columns), slice_by=["serial"])
    assert set(found.slices) == {"serial"}
    assert len(found.slices["serial"]) == 6


def test_a_column_that_is_not_there_is_an_error() -> None:
    columns = [{"line": "east"}] * 6
    with pytest.raises(
        ManifestError, match=r"expected a column of the manifest, found 'lime' \(columns: line\)"
    ):
        evaluate(table(ROWS, columns=columns), slice_by=["lime"])


# --- one kind only


@pytest.mark.parametrize("kind", LABELS)
def test_parts_of_one_kind_have_an_accuracy_and_no_ranking(kind: str) -> None:
    found = evaluate(table([(kind, 0.9), (kind, 0.2), (kind, 0.1)]))
    assert found.accuracy == rate(1 if kind == "defective" else 2, 3)
    assert found.balanced_accuracy == pytest.approx(found.accuracy.value)
    assert (found.auroc, found.auroc_interval) == (None, None)
    other = next(label for label in LABELS if label != kind)
    assert found.per_class[other].recall == rate(0, 0)


def test_good_parts_alone_have_no_average_precision() -> None:
    assert evaluate(table([("good", 0.9), ("good", 0.2)])).average_precision is None


# --- intervals and JSON


def test_the_interval_of_the_auroc_is_over_whole_groups() -> None:
    """Ten copies of a picture in one group say no more than one; as parts of their own they would."""
    copies = 10
    truth = [label for label, _ in ROWS for _ in range(copies)]
    probabilities = [(p, 1 - p) for _, p in ROWS for _ in range(copies)]
    groups = [str(index // copies) for index in range(len(truth))]
    alone, tied, free = (
        evaluate(one).auroc_interval
        for one in (table(ROWS), given(truth, probabilities, groups=groups), given(truth, probabilities))
    )
    assert tied == alone
    assert free is not None
    assert tied is not None
    assert free[1] - free[0] < tied[1] - tied[0]


def test_an_evaluation_is_plain_json() -> None:
    one = given(
        [label for label, _ in ROWS],
        [(p, 1 - p) for _, p in ROWS],
        columns=[{"line": "east" if index % 2 else "west"} for index in range(6)],
        verdicts=[ACCEPT] * 6,
    )
    found = evaluate(one).to_json()
    assert json.loads(json.dumps(found, allow_nan=False))["per_class"]["good"]["recall"]["value"] == 1
    assert set(found["slices"]["line"]) == {"east", "west"}


def test_judged_parts_say_what_is_true_of_each() -> None:
    one = table(ROWS)
    assert one.truth.tolist() == [0, 0, 0, 1, 1, 1]
    assert one.defective.tolist() == [True] * 3 + [False] * 3
    assert one.defect_probability == pytest.approx([p for _, p in ROWS], abs=1e-6)
    swapped = replace(one, good="defective")
    assert swapped.defective.tolist() == [False] * 3 + [True] * 3
