"""All heads before the backbone moves: learned on its features as they came.

As in `training.probe`, for the same reason: a random head would distort a pretrained backbone before it has learned to read it. Titles and
attributes have no pretrained part, so they learn here, too, with the same loss as later.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.catalog.network import CatalogNetwork, subset_masks
from training.features import pooled_features

_EPOCHS: Final = 30
_BATCH: Final = 256
_PACE: Final = 3e-3
_LEAST_SPREAD: Final = 0.1  # of the mean one
_TOLD_PACE: Final = 2e-2  # of what has no pretrained part


def learn_heads(
    network: CatalogNetwork,
    pixels: npt.NDArray[np.uint8],
    loss_of: Callable[[CatalogNetwork, Tensor, Tensor, int], Tensor],
    *,
    decay: float,
    seed: int,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Learn the heads on the features of `pixels` (N, H, W, 3), the train part; the backbone is left as it was.

    Args:
        loss_of: the lesson's loss for the network with these features (B, D), of these rows, at a step.
    """
    features = pooled_features(network, pixels, advance=advance)
    middle, spread = features.mean(0), features.std(0)
    spread = spread.clamp(min=_LEAST_SPREAD * float(spread.mean()))  # one that hardly moves is noise
    features = (features - middle) / spread
    network.head.weight.data.zero_()
    heads = {name: value for name, value in network.named_parameters() if not name.startswith("backbone.")}
    fusing = {"trust", "bias"}  # not drawn to zero
    optimizer = torch.optim.AdamW(
        [
            {
                "params": [value],
                "lr": _PACE if name == "head.weight" else _TOLD_PACE,
                "weight_decay": 0.0 if name in fusing else decay,
            }
            for name, value in heads.items()
        ]
    )
    steps = _EPOCHS * -(-len(features) // _BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = np.random.default_rng(seed)
    for step in range(steps):
        rows = torch.from_numpy(order.choice(len(features), min(_BATCH, len(features)), replace=False))
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(network, features[rows], rows, step)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    with torch.no_grad():  # the standardising goes into the head
        network.head.weight.div_(spread)
        masks = subset_masks(len(network.shape.modalities))
        network.bias.sub_((masks * network.trust)[:, :1] * (network.head.weight @ middle))
