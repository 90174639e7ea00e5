"""Inspection as a lesson: good against defective parts, drawn in balance, judged by AUROC."""

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from training.data import balanced_order, classes_of
from training.lesson import Advance, Role
from training.model import Network, build
from training.probe import solve_head
from training.run import Run


class InspectionLesson:
    """Cross entropy over the labels; every class is drawn equally often, and its own share put back at the end."""

    measure: Final = "AUROC"

    def __init__(self, run: Run) -> None:
        self._run = run
        self.classes = classes_of(run.role("train"), run.labels)
        self._tune_classes = classes_of(run.role("tune"), run.labels)
        self._targets = torch.from_numpy(self.classes)

    def network(self) -> Network:
        return build(self._run.recipe.backbone, len(self._run.labels), self._run.weights)

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        return balanced_order(self.classes, epoch=epoch, seed=self._run.seed)

    def beside(self, role: Role, rows: Tensor, step: int | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """A part is its picture and nothing else."""
        return ()

    def answers(self, network: Network, image: Tensor, *beside: Tensor) -> Tensor:  # noqa: ARG002
        """Logits (N, C)."""
        return network.logits(image)

    def loss(self, answers: Tensor, rows: Tensor) -> Tensor:
        targets = self._targets[rows].to(answers.device)
        return nn.functional.cross_entropy(answers, targets, label_smoothing=self._run.recipe.label_smoothing)

    def begin(self, network: Network, pixels: npt.NDArray[np.uint8], advance: Advance) -> None:
        strength = self._run.recipe.probe_strength
        solve_head(network, pixels, self.classes, strength=strength, advance=advance)

    def judge(self, answers: Tensor) -> tuple[float, float]:
        """(AUROC of good against the rest, mean log loss)."""
        probabilities = answers.softmax(1).numpy()
        truth, good = self._tune_classes, self._run.labels.index(self._run.good)
        chosen = probabilities[np.arange(len(truth)), truth]
        auroc = roc_auc_score(truth != good, 1 - probabilities[:, good])
        return float(auroc), float(-np.log(np.clip(chosen, 1e-7, 1)).mean())

    def finished(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        return with_prior(state, self.classes)


def with_prior(state: dict[str, Tensor], classes: npt.NDArray[np.int64]) -> dict[str, Tensor]:
    """A state with class-balanced drawing taken back out of the head's bias.

    Trained on equal shares a network's logits hold log(1/C) where the data's own share of a class belongs; adding
    log(share x C) gives the posterior for the data as it is (Saerens et al. 2002, Neural Computation 14).
    """
    shares = np.bincount(classes) / len(classes)
    bias = state["head.bias"] + torch.from_numpy(np.log(shares * len(shares))).float()
    return {**state, "head.bias": bias}
