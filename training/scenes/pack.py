"""The learned model as a diffusers pipeline's folder, with how to ask it and where it comes from beside it."""

import hashlib
from pathlib import Path
from typing import Final

import diffusers
import torch
import transformers
from diffusers import StableDiffusionPipeline
from transformers import CLIPTokenizer

import training.scenes
import vision.imagery.scenes.procedural
from training.scenes.painter import Painter, scheduler
from training.scenes.run import SceneRun
from vision.files import atomic_folder, write_json
from vision.imagery.diffusion.admission import admit
from vision.imagery.diffusion.patch_pca import PatchPca
from vision.imagery.diffusion.settings import FILE

_SETTINGS: Final = """\
# How Loupe asks this model; see vision/imagery/diffusion/settings.py.
licence = "Apache-2.0"
words = "studio"
steps = 25
guidance = 1.5
native_px = 64
fixed_size = true
calm = 0.05
controlnet = "controlnet"
control = "layout"
"""


def write_model(
    folder: Path, painter: Painter, vae: PatchPca, tokenizer: CLIPTokenizer, run: SceneRun
) -> None:
    """Write the folder, the networks that learned in float16; the painter has its layout's ControlNet.

    Raises:
        StorageError: the disk refused.
    """
    assert painter.layout is not None  # noqa: S101  (a programmer's slip: `teach_layout` comes first)
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=painter.text.to(torch.float16),
        tokenizer=tokenizer,
        unet=painter.unet.to(torch.float16),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    with atomic_folder(folder) as unfinished:
        pipeline.save_pretrained(unfinished, safe_serialization=True)
        painter.layout.to(torch.float16).save_pretrained(unfinished / "controlnet", safe_serialization=True)
        write_json(unfinished / "provenance.json", _provenance(run))
        write_settings(unfinished)


def write_settings(folder: Path) -> None:
    """How to ask the model, with every file beside it pinned."""
    path = folder / FILE
    path.write_text(_SETTINGS, encoding="utf-8")
    files = {name: digest for name, digest in admit(folder).files.items() if name != FILE}
    pins = "".join(f'"{name}" = "{digest}"\n' for name, digest in sorted(files.items()))
    path.write_text(f"{_SETTINGS}[pinned]\n{pins}", encoding="utf-8")


def _provenance(run: SceneRun) -> dict[str, object]:
    return {
        "data": "scenes drawn by vision.imagery.scenes.procedural and their captions; no picture of anybody",
        "licence": "Apache-2.0",
        "run": run.model_dump(mode="json"),
        "libraries": {
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
        },
    }


def code_digest() -> str:
    """SHA-256 of the code that draws scenes and learns from them: names and bytes of its files."""
    digest = hashlib.sha256()
    for package in (vision.imagery.scenes.procedural, training.scenes):
        for file in sorted(Path(package.__path__[0]).glob("*.py")):
            digest.update(f"{package.__name__}/{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()
