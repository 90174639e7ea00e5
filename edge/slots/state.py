"""Which bundle of a name a box runs, which one before, and whether the new one has yet to prove itself. Values only.

    configured ── installed ──> slot a on trial ── confirmed ──> slot a ── installed ──> slot b on trial ─ ─
        ^                            │                             │
        └──────── rolled back ───────┴─────────────────────────────┘

No bundle in a slot is active: then the one that `line.toml` names is. It knows no disk and no model.
"""

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from vision.bundle import Digest, Version
from vision.errors import LoupeError, NotFoundError

Slot = Literal["a", "b"]
SLOTS: Final[tuple[Slot, ...]] = ("a", "b")


class OnTrialError(LoupeError):
    """A bundle is on trial, and what it would fall back to must stay where it is."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Held(_Value):
    """A bundle in a slot; `since` it became the active one."""

    slot: Slot
    version: Version
    digest: Digest
    since: AwareDatetime


class RolledBack(_Value):
    """The last time that a bundle was taken back, and why."""

    version: Version
    digest: Digest
    at: AwareDatetime
    reason: str


class SlotState(_Value):
    """What a box knows of one model's name.

    Attributes:
        factory: digest of the bundle that `line.toml` named when one was last installed.
        active: none: the configured bundle runs.
        previous: what a rollback goes to; none: the configured bundle.
        starts: of the program since the active bundle is on trial, but those that ended in good order; none: it is not on trial.
    """

    schema_version: Literal[1] = 1
    factory: Digest | None = None
    active: Held | None = None
    previous: Held | None = None
    starts: Annotated[int, Field(ge=0)] | None = None
    last_rollback: RolledBack | None = None

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.active is None and (self.previous is not None or self.starts is not None):
            raise ValueError(
                "active: expected a bundle, since there is a previous one or a trial; found none"
            )
        if self.active is not None and self.previous is not None and self.active.slot == self.previous.slot:
            raise ValueError(
                f"previous: expected another slot than the active one's, found {self.active.slot} twice"
            )
        return self

    @property
    def on_trial(self) -> bool:
        return self.starts is not None

    @property
    def free(self) -> Slot:
        """Where the next bundle goes; what lies there is the previous one at most."""
        return "b" if self.active is not None and self.active.slot == "a" else "a"

    def installed(self, held: Held, *, factory: str) -> Self:
        """With a new bundle in the free slot, on trial.

        Raises:
            OnTrialError: the active one is.
        """
        self.check_installable()
        return self._with(factory=factory, active=held, previous=self.active, starts=0)

    def check_installable(self) -> None:
        """Raises OnTrialError as `installed`."""
        if self.active is not None and self.on_trial:
            raise OnTrialError(
                f"{self.active.version} in slot {self.active.slot} is on trial: expected it confirmed or rolled back "
                "(`loupe edge rollback`) before another is installed"
            )

    def confirmed(self) -> Self:
        """Not on trial any more."""
        return self._with(starts=None)

    def rolled_back(self, reason: str, at: datetime) -> Self:
        """With what ran before: the previous bundle, or the configured one.

        Raises:
            NotFoundError: the configured one runs already.
        """
        if self.active is None:
            raise NotFoundError("expected a bundle in a slot to roll back from; the configured one runs")
        undone = RolledBack(version=self.active.version, digest=self.active.digest, at=at, reason=reason)
        before = None if self.previous is None else self.previous.model_copy(update={"since": at})
        return self._with(active=before, previous=None, starts=None, last_rollback=undone)

    def beside(self, factory: str | None, at: datetime) -> Self:
        """With the configured bundle, if `line.toml` names another one than when the active one was installed: who wrote it meant it.

        Args:
            factory: digest of the bundle that is configured now; none: several that differ.
        """
        if self.active is None or factory == self.factory:
            return self
        return self._with(previous=None).rolled_back("line.toml names another bundle since", at)

    def forgotten(self, slot: Slot) -> Self:
        """Without what lay in a slot that is written anew; the active one stays whatever is asked."""
        if self.previous is None or self.previous.slot != slot:
            return self
        return self._with(previous=None)

    def started(self) -> Self:
        """After one more start of the program, which may be the new bundle's doing."""
        return self if self.starts is None else self._with(starts=self.starts + 1)

    def ended(self) -> Self:
        """After the program ended in good order: none of its starts was in vain."""
        return self if self.starts is None else self._with(starts=0)

    def _with(self, **changes: object) -> Self:
        return self.model_validate({**dict(self), **changes})
