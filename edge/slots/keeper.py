"""One name's models in a running line: loaded beside each other, swapped between parts, and the new one sent away when it regresses.

A part keeps the model that it was given at the trigger. `look` does all that takes time, in a thread that is nobody's event loop; a station's
loop only tells `hear`. It does not know how a bundle becomes a model.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from edge.judging import BundleJudges
from edge.line import StationTable
from edge.parts import Finished, Judge
from edge.slots.seats import Named
from edge.slots.state import Held, SlotState
from edge.slots.store import SlotStore
from edge.slots.trial import Pair, Tally, Terms, passed, regression
from vision.errors import BundleError, LoupeError, StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A bundle, loaded and warm.

    Attributes:
        typical_ms: measures what the model takes for one part, where no parts were seen that tell.
    """

    judge: Judge
    digest: str
    typical_ms: Callable[[], float]


OpenModel = Callable[[Path, StationTable, bool], Model]
"""Loads a bundle for a station; with the flag, its signature by a trusted key is required. Raises a BundleError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """One bundle at every seat, in their order; none is held where it is the configured one."""

    held: Held | None
    models: tuple[Model, ...]
    tallies: tuple[Tally, ...]

    def is_for(self, held: Held | None) -> bool:
        if self.held is None or held is None:
            return self.held is held
        return (self.held.slot, self.held.digest) == (held.slot, held.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """What the new model is compared with, warm: `usual_ms` at each seat."""

    old: _Loaded
    usual_ms: tuple[float, ...]
    began_s: float = field(default_factory=time.monotonic)


class Keeper:
    """Loads what the state says, or what it falls back to.

    Args:
        judges: of the stations, by name; those of this name's seats are set here.
        starts: of the program that a trial may take before it counts as failed.
        alarm: told a station's name and what a person must look at.

    Raises:
        BundleError: not even the configured bundle can be used.
    """

    def __init__(
        self,
        store: SlotStore,
        model: Named,
        open_model: OpenModel,
        *,
        judges: Mapping[str, BundleJudges],
        terms: Terms,
        starts: int,
        alarm: Callable[[str, str], None],
    ) -> None:
        self._store, self._named, self._open, self._judges = store, model, open_model, judges
        self._terms, self._starts, self._told = terms, starts, alarm
        self._trial: _Trial | None = None
        self._tallies: dict[Judge, Tally] = {}
        self._stamp = store.stamp()
        state, loaded = self._first(self._first_state())
        self._use(loaded)
        if state.on_trial:
            self._begin_trial(self._fallback(state))

    @property
    def on_trial(self) -> bool:
        return self._trial is not None

    def hear(self, finished: Finished) -> bool:
        """Count a part for the model that it was given; true where that may decide a trial. For a station's event loop: waits for nothing."""
        tally = None if finished.judge is None else self._tallies.get(finished.judge)
        return tally is not None and tally.add(finished) and self._trial is not None

    def look(self) -> None:
        """Decide the trial if it can be decided, and follow the state if somebody changed it. Takes seconds where a model is loaded."""
        if self._trial is not None:
            self._judge_trial(self._trial)
        stamp = self._store.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._follow()

    def end(self) -> None:
        """The program ends in good order: it did not die of the new model."""
        if self._trial is not None:
            self._write(SlotState.ended)

    # --- at the start

    def _first_state(self) -> SlotState:
        """What is to be loaded, with this start counted before anything can go wrong with it."""
        state = self._read_or_set_aside()
        if state.active is None:
            return state
        found = self._write(lambda now: now.beside(self._named.digest, _now()).started())
        if found.active is None and found.last_rollback is not None:
            self._alarm(f"{found.last_rollback.version} in a slot is not used: {found.last_rollback.reason}")
        elif found.starts is not None and found.starts > self._starts:
            return self._undo(found.active, f"{found.starts - 1} starts ended badly while it was on trial")
        return found

    def _read_or_set_aside(self) -> SlotState:
        try:
            return self._store.read()
        except StorageError as error:
            self._alarm(f"{error}; the configured bundle is used")
        try:
            self._alarm(f"the state was set aside as {self._store.set_aside()}")
        except OSError as error:
            self._alarm(f"the state cannot be set aside: {error.strerror}")
        return SlotState()

    def _first(self, state: SlotState) -> tuple[SlotState, _Loaded]:
        """What is active, or what the state falls back to where a slot cannot be used."""
        while state.active is not None:
            try:
                return state, self._load(state.active)
            except LoupeError as error:
                state = self._undo(state.active, f"it cannot be loaded: {error}")
        return state, self._load(None)

    def _fallback(self, state: SlotState) -> _Loaded | None:
        """The warm one beside a trial: the previous bundle, or the configured one where that cannot be used."""
        for held in [None] if state.previous is None else [state.previous, None]:
            try:
                return self._load(held)
            except LoupeError as error:
                self._alarm(f"what ran before cannot be loaded: {error}")
        return None

    # --- while the line runs

    def _follow(self) -> None:
        """Load and use what the state says now, unless that is what is used."""
        try:
            state = self._store.read()
        except StorageError as error:
            self._alarm(f"{error}; what runs goes on")
            return
        if self._running.is_for(state.active):
            return
        if self._trial is not None and self._trial.old.is_for(state.active):
            self._use(self._trial.old)
            self._end_trial()
            return
        try:
            loaded = self._load(state.active)
        except LoupeError as error:
            self._refuse(state, error)
            return
        old = self._running
        if not state.on_trial:
            self._use(loaded)
            self._end_trial()
            return
        usual = self._usual_ms(old)
        self._use(loaded)
        self._trial = _Trial(old=old, usual_ms=usual)
        self._remember()

    def _refuse(self, state: SlotState, error: LoupeError) -> None:
        """What is to be used cannot be: what runs goes on, and after a start as well if it was on trial."""
        if state.on_trial and state.active is not None:
            self._undo(state.active, f"it cannot be loaded: {error}")
        else:
            self._alarm(f"what is to run now cannot be loaded: {error}; what runs goes on")

    def _judge_trial(self, trial: _Trial) -> None:
        pairs = [
            Pair(old=old.record(), new=new.record(), usual_ms=usual)
            for old, new, usual in zip(trial.old.tallies, self._running.tallies, trial.usual_ms, strict=True)
        ]
        active = self._running.held
        reason = regression(pairs, self._terms)
        if reason is not None:
            self._use(trial.old)  # at once; then it is written down
            self._end_trial()
            self._undo(active, reason)
        elif passed(pairs, self._terms, (time.monotonic() - trial.began_s) / 60):
            self._end_trial()
            self._write(lambda now: now.confirmed() if now.active == active else now)

    def _begin_trial(self, old: _Loaded | None) -> None:
        if old is None:
            self._alarm("a bundle is on trial, and there is nothing to fall back to")
            return
        self._trial = _Trial(old=old, usual_ms=self._usual_ms(old))
        self._remember()

    def _end_trial(self) -> None:
        """And let go of the model that does not judge."""
        self._trial = None
        self._remember()

    def _usual_ms(self, loaded: _Loaded) -> tuple[float, ...]:
        seen = [one.record().median_ms() for one in loaded.tallies]
        return tuple(
            model.typical_ms() if median is None else median
            for model, median in zip(loaded.models, seen, strict=True)
        )

    # --- models

    def _load(self, held: Held | None) -> _Loaded:
        """Raises BundleError when it cannot be used, or a slot holds another one than the state says."""
        models = []
        for seat in self._named.seats:
            path = seat.bundle if held is None else self._store.path(held.slot)
            model = self._open(path, seat.station, held is not None)
            if held is not None and model.digest != held.digest:
                raise BundleError(
                    f"{path}: expected the bundle {held.digest[:16]}, found {model.digest[:16]}"
                )
            models.append(model)
        window = max(200, self._terms.parts)
        return _Loaded(held=held, models=tuple(models), tallies=tuple(Tally(window) for _ in models))

    def _use(self, loaded: _Loaded) -> None:
        """Have parts that pass the trigger from now on judged by these."""
        self._running = loaded
        self._remember()
        for seat, model in zip(self._named.seats, loaded.models, strict=True):
            self._judges[seat.station.name].swap(seat.code, model.judge)

    def _remember(self) -> None:
        """Which judge's parts are counted where; a new mapping, since a station's loop reads it meanwhile."""
        known = [self._running, *([self._trial.old] if self._trial is not None else [])]
        self._tallies = {
            model.judge: tally for one in known for model, tally in zip(one.models, one.tallies, strict=True)
        }

    # --- the state

    def _undo(self, held: Held | None, reason: str) -> SlotState:
        """Write down that a bundle was taken back, if it is still the active one, and say so."""
        version = held.version if held is not None else "the configured bundle"
        self._alarm(f"{version} was rolled back: {reason}")
        return self._write(lambda now: now.rolled_back(reason, _now()) if now.active == held else now)

    def _write(self, change: Callable[[SlotState], SlotState]) -> SlotState:
        """A disk that refuses is an alarm: the line goes on, and what was decided holds until the program ends."""
        try:
            return self._store.update(change)
        except StorageError as error:
            self._alarm(f"{error}; after the next start the line may not know what was decided now")
        try:
            return change(self._store.read())
        except StorageError:
            return SlotState()

    def _alarm(self, what: str) -> None:
        for station in dict.fromkeys(seat.station.name for seat in self._named.seats):
            self._told(station, f"{self._store.name}: {what}")


def _now() -> datetime:
    return datetime.now(UTC)
