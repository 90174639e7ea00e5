"""Pictures as networks take them."""

import torch
from torch import Tensor

from vision.image import Pixels


def as_tensor(pictures_nhwc: Pixels) -> Tensor:
    """(N, 3, H, W) in -1 to 1."""
    return torch.from_numpy(pictures_nhwc).movedim(-1, 1).contiguous().float() / 127.5 - 1
