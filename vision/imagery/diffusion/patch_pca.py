"""An autoencoder without training: the principal components of 4 x 4 patches.

Studios are smooth, so 12 of a patch's 48 values tell nearly all of it; encoding and decoding are one small matrix product each. The class has
the face of diffusers' `AutoencoderKL`, so a pipeline folder can name it as its `vae`.
"""

from dataclasses import dataclass

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils import BaseOutput
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override


@dataclass
class PatchLatents(BaseOutput):  # type: ignore[misc]  # diffusers is untyped here
    """What `encode` gives; pipelines look for `latents`."""

    latents: Tensor


class PatchPca(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Pictures (N, 3, H, W) in -1 to 1, to latents (N, channels, H / patch, W / patch) of about unit variance, and back.

    Attributes:
        block_out_channels: what pipelines tell the ratio of picture to latents from: 2 to the power of one less than its length.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        patch: int = 4,
        latent_channels: int = 12,
        block_out_channels: tuple[int, ...] = (1, 1, 1),  # noqa: ARG002  (kept in `config`)
        scaling_factor: float = 1.0,  # noqa: ARG002
    ) -> None:
        super().__init__()
        values = 3 * patch * patch
        self.mean = nn.Parameter(torch.zeros(values), requires_grad=False)
        self.analysis = nn.Parameter(torch.zeros(latent_channels, values), requires_grad=False)
        self.synthesis = nn.Parameter(torch.zeros(values, latent_channels), requires_grad=False)

    @torch.no_grad()
    def fit(self, pictures: Tensor) -> None:
        """Find the components of `pictures` (N, 3, H, W).

        Each is divided by the square root of its own deviation: undivided, the weak ones, which are texture, would drown in the model's errors;
        divided in full, errors of the strong ones, which are brightness and colour, would be the largest.
        """
        patches = functional.pixel_unshuffle(pictures, self.config.patch).movedim(1, -1).flatten(0, -2)
        self.mean.copy_(patches.mean(0))
        _, deviations, directions = torch.linalg.svd(torch.cov(patches.double().T), full_matrices=False)
        kept = self.config.latent_channels
        scales = deviations[:kept].sqrt().sqrt()  # of the variances
        scales = (
            scales * (deviations[:kept] / scales**2).mean().sqrt()
        )  # the latents' mean variance becomes 1
        self.analysis.copy_(directions[:kept] / scales[:, None])
        self.synthesis.copy_((directions[:kept] * scales[:, None]).T)

    def encode(self, x: Tensor, *, return_dict: bool = True) -> PatchLatents | tuple[Tensor]:
        """Latents of pictures; there is no chance in them."""
        patches = functional.pixel_unshuffle(x, self.config.patch) - self.mean[:, None, None]
        latents = functional.conv2d(patches, self.analysis[..., None, None])
        return PatchLatents(latents=latents) if return_dict else (latents,)

    def decode(
        self, z: Tensor, *, return_dict: bool = True, generator: torch.Generator | None = None
    ) -> DecoderOutput | tuple[Tensor]:
        """Pictures of latents; `generator` is for autoencoders that draw."""
        del generator
        patches = functional.conv2d(z, self.synthesis[..., None, None]) + self.mean[:, None, None]
        pictures = functional.pixel_shuffle(patches, self.config.patch)
        return DecoderOutput(sample=pictures) if return_dict else (pictures,)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """There and back."""
        encoded = self.encode(x, return_dict=False)
        return self.decode(encoded[0], return_dict=False)[0]
