"""The training loop: a run's settings in, a trained network in the run's folder out.

Reads top to bottom: `fit` launches one process a device, `Fitting` holds what changes from step to step,
`Fitting.run` is the loop. Every picture drawn is a function of seed and step, so a run that was killed goes on from
its last checkpoint with the draws it would have had. What is learned is a `Lesson`'s to say; manifests and bundles are unknown here.
"""

import json
import math
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, Final, Protocol

import lightning_fabric as lf
import numpy as np
import torch
from lightning_fabric.strategies.ddp import DDPStrategy
from rich.progress import Progress, TaskID
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.multiprocessing.spawn import ProcessRaisedException
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from typing_extensions import override

from training.data import Draws, PictureCache, batches_of, cached, in_batches
from training.lesson import Lesson
from training.lessons import lesson_of
from training.model import Seeing, parameter_groups, rest_normalisation
from training.processor import name_of, precision_here
from training.run import BaseRun, R, Result
from vision.commands.output import bar
from vision.errors import LoupeError
from vision.files import append_line, atomic_path, held, remove_unfinished, write_bytes

CHECKPOINT_EVERY_S: Final = 120.0
_REPORT_EVERY: Final = 10  # steps
_WORKERS: Final = 4  # processes that draw pictures for one GPU; beside a CPU they would only take from it
_CHECKPOINT: Final = "checkpoint.pt"
_BEST: Final = "best.safetensors"
_MODEL: Final = "model.safetensors"


@dataclass(slots=True)
class _Counters:
    """Where the run stands; saved with each checkpoint."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    elapsed_s: float = 0.0
    train_s: float = 0.0
    images: int = 0
    best_score: float = -1.0
    best_loss: float = math.inf
    best_step: int = 0
    epochs_since_best: int = 0


class Interruptible(Protocol):
    """A training loop that looks at this after each step."""

    interrupted: bool


class Trainee(nn.Module):
    """What Fabric wraps: the network with its lesson's answers alone."""

    def __init__(self, network: Seeing, lesson: Lesson[Any]) -> None:
        super().__init__()
        self.network = network
        self._lesson = lesson

    @override
    def forward(self, image: Tensor, *beside: Tensor) -> Tensor:
        return self._lesson.answers(self.network, image, *beside)


def fit(run: R, out: Path, *, devices: int = 1) -> R:
    """Train, or go on training, in `out`; returns the run with its result, as `run.json` then holds it.

    Raises:
        SettingsError: the weights do not fit the recipe's backbone.
        ImageError: a picture cannot be read.
        StorageError: the disk refused, or another process trains in `out`.
        LoupeError: with several `devices`, any of these in one of their processes.
        KeyboardInterrupt: after a checkpoint was written; the same call goes on from there.
    """
    strategy = DDPStrategy(start_method="spawn") if devices > 1 else "auto"
    faults: SimpleQueue[str] = get_context("spawn").SimpleQueue()
    fabric = lf.Fabric(accelerator="auto", devices=devices, strategy=strategy, precision=precision_here())
    with held(out / ".lock"):
        for name in (_CHECKPOINT, _BEST, _MODEL):
            remove_unfinished(out / name)
        try:
            finished: R = fabric.launch(_fit, run, out, faults)  # type: ignore[arg-type]  # it passes further arguments on
        except ProcessRaisedException as error:
            # without a fault of ours, the last line of that process's traceback
            cause = str(error).rstrip().splitlines()[-1] if faults.empty() else faults.get()
            raise LoupeError(f"a training process ended: {cause}") from error
    return finished


def _fit(fabric: lf.Fabric, run: R, out: Path, faults: "SimpleQueue[str]") -> R:
    try:
        fitting = Fitting(fabric, run, out)
        fitting.restore()
        with first_interrupt_waits(fitting):
            result = fitting.run()
    except LoupeError as error:
        # the others fail for want of this one, and which of them is seen to end first is chance
        faults.put(str(error))
        raise
    finished = run.model_copy(update={"result": result})
    if fabric.is_global_zero:
        finished.write(out)
        for name in (_CHECKPOINT, _BEST):
            (out / name).unlink(missing_ok=True)
        shutil.rmtree(out / "cache", ignore_errors=True)
    return finished


