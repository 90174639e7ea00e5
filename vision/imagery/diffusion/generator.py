"""Scenes from a diffusers pipeline: an ask to the pipeline's arguments, its picture to a scene.

One scene at a time, one picture a call, the seed's draws on the processor, threads fixed: what the same pixels depend on is in the fingerprint.
It knows no folders (`opening`) and no pipeline classes (`pipelines`).
"""

import platform
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import cv2
import diffusers
import numpy as np
import numpy.typing as npt
import torch
import transformers
from PIL import Image
from pydantic import JsonValue

from vision.errors import OutOfMemoryError, RefusedError
from vision.image import Pixels
from vision.imagery.brief import Layout
from vision.imagery.diffusion.admission import Admitted
from vision.imagery.diffusion.enlarge import CRISP, SMOOTH, calmed, enlarged
from vision.imagery.diffusion.maps import control_map
from vision.imagery.diffusion.pipelines import Machinery, painting_over
from vision.imagery.diffusion.preview import Preview
from vision.imagery.diffusion.prompts import Prompt, prompt_of
from vision.imagery.diffusion.settings import Control, Words
from vision.imagery.diffusion.threads import computing_on
from vision.imagery.scenes.procedural.reading import layout_of
from vision.imagery.scenes.scene import Kept, OnStep, Scene, SceneAsk, Step, Style
from vision.machine import this_machine

_SMALL_PX: Final = 256  # models of less than this leave their grid in what they paint
_NO_MEMORY: Final = ("out of memory", "not enough memory", "can't allocate memory")


