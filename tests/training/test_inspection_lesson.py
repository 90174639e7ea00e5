"""What inspection asks of the training loop beside the loop itself."""

import numpy as np
import pytest

from training.inspection_lesson import with_prior
from training.model import build

pytestmark = pytest.mark.torch


def test_the_prior_of_balanced_sampling_is_taken_back_out() -> None:
    network = build("resnet18", 2, "none")
    before = network.head.bias.detach().clone()

    kept = with_prior(network.state_dict(), np.array([0] * 10 + [1] * 90))

    shift = kept["head.bias"] - before
    assert shift[1] - shift[0] == pytest.approx(np.log(9), abs=1e-5)
    assert kept.keys() == network.state_dict().keys()
