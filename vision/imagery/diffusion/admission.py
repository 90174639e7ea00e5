"""What a model's folder has to be before anything of it is loaded: known classes, safetensors alone, every file's digest.

`model_index.json` names classes to import and weights may be pickles, so a folder is code until this module has looked at it. It reads JSON and
bytes; nothing is imported.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vision.errors import ImageryError
from vision.imagery.diffusion.settings import FILE, ModelSettings, read_settings

OURS: Final = "vision.imagery.diffusion.patch_pca"

# Pipelines by what they are made of: (Stable Diffusion XL?, paints around something kept?)
PIPELINES: Final[Mapping[str, tuple[bool, bool]]] = {
    "StableDiffusionPipeline": (False, False),
    "StableDiffusionInpaintPipeline": (False, True),
    "StableDiffusionXLPipeline": (True, False),
    "StableDiffusionXLInpaintPipeline": (True, True),
}
_SCHEDULERS: Final = (
    *("DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LMSDiscreteScheduler", "HeunDiscreteScheduler"),
    *("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "UniPCMultistepScheduler", "LCMScheduler"),
    *("DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"),
)
_TEXT_ENCODERS: Final = {("transformers", "CLIPTextModel"), ("transformers", "CLIPTextModelWithProjection")}
_TOKENIZERS: Final = {("transformers", "CLIPTokenizer"), ("transformers", "CLIPTokenizerFast")}
# Classes that each part may have; a part that is not here is refused.
_PARTS: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    "unet": frozenset({("diffusers", "UNet2DConditionModel")}),
    "vae": frozenset({("diffusers", "AutoencoderKL"), (OURS, "PatchPca")}),
    "scheduler": frozenset(("diffusers", name) for name in _SCHEDULERS),
    "text_encoder": frozenset(_TEXT_ENCODERS),
    "text_encoder_2": frozenset(_TEXT_ENCODERS),
    "tokenizer": frozenset(_TOKENIZERS),
    "tokenizer_2": frozenset(_TOKENIZERS),
    "safety_checker": frozenset({("stable_diffusion", "StableDiffusionSafetyChecker")}),
    "feature_extractor": frozenset(
        {("transformers", "CLIPImageProcessor"), ("transformers", "CLIPFeatureExtractor")}
    ),
    "image_encoder": frozenset({("transformers", "CLIPVisionModelWithProjection")}),
}
_CONTROLNET: Final = "ControlNetModel"
_WEIGHTS: Final = {"unet", "vae", "text_encoder", "text_encoder_2", "safety_checker", "image_encoder"}
_KINDS: Final = {".json", ".txt", ".toml", ".md", ".safetensors", ".model", ""}  # no suffix: LICENSE, NOTICE
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A folder that may be loaded.

    Attributes:
        files: SHA-256 by path in the folder.
        xl: of the Stable Diffusion XL class.
        inpaints: made to paint around something kept.
        checks_safety: has a safety checker.
    """

    folder: Path
    settings: ModelSettings
    files: Mapping[str, str]
    xl: bool
    inpaints: bool
    checks_safety: bool

    @property
    def digest(self) -> str:
        """Of all files: names and contents."""
        lines = "".join(f"{name} {digest}\n" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


def admit(folder: Path, *, settings_in: Path | None = None) -> Admitted:
    """Look at a model's folder.

    Args:
        settings_in: the folder that its settings are in; itself by default.

    Raises:
        ImageryError: it is no pipeline, names a class that is not known here, holds pickles or code, lacks a file, or a file is not
            the pinned one.
    """
    index = _json(folder / "model_index.json")
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str) or pipeline not in PIPELINES:
        raise ImageryError(
            f"{folder / 'model_index.json'}: _class_name: expected one of {', '.join(PIPELINES)}, found {pipeline!r}"
        )
    settings = read_settings(settings_in or folder)
    paths = _files(folder)
    parts = _parts(folder, index)
    for part in sorted(parts):
        _check_part(folder, part)
    if settings.controlnet is not None:
        _check_controlnet(folder / settings.controlnet)
    for lora in settings.loras:
        if not (folder / lora.file).is_file() or not lora.file.endswith(".safetensors"):
            raise ImageryError(f"{folder / lora.file}: expected a LoRA's .safetensors file, found none")
    files = {path.relative_to(folder).as_posix(): _sha256(path) for path in paths}
    if settings_in is not None:
        files[FILE] = _sha256(settings_in / FILE)
    _check_pinned(folder, settings, files)
    xl, inpaints = PIPELINES[pipeline]
    return Admitted(
        folder=folder,
        settings=settings,
        files=files,
        xl=xl,
        inpaints=inpaints,
        checks_safety="safety_checker" in parts,
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise ImageryError(f"{path}: expected a file of a diffusers pipeline: {error.strerror}") from error
    except ValueError as error:
        raise ImageryError(f"{path}: expected JSON: {error}") from error
    if not isinstance(found, dict):
        raise ImageryError(f"{path}: expected a JSON object, found {type(found).__name__}")
    return found


def _files(folder: Path) -> list[Path]:
    """All files but hidden ones, of which nothing is ever loaded."""
    paths = []
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if not path.resolve().is_relative_to(folder.resolve()) and not _in_hub_cache(folder, path):
            raise ImageryError(f"{path}: expected files of this folder, found a link out of it")
        if path.suffix not in _KINDS:
            raise ImageryError(
                f"{path}: expected weights as .safetensors, and JSON and text beside them; found a {path.suffix} file"
            )
        paths.append(path)
    return paths


def _in_hub_cache(folder: Path, path: Path) -> bool:
    """Whether a link leads to the blobs beside its snapshot, as the hub's own cache lays files out."""
    return path.resolve().is_relative_to(folder.resolve().parent.parent / "blobs")


def _parts(folder: Path, index: Mapping[str, Any]) -> set[str]:
    """The parts that are there; each of a class that is known here."""
    there = set()
    for part, value in index.items():
        if part.startswith("_") or not isinstance(value, list) or value == [None, None]:
            continue
        if len(value) != 2 or tuple(value) not in _PARTS.get(part, frozenset()):
            known = (
                ", ".join(sorted(".".join(one) for one in _PARTS.get(part, frozenset()))) or "no such part"
            )
            raise ImageryError(
                f"{folder / 'model_index.json'}: {part}: expected {known}, found {'.'.join(map(str, value))}"
            )
        there.add(part)
    missing = {"unet", "vae", "scheduler", "text_encoder", "tokenizer"} - there
    if missing:
        raise ImageryError(f"{folder / 'model_index.json'}: expected the part {min(missing)}, found none")
    return there


def _check_part(folder: Path, part: str) -> None:
    inner = folder / part
    if not inner.is_dir():
        raise ImageryError(f"{inner}: expected a folder, found none")
    if part in _WEIGHTS:
        config = _json(inner / "config.json")
        if "auto_map" in config:
            raise ImageryError(
                f"{inner / 'config.json'}: auto_map: expected none, found code to be downloaded"
            )
        if not any(inner.glob("*.safetensors")):
            raise ImageryError(f"{inner}: expected weights as .safetensors, found none")


def _check_controlnet(folder: Path) -> None:
    found = _json(folder / "config.json").get("_class_name")
    if found != _CONTROLNET:
        raise ImageryError(f"{folder / 'config.json'}: _class_name: expected {_CONTROLNET}, found {found!r}")
    if not any(folder.glob("*.safetensors")):
        raise ImageryError(f"{folder}: expected weights as .safetensors, found none")


def _check_pinned(folder: Path, settings: ModelSettings, files: Mapping[str, str]) -> None:
    """Whether all files but the settings themselves, which hold the pins, are the pinned ones."""
    if not settings.pinned:
        return
    found = {name: digest for name, digest in files.items() if name != FILE}
    for name in sorted(set(found) | set(settings.pinned)):
        expected, actual = settings.pinned.get(name), found.get(name)
        if expected != actual:
            raise ImageryError(
                f"{folder / name}: expected SHA-256 {expected or 'none: it is not pinned'}, found {actual or 'no such file'}"
            )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise ImageryError(f"{path}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()
