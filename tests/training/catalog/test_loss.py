"""The loss is the log loss of a label's paths, and its probabilities are those that serving reads."""

import numpy as np
import pytest
import torch

from training.catalog.loss import catalog_loss, level_allowed, path_log_probabilities
from vision.catalog.decode import path_probabilities

pytestmark = pytest.mark.torch

PATHS = torch.tensor([[0, 0], [0, 1], [1, 1], [1, 2]])  # the second class of the last level has two parents
SIZES = (2, 3)


def some_logits(rows: int = 5) -> torch.Tensor:
    return torch.randn((rows, 1, sum(SIZES)), generator=torch.Generator().manual_seed(0)) * 3


def test_training_and_serving_read_the_same_probabilities() -> None:
    logits = some_logits()
    levels = [one[:, 0].numpy() for one in torch.split(logits, list(SIZES), -1)]
    served = path_probabilities(levels, PATHS.numpy())
    assert path_log_probabilities(logits, PATHS, SIZES)[:, 0].exp().numpy() == pytest.approx(served, abs=1e-5)


def test_a_label_told_to_an_upper_level_only_counts_as_every_path_below_it() -> None:
    logits = some_logits(1)
    told = path_log_probabilities(logits, PATHS, SIZES)[0, 0].exp()
    allowed = torch.tensor([[False, False, True, True]])
    upper = torch.split(logits, list(SIZES), -1)[0].log_softmax(-1)[0, 0, 1]
    # the last level's own part: both of its classes under the second parent
    lower = torch.split(logits, list(SIZES), -1)[1].softmax(-1)[0, 0, 1:].sum().log()
    expected = -torch.log(told[2] + told[3]) - 0.25 * (upper + lower)
    assert catalog_loss(logits, allowed, PATHS, SIZES, 0.0)[0, 0] == pytest.approx(float(expected), abs=1e-5)


def test_allowed_paths_allow_the_classes_they_run_through() -> None:
    allowed = level_allowed(torch.tensor([[True, False, True, False]]), PATHS, SIZES)
    assert [one[0].tolist() for one in allowed] == [[True, True], [True, True, False]]


def test_learning_makes_the_told_path_the_likely_one() -> None:
    logits = torch.zeros((1, 1, sum(SIZES)), requires_grad=True)
    allowed = torch.tensor([[False, False, True, False]])
    optimizer = torch.optim.SGD([logits], lr=1.0)
    for _ in range(50):
        optimizer.zero_grad()
        catalog_loss(logits, allowed, PATHS, SIZES, 0.0).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    probabilities = path_log_probabilities(logits, PATHS, SIZES)[0, 0].exp().detach().numpy()
    assert np.argmax(probabilities) == 2
    assert probabilities[2] > 0.9
