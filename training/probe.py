"""The head before training: solved, not learned.

A random head distorts a pretrained backbone before it has learned to read it, and on parts from elsewhere the result
does worse than the untouched features. So the head begins as the logistic regression on those features (linear
probing, then fine-tuning: Kumar et al. 2022, arXiv:2202.10054). It knows nothing of runs or recipes.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training.features import pooled_features
from training.model import Network


def solve_head(
    network: Network,
    pixels: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    *,
    strength: float,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Set the head to the class-balanced logistic regression on the network's features of these pictures.

    Args:
        network: its backbone is read as in use, with the statistics it came with; its head is overwritten.
        pixels: uint8 (N, H, W, 3) RGB, as `vision.preprocess` makes them.
        labels: class indices (N,), every class of the head among them.
        strength: scikit-learn's C on standardised features; smaller is more regularised.
        advance: called with the number of pictures done since the last call.
    """
    scaler = StandardScaler()
    standardised = scaler.fit_transform(pooled_features(network, pixels, advance=advance).double().numpy())
    probe = LogisticRegression(C=strength, max_iter=1000, class_weight="balanced").fit(standardised, labels)
    weight = probe.coef_ / scaler.scale_
    bias = probe.intercept_ - weight @ scaler.mean_
    if len(weight) == 1:  # two classes are told apart by one plane: half of it each
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(weight))
        network.head.bias.copy_(torch.from_numpy(bias))
