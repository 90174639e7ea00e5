"""The training loop of the model of scenes; reads top to bottom. One process, the processor alone."""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from diffusers.models.attention_processor import AttnProcessor
from rich.progress import Progress
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.fit import first_interrupt_waits, learning_rate_factor
from training.processor import name_of, precision_here
from training.scenes.layout import teach_layout
from training.scenes.lesson import SceneLesson, corpus
from training.scenes.pack import write_model
from training.scenes.painter import Painter, autoencoder, loss_of, scheduler
from training.scenes.run import SceneResult, SceneRun
from training.scenes.tensors import as_tensor
from training.scenes.vocabulary import learn_tokenizer
from vision.commands.output import bar
from vision.files import append_line, atomic_path, held, remove_unfinished
from vision.imagery.diffusion.threads import computing_on

CHECKPOINT_EVERY_S: Final = 120.0
_REPORT_EVERY: Final = 50  # steps
_WARMUP: Final = 0.02
_FITTED_ON: Final = 2000  # pictures are enough for the components of patches
_CHECKPOINT: Final = "checkpoint.pt"


@dataclass(slots=True)
class _Counters:
    """Where the run stands; saved with each checkpoint."""

    step: int = 0
    elapsed_s: float = 0.0
    loss: float = math.nan  # smoothed


def fit(run: SceneRun, out: Path) -> SceneRun:
    """Train, or go on training, in `out`; returns the run with its result, as `run.json` then holds it.

    Raises:
        StorageError: the disk refused, or another process trains in `out`.
        KeyboardInterrupt: after a checkpoint was written; the same call goes on from there.
    """
    with held(out / ".lock"), computing_on(run.threads), bar(counted=False) as progress_bar:
        remove_unfinished(out / _CHECKPOINT)
        fitting = SceneFitting(run, out, progress_bar)
        fitting.restore()
        with first_interrupt_waits(fitting):
            result = fitting.run(progress_bar)
        fitting.checkpoint()  # one who interrupts the second part finds the first done
        painter = fitting.learned()
        layout_steps = teach_layout(
            painter,
            fitting.lesson,
            fitting.vae,
            fitting.tokenizer,
            progress_bar,
            batch_size=run.batch_size,
            minutes=run.layout_minutes,
            steps=run.layout_steps,
        )
        finished = run.model_copy(update={"result": result.model_copy(update={"layout_steps": layout_steps})})
        write_model(out / "model", painter, fitting.vae, fitting.tokenizer, finished)
        finished.write(out)
        (out / _CHECKPOINT).unlink(missing_ok=True)
    return finished


class SceneFitting:
    """What changes from step to step, and the step."""

    def __init__(self, run: SceneRun, out: Path, progress_bar: Progress) -> None:
        torch.manual_seed(run.seed)
        self.settings, self.out = run, out
        self.lesson = SceneLesson.drawn(run.scenes, run.seed, progress_bar)
        self.tokenizer = learn_tokenizer(corpus(20_000, run.seed))
        self.vae = autoencoder(as_tensor(self.lesson.pictures_nhwc[:_FITTED_ON]))
        self.painter = Painter(self.tokenizer)
        self.painter.unet.set_attn_processor(AttnProcessor())
        self.averaged = AveragedModel(
            self.painter,
            multi_avg_fn=get_ema_multi_avg_fn(run.ema_decay),  # type: ignore[no-untyped-call]
        )
        self.optimizer = torch.optim.AdamW(
            self.painter.parameters(), lr=run.learning_rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        self.kept = scheduler().alphas_cumprod
        self.narrow = precision_here() == "bf16-mixed"
        self.counters = _Counters()
        self.saved_at = time.monotonic()
        self.interrupted = False

    def run(self, progress_bar: Progress) -> SceneResult:
        """The loop."""
        task = progress_bar.add_task("training", total=1.0, note="")
        self.painter.train()
        while self.progress() < 1:
            started = time.monotonic()
            loss = self.step()
            self.counters.elapsed_s += time.monotonic() - started
            self.report(loss)
            progress_bar.update(task, completed=self.progress(), note=f"loss {self.counters.loss:.4f}")
            if self.interrupted or time.monotonic() - self.saved_at > CHECKPOINT_EVERY_S:
                self.checkpoint()
            if self.interrupted:
                raise KeyboardInterrupt
        return SceneResult(
            steps=self.counters.step,
            seconds=round(self.counters.elapsed_s, 1),
            images_per_s=round(self.counters.step * self.settings.batch_size / self.counters.elapsed_s, 1),
            loss=round(self.counters.loss, 5),
            processor=name_of(torch.device("cpu")),
        )

    def learned(self) -> Painter:
        """The networks as averaged over the last steps."""
        painter = self.averaged.module
        assert isinstance(painter, Painter)  # noqa: S101  (as it was given)
        return painter

    def progress(self) -> float:
        """Share of the run that is done, 0 to 1."""
        run = self.settings
        of_steps = self.counters.step / run.steps if run.steps else 0.0
        of_time = self.counters.elapsed_s / 60 / run.minutes if run.minutes else 0.0
        return max(of_steps, of_time)

    def step(self) -> float:
        """One step; its draws are a function of seed and step."""
        run = self.settings
        pictures, captions, _ = self.lesson.batch(self.counters.step, run.batch_size)
        tokens = self.tokenizer(
            captions, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        (latents,) = self.vae.encode(as_tensor(pictures), return_dict=False)
        draw = torch.Generator().manual_seed(run.seed * 1_000_003 + self.counters.step)
        for group in self.optimizer.param_groups:
            group["lr"] = run.learning_rate * learning_rate_factor(self.progress(), _WARMUP)
        # attention over 64 places: torch's blockwise kernel takes twice as long as two plain products
        with (
            torch.autocast("cpu", torch.bfloat16, enabled=self.narrow),
            sdpa_kernel(SDPBackend.MATH),
        ):
            loss = loss_of(self.painter, latents * self.vae.config.scaling_factor, tokens, self.kept, draw)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.painter.parameters(), 1.0)
        self.optimizer.step()
        self.averaged.update_parameters(self.painter)
        self.counters.step += 1
        return float(loss.detach())

    def report(self, loss: float) -> None:
        counters = self.counters
        counters.loss = loss if math.isnan(counters.loss) else 0.98 * counters.loss + 0.02 * loss
        if counters.step % _REPORT_EVERY == 0:
            line = {
                "step": counters.step,
                "loss": round(counters.loss, 5),
                "elapsed_s": round(counters.elapsed_s, 1),
            }
            append_line(self.out / "metrics.jsonl", json.dumps(line))

    def checkpoint(self) -> None:
        with atomic_path(self.out / _CHECKPOINT) as path:
            torch.save(
                {
                    "painter": self.painter.state_dict(),
                    "averaged": self.averaged.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "counters": (self.counters.step, self.counters.elapsed_s, self.counters.loss),
                },
                path,
            )
        self.saved_at = time.monotonic()

    def restore(self) -> None:
        """Go on from the last checkpoint, where there is one."""
        path = self.out / _CHECKPOINT
        if not path.exists():
            return
        saved = torch.load(path, weights_only=True)
        self.painter.load_state_dict(saved["painter"])
        self.averaged.load_state_dict(saved["averaged"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.counters = _Counters(*saved["counters"])
