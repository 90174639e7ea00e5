"""Each row asks the subsets of the modalities that it has, and its labels leave open the paths that they should."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.catalog.shop import planned, shop
from training.catalog.lesson import CatalogLesson, allowed_paths, row_weights, subset_weights
from training.catalog.run import CatalogRun
from training.recipe import Branches
from training.run import read_run
from vision.errors import CatalogError

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> CatalogRun:
    return planned(shop(tmp_path_factory.mktemp("shop")))


def test_a_run_reads_back_as_it_was_written(run: CatalogRun, tmp_path: Path) -> None:
    run.write(tmp_path)
    again = read_run(tmp_path, CatalogRun)
    assert again == run
    assert again.taxonomy.levels == ("department", "family", "kind")
    assert again.attributes is not None
    assert again.attributes.names == ("size",)


def test_the_weights_of_all_subsets_are_one_and_the_empty_one_has_none() -> None:
    weights = subset_weights(3, Branches(whole=0.5, image=0.2))
    assert float(weights.sum()) == pytest.approx(1)
    assert weights.tolist()[0] == 0
    assert weights.tolist()[7] == pytest.approx(0.5)
    assert weights.tolist()[4] == pytest.approx(0.2)
    assert weights.tolist()[1] == pytest.approx(0.3 / 5)


def test_a_model_of_pictures_alone_asks_for_nothing_else() -> None:
    assert subset_weights(1, Branches()).tolist() == [0, 1]


def test_a_row_without_a_title_is_not_asked_for_it() -> None:
    weights = subset_weights(3, Branches())
    ids = torch.tensor([[1, 2], [0, 0]])
    asked = row_weights([ids, torch.ones((2, 1))], weights)
    assert asked.sum(1).tolist() == pytest.approx([1, 1])
    assert (asked[1] > 0).nonzero().flatten().tolist() == [1, 4, 5]  # attributes, picture, both
    assert (asked[0] > 0).nonzero().flatten().tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_labels_leave_open_their_own_path_or_all_below_the_last_told(run: CatalogRun) -> None:
    item = run.role("train")[0]
    tree = run.taxonomy
    whole = allowed_paths([item], tree)
    assert int(whole.sum()) == 1
    columns = {**item.columns, "department": "goods", "family": "", "kind": ""}
    upper = allowed_paths([replace(item, columns=columns)], tree)
    assert int(upper.sum()) == 4


def test_a_label_of_another_shop_is_refused_with_its_photo_and_how_many_such_there_are(
    run: CatalogRun,
) -> None:
    item = run.role("train")[0]
    other = replace(item, path=Path("other.jpg"), columns={**item.columns, "kind": "zeppelin"})
    with pytest.raises(
        CatalogError, match=r"other\.jpg: level 'kind': .*'zeppelin'.*; 2 of 3 items .* --where"
    ):
        allowed_paths([item, other, other], run.taxonomy)


def test_what_a_step_hides_is_a_function_of_seed_and_step(run: CatalogRun) -> None:
    lesson, rows = CatalogLesson(run), torch.arange(6)
    first, again, other = (lesson.beside("train", rows, step)[0] for step in (3, 3, 4))
    plain = lesson.beside("train", rows)[0]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert set(first[first > 0].tolist()) <= set(plain[plain > 0].tolist())


def test_every_row_comes_once_an_epoch_in_another_order_each_time(run: CatalogRun) -> None:
    lesson = CatalogLesson(run)
    count = len(run.role("train"))
    assert np.array_equal(np.sort(lesson.order(0)), np.arange(count))
    assert not np.array_equal(lesson.order(0), lesson.order(1))
    assert np.array_equal(lesson.order(1), CatalogLesson(run).order(1))
