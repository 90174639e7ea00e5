"""The model that learns to paint: a text encoder and a denoising network over 16 x 16 latents, small enough for one core.

Sizes are chosen so that the folder stays below 17 MB in float16 and a step of 32 scenes takes about a second on one core.
"""

from typing import Final

import torch
from diffusers import ControlNetModel, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from typing_extensions import override

from vision.imagery.diffusion.patch_pca import PatchPca

LATENTS: Final = 12
_WIDTH: Final = 64  # of the text encoder


class Painter(nn.Module):
    """Both networks that learn. Latents of the autoencoder are what is painted in."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=_WIDTH,
                intermediate_size=4 * _WIDTH,
                projection_dim=_WIDTH,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=tokenizer.model_max_length,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=LATENTS,
            out_channels=LATENTS,
            block_out_channels=(64, 96, 128),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            cross_attention_dim=_WIDTH,
            attention_head_dim=4,  # heads, as diffusers reads it
            norm_num_groups=16,
            resnet_time_scale_shift="scale_shift",
            addition_embed_type="text",  # the whole caption beside the time: colours are everywhere at once
            addition_embed_type_num_heads=4,
        )

        self.layout: ControlNetModel | None = None

    def add_layout(self) -> None:
        """A ControlNet that is shown the layout as a map (`vision.imagery.diffusion.maps`, kind `layout`).

        It has no attention to words, for size. Its last layers begin small rather than at zero: it has minutes to learn, not days.
        """
        self.layout = ControlNetModel(
            in_channels=LATENTS,
            block_out_channels=(64, 96, 128),
            down_block_types=("DownBlock2D", "DownBlock2D", "DownBlock2D"),
            mid_block_type="UNetMidBlock2D",
            layers_per_block=1,
            cross_attention_dim=_WIDTH,
            norm_num_groups=16,
            conditioning_embedding_out_channels=(16, 32, 64),
        )
        for parameter in self.layout.parameters():
            if not parameter.any() and parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    @override
    def forward(self, noisy: Tensor, times: Tensor, tokens: Tensor, maps: Tensor | None = None) -> Tensor:
        """What to take away from `noisy` (N, 12, 16, 16) at `times` (N,), for captions' `tokens` (N, 32): the velocity.

        `maps` (N, 3, 64, 64), 0 to 1, are layouts.
        """
        said = self.text(tokens).last_hidden_state
        down, middle = None, None
        if maps is not None and self.layout is not None:
            down, middle = self.layout(
                noisy, times, encoder_hidden_states=said, controlnet_cond=maps, return_dict=False
            )
        painted: Tensor = self.unet(
            noisy,
            times,
            encoder_hidden_states=said,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        ).sample
        return painted


def scheduler() -> DDIMScheduler:
    """Velocities on a cosine, down to no signal at all (S. Lin et al. 2023, arXiv:2305.08891): else no scene gets dark or bright."""
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,  # unused by this spacing; diffusers warns of others
    )


def autoencoder(pictures: Tensor) -> PatchPca:
    """Fitted to `pictures` (N, 3, 64, 64) in -1 to 1.

    Latents are made smaller, which is the same as noisier steps: smooth pictures show through much noise (T. Chen 2023, arXiv:2301.10972).
    """
    made: PatchPca = PatchPca(latent_channels=LATENTS, scaling_factor=0.6)
    made.fit(pictures)
    return made


def loss_of(
    painter: Painter,
    latents: Tensor,
    tokens: Tensor,
    kept: Tensor,
    draw: torch.Generator,
    maps: Tensor | None = None,
) -> Tensor:
    """Mean squared error of the velocity (T. Salimans & J. Ho 2022, arXiv:2202.00512) at a time drawn for each scene.

    Args:
        kept: (1000,), the share of signal's power left at each time.
    """
    times = torch.randint(0, len(kept), (len(latents),), generator=draw)
    noise = torch.randn(latents.shape, generator=draw)
    signal = kept[times].sqrt()[:, None, None, None]
    around = (1 - kept[times]).sqrt()[:, None, None, None]
    guessed = painter(signal * latents + around * noise, times, tokens, maps)
    return nn.functional.mse_loss(guessed.float(), signal * noise - around * latents)
