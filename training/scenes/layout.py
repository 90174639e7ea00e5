"""The second part of the lesson: a ControlNet for the layout, learned together with the rest of the painter.

Captions say where the light comes from and where the table ends, and a model this small, in an hour, learns colours and materials from them and
not these two. A map shows them where they are, and minutes are enough.
"""

import time
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from rich.progress import Progress
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTokenizer

from training.fit import learning_rate_factor
from training.processor import precision_here
from training.scenes.lesson import SIDE, SceneLesson
from training.scenes.painter import Painter, loss_of, scheduler
from training.scenes.tensors import as_tensor
from vision.imagery.diffusion.maps import control_map
from vision.imagery.diffusion.patch_pca import PatchPca
from vision.imagery.diffusion.settings import Control
from vision.imagery.scenes.procedural.studio import Studio

_RATE: Final = 1e-3
_RATE_OF_THE_REST: Final = 2e-4
_WARMUP: Final = 0.03
_WITHOUT: Final = 8  # every eighth step goes without a map, so that the model paints without one, too
_FIRST_STEP: Final = 1_000_000  # other draws than the first part's


def layout_maps(studios: Sequence[Studio]) -> Tensor:
    """(N, 3, 64, 64), 0 to 1, as the pipeline makes them of the driver's pictures."""
    maps = np.stack([control_map(Control.LAYOUT, studio.layout, None, (SIDE, SIDE)) for studio in studios])
    return torch.from_numpy(maps).movedim(-1, 1).contiguous().float() / 255


def teach_layout(
    painter: Painter,
    lesson: SceneLesson,
    vae: PatchPca,
    tokenizer: CLIPTokenizer,
    progress_bar: Progress,
    *,
    batch_size: int,
    minutes: float | None = None,
    steps: int | None = None,
) -> int:
    """Add a ControlNet to `painter` and train both for as long as asked; returns the number of steps.

    Args:
        minutes, steps: the first of them that is over ends it; one has to be given.
    """
    painter.add_layout()
    painter.unet.set_attn_processor(AttnProcessor())
    painter.train()
    optimizer = _optimizer(painter)
    task = progress_bar.add_task("layout", total=1.0, note="")
    started, step = time.monotonic(), 0
    while (done := _progress(step, started, steps, minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * learning_rate_factor(done, _WARMUP)
        pictures, captions, studios = lesson.batch(_FIRST_STEP + step, batch_size)
        tokens = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        (latents,) = vae.encode(as_tensor(pictures), return_dict=False)
        maps = None if step % _WITHOUT == _WITHOUT - 1 else layout_maps(studios)
        draw = torch.Generator().manual_seed(lesson.seed * 1_000_003 + _FIRST_STEP + step)
        loss = _learned(painter, optimizer, (latents * vae.config.scaling_factor, tokens, maps), draw)
        step += 1
        progress_bar.update(task, completed=done, note=f"loss {loss:.4f}")
    return step


def _optimizer(painter: Painter) -> torch.optim.Optimizer:
    """What is new learns faster than the rest."""
    assert painter.layout is not None  # noqa: S101  (just added)
    rest = [*painter.unet.parameters(), *painter.text.parameters()]
    groups = [
        {"params": list(painter.layout.parameters()), "peak": _RATE},
        {"params": rest, "peak": _RATE_OF_THE_REST},
    ]
    return torch.optim.AdamW(groups, lr=_RATE, betas=(0.9, 0.99), weight_decay=0.01)


def _learned(
    painter: Painter,
    optimizer: torch.optim.Optimizer,
    batch: tuple[Tensor, Tensor, Tensor | None],
    draw: torch.Generator,
) -> float:
    """One step on latents, tokens and maps; its loss."""
    latents, tokens, maps = batch
    narrow = precision_here() == "bf16-mixed"
    with torch.autocast("cpu", torch.bfloat16, enabled=narrow), sdpa_kernel(SDPBackend.MATH):
        loss = loss_of(painter, latents, tokens, scheduler().alphas_cumprod, draw, maps)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(painter.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _progress(step: int, started: float, steps: int | None, minutes: float | None) -> float:
    of_steps = step / steps if steps else 0.0
    of_time = (time.monotonic() - started) / 60 / minutes if minutes else 0.0
    return max(of_steps, of_time)
