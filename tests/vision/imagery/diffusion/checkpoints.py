"""Tiny real checkpoints, made in code in under a second: Stable Diffusion, inpainting, SDXL, ControlNet, LoRA.

They have every part that the large ones have, with random weights: what they paint is nothing, but it is painted the same way.
"""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from training.scenes.vocabulary import learn_tokenizer

SETTINGS = 'licence = "CC0-1.0"\nsteps = 4\nguidance = 2.0\nnative_px = 64\n'
PROMPTS = ["a red wall", "a blue wall", "a table of wood", "白色大理石桌面"]


def stable_diffusion(folder: Path, *, inpaints: bool = False, settings: str = SETTINGS) -> Path:
    """A Stable Diffusion folder; returns it."""
    torch.manual_seed(0)
    tokenizer = learn_tokenizer(PROMPTS, size=600)
    pipeline: Any = StableDiffusionInpaintPipeline if inpaints else StableDiffusionPipeline
    made = pipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_text_config(tokenizer)),
        tokenizer=tokenizer,
        unet=_unet(in_channels=9 if inpaints else 4),
        scheduler=_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _written(made, folder, settings)


def stable_diffusion_xl(folder: Path, *, inpaints: bool = False, settings: str = SETTINGS) -> Path:
    """A Stable Diffusion XL folder; returns it."""
    torch.manual_seed(0)
    tokenizer = learn_tokenizer(PROMPTS, size=600)
    pipeline: Any = StableDiffusionXLInpaintPipeline if inpaints else StableDiffusionXLPipeline
    made = pipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_text_config(tokenizer)),
        text_encoder_2=CLIPTextModelWithProjection(_text_config(tokenizer)),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=_unet(
            in_channels=9 if inpaints else 4,
            cross_attention_dim=64,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 32,
            use_linear_projection=True,
        ),
        scheduler=_scheduler(),
        add_watermarker=False,
    )
    return _written(made, folder, settings)


def add_controlnet(folder: Path, control: str) -> None:
    """A ControlNet in `folder` whose output is not zero, as a new one's is, and the settings that name it."""
    torch.manual_seed(1)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    if unet.config.in_channels != 4:  # a ControlNet sees latents alone
        unet = _unet(**_xl_of(unet))
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 32))
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    net.save_pretrained(folder / "controlnet", safe_serialization=True)
    append_settings(folder, f'controlnet = "controlnet"\ncontrol = "{control}"\n')


def add_lora(folder: Path, *, name: str = "brand.safetensors", of: Path | None = None) -> None:
    """A LoRA for the model in `of`, by default in `folder` itself, and the settings that name it."""
    torch.manual_seed(2)
    unet = UNet2DConditionModel.from_pretrained((of or folder) / "unet")
    unet.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    layers = get_peft_model_state_dict(unet)
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers, weight_name=name)
    append_settings(folder, f'loras = [{{file = "{name}", scale = 1.0}}]\n')


def add_safety_checker(folder: Path, *, objects: bool) -> None:
    """A safety checker that objects to everything, or to nothing."""
    small = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 1, "num_attention_heads": 4}
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(
            text_config=small,
            vision_config=small | {"image_size": 30, "patch_size": 10},
            projection_dim=64,
        )
    )
    with torch.no_grad():
        for thresholds in (checker.concept_embeds_weights, checker.special_care_embeds_weights):
            thresholds.fill_(-2.0 if objects else 2.0)  # of cosines
    checker.save_pretrained(folder / "safety_checker", safe_serialization=True)
    side = {"height": 30, "width": 30}
    CLIPImageProcessor(size={"shortest_edge": 30}, crop_size=side).save_pretrained(
        folder / "feature_extractor"
    )
    index = json.loads((folder / "model_index.json").read_bytes())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    index["requires_safety_checker"] = True
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")


def append_settings(folder: Path, lines: str) -> None:
    path = folder / "loupe-model.toml"
    path.write_text(path.read_text(encoding="utf-8") + lines, encoding="utf-8")


def _written(pipeline: Any, folder: Path, settings: str) -> Path:
    pipeline.save_pretrained(folder, safe_serialization=True)
    (folder / "loupe-model.toml").write_text(settings, encoding="utf-8")
    return folder


def _unet(**options: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        **{
            "sample_size": 32,
            "in_channels": 4,
            "out_channels": 4,
            "block_out_channels": (32, 64),
            "layers_per_block": 1,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "cross_attention_dim": 32,
            "attention_head_dim": 8,
            **options,
        }
    )


def _xl_of(unet: UNet2DConditionModel) -> dict[str, Any]:
    names = (
        *("cross_attention_dim", "addition_embed_type", "addition_time_embed_dim"),
        *("projection_class_embeddings_input_dim", "use_linear_projection"),
    )
    return {name: unet.config[name] for name in names}


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
    )


def _scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def _text_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        projection_dim=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