class DiffusionScenes:
    """A `SceneGenerator` over one pipeline."""

    def __init__(self, name: str, admitted: Admitted, pipeline: Any, machinery: Machinery) -> None:
        self._name, self._admitted, self._pipeline, self._machinery = name, admitted, pipeline, machinery
        self._settings = admitted.settings
        self._preview = Preview.of(pipeline)
        blocks = len(pipeline.unet.config.block_out_channels) - 1
        self._multiple = pipeline.vae_scale_factor * 2**blocks

    @property
    def name(self) -> str:
        """As a brief names it."""
        return self._name

    @property
    def synthetic(self) -> bool:
        """A trained model paints."""
        return True

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """Versions, the digest of all files of the model, and what computes."""
        device = self._machinery.device
        processor = this_machine().cpu
        return {
            "model": self._admitted.digest,
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "python": platform.python_version(),
            "device": device if device == "cpu" else f"{device} {torch.cuda.get_device_name(device)}",
            "dtype": self._machinery.dtype,
            "offload": "yes" if self._machinery.offload else "no",
            "threads": str(self._machinery.threads),
            "processor": f"{processor} {torch.backends.cpu.get_cpu_capability()}",
        }

    def generate(self, ask: SceneAsk, on_step: OnStep) -> Scene:
        """Paint a scene at the model's own size, enlarged to the size asked for.

        Raises:
            OutOfMemoryError: as it says; the generator is as it was.
            RefusedError: the model's safety checker objects to what this seed gave.
            CancelledError: raised by `on_step`; the generator is as it was.
        """
        look = None if ask.style is None else ask.style.look
        prompt = prompt_of(self._settings.words, ask.words, ask.layout, ask.seed, look)
        own_wh = self._own_size(ask.size_wh)
        with computing_on(self._machinery.threads):
            painted = self._painted(ask, prompt, own_wh, on_step)
        begun = self._begun_from(ask)
        kernel = SMOOTH if self._settings.native_px < _SMALL_PX else CRISP
        calm = calmed(painted, self._settings.calm)
        image_hwc = enlarged(calm, ask.size_wh, seed=ask.seed, kernel=kernel)
        return Scene(
            image_hwc=image_hwc,
            layout=self._layout(prompt, image_hwc),
            record=self._record(prompt, own_wh, begun),
        )

    def _begun_from(self, ask: SceneAsk) -> Style | None:
        """The style picture, where the model begins with it; our own model gets its look in words."""
        return None if self._settings.words is Words.STUDIO else ask.style

    @cached_property
    def _over(self) -> Any:
        return painting_over(self._pipeline, self._admitted, self._machinery)

    def _layout(self, prompt: Prompt, image_hwc: Pixels) -> Layout:
        """As asked for, where the model was made to follow it; as the picture shows it elsewhere."""
        if prompt.follows or self._settings.control is Control.LAYOUT:
            return prompt.layout
        seen = layout_of(image_hwc)
        return (
            seen
            if self._settings.control is None
            else Layout(horizon=prompt.layout.horizon, light=seen.light)
        )

    def _painted(
        self, ask: SceneAsk, prompt: Prompt, own_wh: tuple[int, int], on_step: OnStep
    ) -> npt.NDArray[np.float32]:
        """float32 (h, w, 3), 0 to 1."""
        begun = self._begun_from(ask)
        pipeline = self._pipeline if begun is None else self._over
        shown = self._pictures(ask, prompt, own_wh)
        if begun is None or self._admitted.inpaints:
            shown |= {"width": own_wh[0], "height": own_wh[1]}  # else those of the picture

        def told(_pipeline: Any, number: int, _time: Any, kept: dict[str, Any]) -> dict[str, Any]:
            steps = pipeline.num_timesteps
            on_step(Step(done=number + 1, steps=steps, preview_hwc=self._preview.of_latents(kept["latents"])))
            return kept

        try:
            with torch.inference_mode():
                made = pipeline(
                    prompt=prompt.text,
                    negative_prompt=self._settings.negative or None,  # which is not the same to SDXL
                    num_inference_steps=self._settings.steps,
                    guidance_scale=self._settings.guidance,
                    generator=torch.Generator("cpu").manual_seed(ask.seed),
                    output_type="np",
                    callback_on_step_end=told,
                    callback_on_step_end_tensor_inputs=["latents"],
                    **shown,
                )
        except (RuntimeError, MemoryError) as error:
            if not _memory_ran_out(error):
                raise
            raise OutOfMemoryError(
                f"{self._name}: expected enough memory for a scene of {own_wh[0]}x{own_wh[1]} pixels on {self._machinery.device}; "
                "it ran out"
            ) from error
        finally:
            pipeline.maybe_free_model_hooks()
            if self._machinery.device != "cpu":
                torch.cuda.empty_cache()
        if any(getattr(made, "nsfw_content_detected", None) or ()):
            raise RefusedError(
                f"{self._name}: the model's safety checker objects to the scene of seed {ask.seed}; another seed or other words may do"
            )
        return np.asarray(made.images[0], np.float32)

    def _pictures(self, ask: SceneAsk, prompt: Prompt, own_wh: tuple[int, int]) -> dict[str, Any]:
        """What the pipeline is shown: the style picture to paint over, the product to paint around, the map to follow."""
        shown: dict[str, Any] = {}
        begun = self._begun_from(ask)
        if begun is not None:
            image = Image.fromarray(_filling(begun.image_hwc, own_wh))
            shown |= {"image": image, "strength": self._settings.strength}
        if self._admitted.inpaints:
            around, free = _around(ask.kept, own_wh, begun)
            shown |= {"image": Image.fromarray(around), "mask_image": Image.fromarray(free)}
            shown.setdefault("strength", 1.0)
        if self._settings.control is not None:
            # our own model learned from empty studios
            kept = None if self._settings.words is Words.STUDIO else ask.kept
            map_hwc = control_map(self._settings.control, prompt.layout, kept, own_wh)
            name = "control_image" if shown else "image"
            shown |= {
                name: Image.fromarray(map_hwc),
                "controlnet_conditioning_scale": self._settings.control_scale,
            }
        return shown

    def _own_size(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """The model's area in the shape asked for, in steps that its layers can halve."""
        native = self._settings.native_px
        if self._settings.fixed_size:
            return native, native
        share = native / (size_wh[0] * size_wh[1]) ** 0.5
        width, height = (max(round(side * share / self._multiple), 1) * self._multiple for side in size_wh)
        return width, height

    def _record(self, prompt: Prompt, own_wh: tuple[int, int], begun: Style | None) -> dict[str, JsonValue]:
        settings, pipeline = self._settings, self._pipeline if begun is None else self._over
        tokens = len(pipeline.tokenizer(prompt.text).input_ids)
        return prompt.record | {
            "pipeline": type(pipeline).__name__,
            "scheduler": type(pipeline.scheduler).__name__,
            "prompt": prompt.text,
            "prompt_cut": tokens > pipeline.tokenizer.model_max_length,
            "negative": settings.negative,
            "steps": settings.steps,
            "guidance": settings.guidance,
            "painted_wh": list(own_wh),
            "calm": settings.calm,
            "control": settings.control.value if settings.control is not None else None,
            "loras": [{"file": lora.file, "scale": lora.scale} for lora in settings.loras],
            "licence": settings.licence,
            "files": dict(self._admitted.files),
            **({} if begun is None else {"style_strength": settings.strength}),
        }


def _around(kept: Kept | None, size_wh: tuple[int, int], begun: Style | None) -> tuple[Pixels, Pixels]:
    """The frame with the product, on the style picture where there is one, and what may be painted: 255 but on the product."""
    width, height = size_wh
    ground = None if begun is None else _filling(begun.image_hwc, size_wh)
    if kept is None:
        grey = np.full((height, width, 3), 127, np.uint8)
        return grey if ground is None else ground, np.full((height, width), 255, np.uint8)
    image = np.asarray(cv2.resize(kept.image_hwc, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    shares = cv2.resize(kept.mask_hw.astype(np.uint8) * 255, size_wh, interpolation=cv2.INTER_AREA)
    free = np.where(shares > 127, 0, 255).astype(np.uint8)
    return image if ground is None else np.where(free[..., None] > 0, ground, image), free


def _filling(image_hwc: Pixels, size_wh: tuple[int, int]) -> Pixels:
    """The middle of a picture, cut to the frame's shape and as large as it."""
    height, width = image_hwc.shape[:2]
    share = min(width / size_wh[0], height / size_wh[1])
    cut_wh = [
        min(max(round(side * share), 1), most) for side, most in zip(size_wh, (width, height), strict=True)
    ]
    left, top = (width - cut_wh[0]) // 2, (height - cut_wh[1]) // 2
    cut = image_hwc[top : top + cut_wh[1], left : left + cut_wh[0]]
    return np.asarray(cv2.resize(cut, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def _memory_ran_out(error: BaseException) -> bool:
    """Whether that is what it says: a class of its own for GPUs, words alone for the processor."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error).lower() for words in _NO_MEMORY)
