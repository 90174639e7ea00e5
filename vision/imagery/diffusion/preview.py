"""A small picture of what a pipeline is painting, at the price of one matrix product a step.

Latents of flat colours are nearly a linear function of the colour, whatever the autoencoder; the inverse of that, fitted once, shows the rest.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any, Final, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vision.image import Pixels

_SHOWN_PX: Final = 64  # at least, of the longer side
_FLAT_PX: Final = 64


@dataclass(frozen=True, slots=True)
class Preview:
    """From latents to colours.

    Attributes:
        weights: (channels + 1, 3); the last row is what a latent of zeros shows.
    """

    weights: Tensor

    @classmethod
    def of(cls, pipeline: Any) -> Self:
        """Fit to 27 flat colours."""
        vae = pipeline.vae
        levels = torch.tensor(list(product((-1.0, 0.0, 1.0), repeat=3)))
        flat = levels[:, :, None, None].expand(-1, -1, _FLAT_PX, _FLAT_PX)
        with torch.inference_mode():
            encoded = [vae.encode(one[None].to(vae.device, vae.dtype)) for one in flat]
        latents = torch.cat([_latents(one).float().mean((2, 3)).cpu() for one in encoded])
        known = functional.pad(latents * vae.config.scaling_factor, (0, 1), value=1.0)
        return cls(torch.linalg.lstsq(known.nan_to_num(), levels, driver="gelsd").solution)

    def of_latents(self, latents: Tensor) -> Pixels:
        """uint8 (h, w, 3) of the first of `latents` (N, channels, H, W), at least 64 pixels wide or high."""
        first = latents[0].detach().float().cpu()
        shown = torch.einsum("chw,cr->hwr", first, self.weights[:-1]) + self.weights[-1]
        pixels = ((shown + 1) * 127.5).nan_to_num().clamp(0, 255).byte().numpy()
        times = max(_SHOWN_PX // max(pixels.shape[:2]), 1)
        return np.ascontiguousarray(pixels.repeat(times, 0).repeat(times, 1))


def _latents(encoded: Any) -> Tensor:
    """The likeliest latents, of autoencoders that give a distribution and of those that do not."""
    found: Tensor = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
    return found
