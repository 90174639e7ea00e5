"""A part on its way: how far it has come, what a model said of it, and what became of it. Values only."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from edge.ledger import Ended
from edge.ports import Shot
from vision.inspection.drift import Drift
from vision.inspection.policy import Verdict


class Step(StrEnum):
    """How far a part has come."""

    BEGUN = "begun"
    CAPTURED = "captured"
    JUDGED = "judged"
    KEPT = "kept"
    DRIVEN = "driven"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a model said of a part.

    Attributes:
        bundle: the digest of the bundle that said so.
        model: the bundle's name and version, for people.
        drift: the drift test after this part; none where nobody watches.
        timings: milliseconds by stage.
        overlay: draws the decisive picture with the evidence over it, as a PNG; some milliseconds of work, for any thread.
    """

    verdict: Verdict
    bundle: str
    model: str = ""
    drift: Drift | None = None
    timings: dict[str, float] = field(default_factory=dict)
    overlay: Callable[[], bytes] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A part whose output has moved, as far as it came: its pictures, the model it was given and its verdict where there are any."""

    ended: Ended
    shots: tuple[Shot, ...] = ()
    judge: "Judge | None" = None
    judged: Judged | None = None


Judge = Callable[[tuple[Shot, ...]], Judged]
"""Judges the pictures of one part, one a camera. Raises an ImageError where one cannot be used. Called in the station's model thread."""


class Judges(Protocol):
    """The models of a station, by recipe."""

    def choose(self, recipe: int | None) -> Judge:
        """The model for a part that is now at the trigger; it stays this part's, whatever is chosen for the next.

        Args:
            recipe: the code of the product that runs now; none where the line has one product.

        Raises:
            LoupeError: there is no such recipe.
        """
        ...
