"""What a backbone makes of prepared pictures, before anything is learned from it."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.data import in_batches
from training.model import Seeing


@torch.no_grad()
def pooled_features(
    network: Seeing, pixels: npt.NDArray[np.uint8], *, advance: Callable[[int], None] = lambda _: None
) -> Tensor:
    """Embeddings float32 (N, D) on the CPU, of uint8 (N, H, W, 3), with the network as in use; it is left as it was.

    Args:
        advance: called with the number of pictures done since the last call.
    """
    learning, device = network.training, network.mean.device
    network.eval()
    found = []
    for batch in in_batches(pixels):
        found.append(network.features(batch.to(device)).mean((2, 3)).float().cpu())
        advance(len(batch))
    network.train(learning)
    return torch.cat(found)
