"""What is learned: the part of a training run that differs from task to task.

The loop (`training.fit`) draws pictures, steps and keeps count, and asks a `Lesson` for everything else. Rows are indices into the
run's train or tune part, as `role` says.
"""

from collections.abc import Callable
from typing import Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from training.model import Seeing

Role = Literal["train", "tune"]
Advance = Callable[[int], None]
N = TypeVar("N", bound=Seeing)


class Lesson(Protocol[N]):
    """One task on one run's data.

    Attributes:
        measure: what `judge` gives first, in a word; larger is better.
    """

    @property
    def measure(self) -> str: ...

    def network(self) -> N:
        """A network to train, with the weights that the run starts from.

        Raises:
            SettingsError: they do not fit.
        """
        ...

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Which rows of the train part come in an epoch, in their order: a function of seed and epoch."""
        ...

    def beside(self, role: Role, rows: Tensor, step: int | None = None) -> tuple[Tensor, ...]:
        """What the network is given beside these rows' pictures; changed a little where a training `step` is given."""
        ...

    def answers(self, network: N, image: Tensor, *beside: Tensor) -> Tensor:
        """What the network says, in the form that `loss` and `judge` read; first axis the rows."""
        ...

    def loss(self, answers: Tensor, rows: Tensor) -> Tensor:
        """What to make small, of rows of the train part."""
        ...

    def begin(self, network: N, pixels: npt.NDArray[np.uint8], advance: Advance) -> None:
        """Solve the heads on the features as they came; `pixels` are the train part's (N, H, W, 3)."""
        ...

    def judge(self, answers: Tensor) -> tuple[float, float]:
        """(measure, mean log loss) of the answers on the whole tune part, in its order."""
        ...

    def finished(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The best network's state as it is kept, with what only training asked for taken back out."""
        ...
