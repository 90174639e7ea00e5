from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.looks import Look
from training.unusual import FEW, USUAL, unusual_classes, unusual_pictures

ORDINARY: dict[str, Any] = {"luma": 120.0, "clipped": 0.01, "sharpness": 8.0, "size_wh": (640, 480)}


def look(name: str, **differing: Any) -> Look:
    grey = np.zeros((64, 64), np.uint8)
    values = {**ORDINARY, **differing}
    return Look(path=Path(f"{name}.png"), sha256=name, pixels=name, grey=grey, **values)


def ordinary(count: int = 40) -> list[Look]:
    """Looks that vary a little, as a good camera's do."""
    return [look(f"usual{n}", luma=118.0 + n % 5, sharpness=7.8 + 0.1 * (n % 5)) for n in range(count)]


@pytest.mark.parametrize(
    ("kind", "differing", "expected"),
    [
        ("dark", {"luma": 20.0}, "at least 95 (usual here: 120), found 20"),
        ("washed-out", {"clipped": 0.6}, "at most 21% (usual here: 1%), found 60%"),
        ("blurred", {"sharpness": 3.0}, "at least 64.0 (usual here: 256.0), found 8.0"),
        (
            "odd-size",
            {"size_wh": (480, 640)},
            "near the usual 640x480, found 480x640",
        ),  # upright among lying ones
        (
            "odd-size",
            {"size_wh": (160, 120)},
            "near the usual 640x480, found 160x120",
        ),  # same shape, far smaller
    ],
)
def test_a_picture_unlike_its_set_is_named_with_what_was_expected(
    kind: str, differing: dict[str, Any], expected: str
) -> None:
    (found,) = unusual_pictures([*ordinary(), look("odd", **differing)])
    assert (found.kind, found.severity, found.paths, found.leak) == (kind, "warning", ("odd.png",), False)
    assert found.message.startswith("odd.png: expected ")
    assert expected in found.message


@pytest.mark.parametrize(
    "differing",
    [
        {"luma": 100.0},  # far in spreads of a steady light, and yet hardly visible
        {"luma": 250.0},  # bright is not dark
        {"clipped": 0.15},
        {"sharpness": 6.5},
        {"sharpness": 14.0},  # nobody minds a sharp picture
        {"size_wh": (700, 480)},
        {"size_wh": (1200, 900)},
    ],
)
def test_a_picture_somewhat_unlike_its_set_is_left_alone(differing: dict[str, Any]) -> None:
    assert unusual_pictures([*ordinary(), look("odd", **differing)]) == []


def test_a_set_with_two_usual_shapes_has_no_odd_one() -> None:
    upright = [look(f"upright{n}", size_wh=(480, 640)) for n in range(10)]
    assert unusual_pictures([*ordinary(), *upright]) == []


def test_a_set_whose_light_varies_widely_has_no_dark_picture() -> None:
    varied = [look(f"usual{n}", luma=60.0 + 4 * n) for n in range(40)]
    assert unusual_pictures([*varied, look("odd", luma=20.0)]) == []


def test_among_a_handful_nothing_is_unusual() -> None:
    assert unusual_pictures([*ordinary(USUAL - 2), look("odd", luma=0.0)]) == []
    assert len(unusual_pictures([*ordinary(USUAL - 1), look("odd", luma=0.0)])) == 1


def test_many_dark_pictures_make_one_short_message_and_a_whole_list_the_darkest_first() -> None:
    dark = [look(f"dark{n}", luma=20.0 - n) for n in range(7)]
    (found,) = unusual_pictures([*ordinary(), *dark])
    assert found.paths == tuple(f"dark{n}.png" for n in reversed(range(7)))
    assert found.message.startswith("dark6.png: ")
    assert found.message.endswith("found 14 (and 6 more)")


def kinds_and_severities(
    labels: dict[str, int], good: str | None = None, split: str = "test"
) -> Sequence[tuple[str, str]]:
    return [(found.kind, found.severity) for found in unusual_classes({split: labels}, good)]


def test_balanced_splits_have_no_findings() -> None:
    assert kinds_and_severities({"good": 400, "crack": 41}) == []


@pytest.mark.parametrize(
    ("split", "good", "labels", "severity"),
    [
        ("train", None, {"good": 90, "crack": 0}, "error"),  # what was never shown cannot be learnt
        ("test", None, {"good": 90, "crack": 0}, "warning"),
        ("test", "good", {"good": 90, "crack": 0}, "error"),  # no defective part: no escape can be measured
        ("test", "good", {"good": 0, "crack": 90}, "error"),
        ("test", "good", {"good": 90, "crack": 90, "dent": 0}, "warning"),
    ],
)
def test_a_label_without_pictures_is_missing(
    split: str, good: str | None, labels: dict[str, int], severity: str
) -> None:
    assert kinds_and_severities(labels, good, split) == [("missing-class", severity)]


def test_a_label_with_few_pictures_is_named_with_its_number() -> None:
    (found,) = unusual_classes({"val": {"good": 30, "crack": FEW - 1, "dent": 5}}, None)
    assert found.message == "val: expected at least 20 pictures of each label, found 5 of 'dent' (and 1 more)"
    assert (found.kind, found.severity, found.paths) == ("few-pictures", "warning", ())


def test_a_label_outnumbered_more_than_ten_to_one_is_named() -> None:
    (found,) = unusual_classes({"train": {"good": 1000, "crack": 99, "dent": 100}}, None)
    expected = "train: expected at least 100 pictures (10% of the 1000 of 'good'), found 99 of 'crack'"
    assert (found.kind, found.message) == ("imbalance", expected)


def test_with_a_good_label_all_defects_count_together() -> None:
    assert kinds_and_severities({"good": 1000, "crack": 60, "dent": 60}) == [("imbalance", "warning")]
    assert kinds_and_severities({"good": 1000, "crack": 60, "dent": 60}, "good") == []
    (found,) = unusual_classes({"test": {"good": 1000, "crack": 30, "dent": 30}}, "good")
    assert found.message.endswith("found 60 of 'not good'")


def test_many_missing_labels_make_one_short_message() -> None:
    labels = {"good": 30} | {f"defect{n}": 0 for n in range(9)}
    (found,) = unusual_classes({"test": labels}, None)
    assert found.message == (
        "test: expected pictures of every label, found none of 'defect0', 'defect1', 'defect2' (and 6 more)"
    )