@contextmanager
def first_interrupt_waits(fitting: Interruptible) -> Iterator[None]:
    """Let the first Ctrl-C end the run after the step in hand, and the second one at once."""

    def ask(_signal: int, _frame: object) -> None:
        if fitting.interrupted:
            raise KeyboardInterrupt
        fitting.interrupted = True

    previous = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def learning_rate_factor(progress: float, warmup: float) -> float:
    """Linear warm-up, then half a cosine to zero (Loshchilov & Hutter 2016, arXiv:1608.03983); 0..1."""
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))


class Fitting:
    """One process's share of a run: what changes from step to step."""

    def __init__(self, fabric: lf.Fabric, run: BaseRun, out: Path) -> None:
        fabric.seed_everything(run.seed, verbose=False)
        self.fabric, self.settings, self.out, self.recipe = fabric, run, out, run.recipe
        self.items, self.tune_items = run.role("train"), run.role("tune")
        self.lesson = lesson_of(run)
        self.network = self.lesson.network()
        self.network.to(memory_format=torch.channels_last)
        self.ema = AveragedModel(
            self.network,
            multi_avg_fn=get_ema_multi_avg_fn(self.recipe.ema_decay),  # type: ignore[no-untyped-call]
            use_buffers=True,
        ).to(fabric.device)
        optimizer = torch.optim.AdamW(
            parameter_groups(
                self.network,
                frozen=self.recipe.frozen,
                weight_decay=self.recipe.weight_decay,
                head_pace=self.recipe.head_pace,
            )
        )
        self.trainee, self.optimizer = fabric.setup(Trainee(self.network, self.lesson), optimizer)
        self.counters = _Counters()
        self.saved_at = time.monotonic()
        self.interrupted = False
        self.steps_an_epoch = len(
            batches_of(np.arange(len(self.items)), self.recipe.batch_size, epoch=0, seed=0)
        )

    # --- the loop

    def run(self) -> Result:
        with bar(counted=False) as progress_bar:
            if self.counters.step == 0 and self.settings.weights != "none":
                self.solve_heads(progress_bar)
                self.compare(progress_bar)  # the solved heads on untouched features is the one to beat
            task = progress_bar.add_task("training", total=1.0, note="")
            started = time.monotonic()
            for size_px, batch, rows in self.draws(progress_bar):
                loss = self.step(batch, rows)
                self.count(time.monotonic() - started, len(batch) * self.fabric.world_size)
                self.report(loss, size_px, progress_bar, task)
                if self.counters.batch == self.steps_an_epoch or self.progress() >= 1:
                    self.end_epoch(progress_bar)
                elif time.monotonic() - self.saved_at > CHECKPOINT_EVERY_S:
                    self.checkpoint()
                if self.interrupted:
                    self.checkpoint()
                    raise KeyboardInterrupt
                started = time.monotonic()  # the next draw's decoding and augmentation count, too
        return self.finish()

    def draws(self, progress_bar: Progress) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Batches to the end of the run; a change of size or epoch starts a new loader."""
        while self.progress() < 1 and not self.out_of_patience():
            epoch, size_px = self.counters.epoch, self.recipe.size_px(self.progress())
            order = self.lesson.order(epoch)
            batches = batches_of(order, self.recipe.batch_size, epoch=epoch, seed=self.settings.seed)
            rank, world = self.fabric.global_rank, self.fabric.world_size
            workers = 0 if self.fabric.device.type == "cpu" else _WORKERS
            loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
                Draws(self.cache(size_px, progress_bar), self.recipe.augment),  # type: ignore[arg-type]
                batch_sampler=[batch[rank::world] for batch in batches[self.counters.batch :]],
                num_workers=workers,
                # else a process that was itself spawned (`devices` > 1) spawns these anew each epoch, pictures copied
                multiprocessing_context="fork" if workers else None,
            )
            for batch, rows in loader:
                yield size_px, batch, rows
                moved_on = self.counters.epoch != epoch or self.recipe.size_px(self.progress()) != size_px
                if moved_on or self.progress() >= 1:
                    break

    def solve_heads(self, progress_bar: Progress) -> None:
        """Begin with the best heads for the features as they came; the first process's are everybody's."""
        started = time.monotonic()
        pixels = self.cache(self.recipe.preprocess.size_wh[0], progress_bar).pixels
        if self.fabric.is_global_zero:
            task = progress_bar.add_task("reading features", total=len(pixels), note="")
            with self.fabric.autocast():
                self.lesson.begin(self.network, pixels, lambda count: progress_bar.advance(task, count))
            progress_bar.remove_task(task)
        self.network.load_state_dict(self.fabric.broadcast(self.network.heads()), strict=False)
        self.ema.module.load_state_dict(self.network.state_dict())
        self.counters.elapsed_s += self.fabric.broadcast(time.monotonic() - started)

    def step(self, batch: Tensor, rows: Tensor) -> float:
        recipe = self.recipe
        self.trainee.train()
        if self.settings.weights != "none":
            rest_normalisation(self.trainee)
        factor = learning_rate_factor(self.progress(), recipe.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * factor * group["pace"]
        beside = self.lesson.beside("train", rows, self.counters.step)
        answers = self.trainee(*map(self.fabric.to_device, (batch, *beside)))
        loss = self.lesson.loss(answers, rows)
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.trainee, self.optimizer, max_norm=1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update_parameters(self.network)
        return float(loss.detach())

    def progress(self) -> float:
        """How much of the run is over, 0..1: by steps, or by time where that is further."""
        total = self.recipe.epochs * self.steps_an_epoch
        by_steps = self.counters.step / total
        minutes = self.settings.minutes
        return min(1.0, max(by_steps, self.counters.elapsed_s / (60 * minutes)) if minutes else by_steps)

    def out_of_patience(self) -> bool:
        return self.counters.epochs_since_best >= self.recipe.patience

    # --- keeping count

    def count(self, seconds: float, images: int) -> None:
        """Advance by one step; the first process's clock and Ctrl-C are everybody's, so that all agree."""
        if self.fabric.world_size > 1:
            seconds, self.interrupted = self.fabric.broadcast((seconds, self.interrupted))
        counters = self.counters
        counters.step, counters.batch = counters.step + 1, counters.batch + 1
        counters.images += images
        counters.elapsed_s += seconds
        counters.train_s += seconds

    def report(self, loss: float, size_px: int, progress_bar: Progress, task: TaskID) -> None:
        rate = self.counters.images / max(self.counters.train_s, 1e-9)
        note = f"{size_px} px  loss {loss:.3f}  {rate:.1f} images/s  tune {self.lesson.measure} {max(self.counters.best_score, 0):.3f}"
        progress_bar.update(task, completed=self.progress(), note=note)
        if self.counters.step % _REPORT_EVERY == 0:
            self.log(loss=round(loss, 4), size_px=size_px, images_per_s=round(rate, 1))

    def log(self, **values: object) -> None:
        if not self.fabric.is_global_zero:
            return
        head = {
            "step": self.counters.step,
            "epoch": self.counters.epoch,
            "progress": round(self.progress(), 4),
        }
        line = json.dumps({**head, "elapsed_s": round(self.counters.elapsed_s, 1), **values})
        append_line(self.out / "metrics.jsonl", line)

    def cache(self, size_px: int, progress_bar: Progress) -> PictureCache:
        return self._prepared(self.items, size_px, progress_bar)

    def _prepared(self, items: tuple[Any, ...], size_px: int, progress_bar: Progress) -> PictureCache:
        spec = self.recipe.preprocess.resized((size_px, size_px))
        task = progress_bar.add_task(f"decoding at {size_px} px", total=len(items), note="")
        with self.fabric.rank_zero_first():
            prepared = cached(
                items, spec, self.out / "cache", advance=lambda n: progress_bar.advance(task, n)
            )
        progress_bar.remove_task(task)
        return prepared

    # --- tuning data, checkpoints, the end

    def end_epoch(self, progress_bar: Progress) -> None:
        self.counters.epoch, self.counters.batch = self.counters.epoch + 1, 0
        self.counters.epochs_since_best += 1
        self.compare(progress_bar)
        self.checkpoint()

    def compare(self, progress_bar: Progress) -> None:
        """Judge the network as it is now, and keep it if it is the best so far."""
        started = time.monotonic()
        score, loss = self.evaluate(progress_bar)
        if self.fabric.world_size > 1:  # what ends the run must be the same number everywhere
            score, loss = self.fabric.broadcast((score, loss))
        counters = self.counters
        if (score, -loss) > (counters.best_score, -counters.best_loss):
            counters.best_score, counters.best_loss, counters.best_step = score, loss, counters.step
            counters.epochs_since_best = 0
            self.save_best()
        seconds = time.monotonic() - started
        counters.elapsed_s += self.fabric.broadcast(seconds) if self.fabric.world_size > 1 else seconds
        self.log(tune_score=round(score, 4), measure=self.lesson.measure, tune_loss=round(loss, 4))

    @torch.inference_mode()
    def evaluate(self, progress_bar: Progress) -> tuple[float, float]:
        """(the lesson's measure, mean log loss) of the averaged network on the tune part."""
        pictures = self._prepared(self.tune_items, self.recipe.preprocess.size_wh[0], progress_bar).pixels
        rows = torch.arange(len(pictures))
        self.ema.eval()
        averaged: Seeing = self.ema.module  # type: ignore[assignment]
        answers, seen = [], 0
        for batch in in_batches(pictures):
            beside = self.lesson.beside("tune", rows[seen : seen + len(batch)])
            seen += len(batch)
            with self.fabric.autocast():
                said = self.lesson.answers(averaged, *map(self.fabric.to_device, (batch, *beside)))
            answers.append(said.float().cpu())
        return self.lesson.judge(torch.cat(answers))

    def save_best(self) -> None:
        if self.fabric.is_global_zero:
            state = {name: value.contiguous().cpu() for name, value in self.ema.module.state_dict().items()}
            write_bytes(self.out / _BEST, save(state))

    def checkpoint(self) -> None:
        """Write all that is needed to go on; whole or not at all."""
        if self.fabric.is_global_zero:
            state = {
                "network": self.network.state_dict(),
                "ema": self.ema.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "counters": {name: getattr(self.counters, name) for name in _Counters.__slots__},
            }
            with atomic_path(self.out / _CHECKPOINT) as unfinished, unfinished.open("wb") as file:
                torch.save(state, file)  # by path it would hide a full disk in a RuntimeError
        self.saved_at = time.monotonic()

    def restore(self) -> None:
        """Go on from the last checkpoint, where there is one."""
        path = self.out / _CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, map_location=self.fabric.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.counters = _Counters(**state["counters"])

    def finish(self) -> Result:
        counters = self.counters
        if self.fabric.is_global_zero:
            write_bytes(self.out / _MODEL, save(self.lesson.finished(load_file(self.out / _BEST))))
        return Result(
            step=counters.best_step,
            steps=counters.step,
            measure=self.lesson.measure,
            tune_score=counters.best_score,
            tune_loss=counters.best_loss,
            seconds=round(counters.elapsed_s, 1),
            images_per_s=round(counters.images / max(counters.train_s, 1e-9), 2),
            processor=name_of(self.fabric.device),
            stopped="patience" if self.out_of_patience() else "complete",
        )
