"""From an admitted folder to a diffusers pipeline, with its ControlNet and LoRAs. Nothing is downloaded here.

What libraries say of a broken folder in their own errors is said again as ours, with the folder's name.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import diffusers
import torch
import transformers
from safetensors import SafetensorError, safe_open

import vision.imagery.diffusion.patch_pca  # noqa: F401  (diffusers takes parts from modules that are imported already)
from vision.errors import DeviceError, ImageryError, SettingsError
from vision.imagery.diffusion.admission import Admitted
from vision.imagery.diffusion.settings import Lora

DTYPES: Final[Mapping[str, torch.dtype]] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
_DEVICE: Final = re.compile(r"cpu|cuda(:(?P<number>\d{1,3}))?")
_BROKEN: Final = (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError, SafetensorError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machinery:
    """What pipelines run on.

    Attributes:
        device: `cpu`, `cuda` or `cuda:N`.
        dtype: float32, float16 or bfloat16.
        offload: keep on the GPU only the part that computes.
        threads: of the processor.
    """

    device: str = "cpu"
    dtype: str = "float32"
    offload: bool = False
    threads: int = 1


def load_pipeline(admitted: Admitted, machinery: Machinery) -> Any:
    """A pipeline of the class that the folder's parts and settings ask for.

    Raises:
        SettingsError, DeviceError: as `dtype_on`.
        ImageryError: the parts do not fit together, or a LoRA is for another model.
    """
    dtype = dtype_on(machinery)
    _hush()
    options: dict[str, Any] = {
        "dtype": dtype,
        "local_files_only": True,
        "use_safetensors": True,
    }
    if admitted.settings.variant:
        options["variant"] = admitted.settings.variant
    if admitted.xl:
        options["add_watermarker"] = False  # it changes pixels that have to be pure white
    elif not admitted.checks_safety:
        options |= {"safety_checker": None, "requires_safety_checker": False}
    try:
        if admitted.settings.controlnet is not None:
            options["controlnet"] = diffusers.ControlNetModel.from_pretrained(
                admitted.folder / admitted.settings.controlnet,
                dtype=dtype,
                local_files_only=True,
                use_safetensors=True,
            )
        pipeline = getattr(diffusers, _class_name(admitted)).from_pretrained(admitted.folder, **options)
    except _BROKEN as error:
        raise ImageryError(
            f"{admitted.folder}: expected a pipeline whose parts fit together: {error}"
        ) from error
    for number, lora in enumerate(admitted.settings.loras):
        _add_lora(pipeline, admitted.folder / lora.file, f"lora{number}")
    if admitted.settings.loras:
        _weigh(pipeline, admitted.settings.loras)
    pipeline.set_progress_bar_config(disable=True)
    return _placed(pipeline, machinery)


def painting_over(pipeline: Any, admitted: Admitted, machinery: Machinery) -> Any:
    """The same parts as a pipeline that begins with a picture: itself, where it was made to paint around something."""
    if admitted.inpaints:
        return pipeline
    family = "StableDiffusionXL" if admitted.xl else "StableDiffusion"
    controlled = "ControlNet" if admitted.settings.controlnet is not None else ""
    options = (
        {"add_watermarker": False}
        if admitted.xl
        else {"requires_safety_checker": pipeline.config.requires_safety_checker}
    )
    made = getattr(diffusers, f"{family}{controlled}Img2ImgPipeline")(**pipeline.components, **options)
    made.set_progress_bar_config(disable=True)
    return _placed(made, machinery)


def _hush() -> None:
    """Loading bars and advice for developers would land in a worker's log; errors still do."""
    for logging in (diffusers.utils.logging, transformers.utils.logging):
        logging.disable_progress_bar()
        logging.set_verbosity_error()


def dtype_on(machinery: Machinery) -> torch.dtype:
    """What to compute in, once it is known that this machine can.

    Raises:
        SettingsError: dtype, device or offload is none that there is.
        DeviceError: there is no such GPU here.
    """
    if machinery.dtype not in DTYPES:
        raise SettingsError(f"dtype: expected one of {', '.join(DTYPES)}, found {machinery.dtype!r}")
    device = _DEVICE.fullmatch(machinery.device)
    if device is None:
        raise SettingsError(f"device: expected cpu, cuda or cuda:N, found {machinery.device!r}")
    if machinery.device != "cpu":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(device["number"] or 0) >= count:
            raise DeviceError(
                f"{machinery.device}: expected a GPU that torch can use, found {count or 'none'}"
            )
    elif machinery.offload:
        raise SettingsError("offload: expected with a GPU alone, found the device cpu")
    return DTYPES[machinery.dtype]


def _class_name(admitted: Admitted) -> str:
    family = "StableDiffusionXL" if admitted.xl else "StableDiffusion"
    controlled = "ControlNet" if admitted.settings.controlnet is not None else ""
    return f"{family}{controlled}{'Inpaint' if admitted.inpaints else ''}Pipeline"


def _placed(pipeline: Any, machinery: Machinery) -> Any:
    if machinery.offload:
        pipeline.enable_model_cpu_offload(device=machinery.device)
        return pipeline
    return pipeline.to(machinery.device)


def _add_lora(pipeline: Any, path: Path, name: str) -> None:
    """Add a LoRA, and see that all of it found its place: of one for another model some parts fit nowhere, and are passed over."""
    try:
        with safe_open(path, "pt") as file:
            expected = sum(1 for key in file.keys() if not key.endswith("alpha"))  # noqa: SIM118  (no mapping)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # the LoRA before this one's
            pipeline.load_lora_weights(
                path.parent, weight_name=path.name, adapter_name=name, local_files_only=True
            )
    except _BROKEN as error:
        raise ImageryError(f"{path}: expected a LoRA for this model: {str(error)[:300]}") from error
    parts = [getattr(pipeline, part, None) for part in ("unet", "text_encoder", "text_encoder_2")]
    found = sum(
        1
        for part in parts
        if part is not None
        for key, _ in part.named_parameters()
        if f".{name}." in key and "lora_" in key
    )
    if found != expected or not expected:
        raise ImageryError(
            f"{path}: expected a LoRA for this model, found {expected} tensors of which {found} fit"
        )


def _weigh(pipeline: Any, loras: tuple[Lora, ...]) -> None:
    names = [f"lora{number}" for number in range(len(loras))]
    pipeline.set_adapters(names, adapter_weights=[lora.scale for lora in loras])
