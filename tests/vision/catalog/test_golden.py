"""A catalog bundle's golden set holds what goes in beside the pictures, and the logits of every level."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.catalog_bundles import LEVELS, MODEL, TEXT_SPEC, make_catalog_bundle, onnx_model
from vision.bundle import GOLDEN, Bundle, pack_arrays
from vision.errors import BundleError
from vision.golden import check_golden
from vision.session import Session


def check(bundle: Bundle) -> float:
    return check_golden(bundle, MODEL, Session(onnx_model(), threads=1))


def altered(path: Path, **arrays: npt.NDArray[Any] | None) -> Bundle:
    """The shop with some golden arrays changed, or taken away."""
    golden = {**make_catalog_bundle(path / "good").arrays(GOLDEN), **arrays}
    kept = {name: values for name, values in golden.items() if values is not None}
    return make_catalog_bundle(path / "other", contents={GOLDEN: pack_arrays(kept)})


def test_an_untouched_bundle_answers_as_where_it_was_made(tmp_path: Path) -> None:
    bundle = make_catalog_bundle(tmp_path / "shop")
    assert check(bundle) <= 1e-4
    arrays = bundle.arrays(GOLDEN)
    assert arrays["beside_text"].shape == (4, TEXT_SPEC.length)
    assert {f"logits_{level}_{MODEL}" for level in LEVELS} <= set(arrays)


@pytest.mark.parametrize(
    "changed",
    [
        {"beside_text": None},  # zeros then, and so another answer
        {"beside_no_image": np.ones(4, np.float32)},
        {"beside_attributes": np.zeros((4, 2), np.int64)},
        {f"logits_family_{MODEL}": np.zeros((4, 4), np.float32)},
    ],
)
def test_another_answer_at_any_level_is_refused(
    changed: dict[str, npt.NDArray[Any] | None], tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"expected golden logits within 0\.01, found a difference of"):
        check(altered(tmp_path, **changed))


@pytest.mark.parametrize("level", LEVELS)
def test_a_number_that_is_none_is_refused_whatever_its_level(level: str, tmp_path: Path) -> None:
    name = f"logits_{level}_{MODEL}"
    values = make_catalog_bundle(tmp_path / "shop").arrays(GOLDEN)[name]
    values[0, 0] = np.nan
    with pytest.raises(BundleError, match="a difference of nan"):
        check(altered(tmp_path, **{name: values}))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({f"logits_kind_{MODEL}": None}, f"expected an array 'logits_kind_{MODEL}', found none"),
        ({f"logits_kind_{MODEL}": np.zeros((4, 9), np.float32)}, r"golden logits_kind of shape \(4, 9\)"),
        ({"beside_text": np.zeros((3, TEXT_SPEC.length), np.int64)}, "cannot run"),
        ({"beside_title": np.zeros((4, 2), np.int64)}, "cannot run"),
    ],
)
def test_a_golden_set_that_is_incomplete_or_anothers_is_refused(
    changed: dict[str, npt.NDArray[Any] | None], said: str, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=said):
        check(altered(tmp_path, **changed))
