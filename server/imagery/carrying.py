"""One order carried out: every candidate that is not finished is made, and checked while the next one is made; each is kept as soon as it is.

A worker that dies costs nothing but the candidate that it was making; one that was made and not yet checked is only checked. Nothing here
knows what a scene model is.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from pydantic import ValidationError

from server.imagery.beside import Beside
from server.imagery.ports import Image, Sitting, Studio
from server.imagery.pulse import Pulse, Stop
from server.storage.blobs import Blobs, DamagedError
from server.storage.imagery_jobs import Candidate
from server.storage.imagery_queue import ImageryQueue, Lease, LeaseLostError, Made, Work
from server.storage.imagery_tables import AttemptEnd
from vision.errors import (
    CancelledError,
    DeviceError,
    ImageryError,
    InputError,
    LoupeError,
    MissingExtraError,
    RefusedError,
    SettingsError,
    StorageError,
)
from vision.image import encode_jpeg
from vision.imagery.brief import Brief
from vision.imagery.review import State
from vision.imagery.scenes.scene import Step

_TELL_EVERY_S: Final = 0.5
_UNFINISHED: Final = frozenset({State.DRAFT, State.GENERATED})
# What keeps this worker from any order like this one, and says nothing of the order itself.
_OWN: Final = (StorageError, DeviceError, MissingExtraError, SettingsError)
_LOG: Final = structlog.get_logger("server.imagery.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a turn ended; `again`: another try may have better luck."""

    outcome: AttemptEnd
    reason: str = ""
    again: bool = False


class Carrying:
    """How a worker carries out what it has taken up.

    Args:
        leaving: set where the whole worker is to end; the order then waits for another.
    """

    def __init__(
        self, queue: ImageryQueue, blobs: Blobs, studio: Studio, *, lease_s: float, leaving: threading.Event
    ) -> None:
        self._queue, self._blobs, self._studio = queue, blobs, studio
        self._lease_s, self._leaving = lease_s, leaving

    def carry_out(self, work: Work) -> AttemptEnd:
        """Make and check what is unfinished; whatever goes wrong becomes the order's state.

        Raises:
            StorageError: that state could not be written; the lease runs out, and the order waits again.
        """
        log = _LOG.bind(job=work.lease.job_id, attempt=work.lease.attempt)
        log.info("taken up", device=work.lease.device)
        with Pulse(self._queue, work.lease, lease_s=self._lease_s, leaving=self._leaving) as pulse:
            ended = self._ended(work, pulse)
            pulse.flush()
        if ended.outcome is AttemptEnd.LOST:
            log.warning("lost to another worker")
            return ended.outcome
        try:
            self._queue.end(
                work.lease, ended.outcome, now=datetime.now(UTC), reason=ended.reason, again=ended.again
            )
        except LeaseLostError:
            log.warning("lost to another worker")
            return AttemptEnd.LOST
        log.info("ended", outcome=ended.outcome, reason=ended.reason)
        return ended.outcome

    def _ended(self, work: Work, pulse: Pulse) -> Ended:
        try:
            refused = self._carry_out(work, pulse)
        except LeaseLostError:
            return Ended(outcome=AttemptEnd.LOST)
        except CancelledError as error:
            return _stopped(pulse.stop, error)
        except DamagedError as error:
            return Ended(outcome=AttemptEnd.FAILED, reason=str(error), again=True)
        except _OWN as error:
            return Ended(outcome=AttemptEnd.RETURNED, reason=str(error))
        except InputError as error:  # the same again would fail again
            return Ended(outcome=AttemptEnd.FAILED, reason=str(error))
        except LoupeError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001  (the worker's loop: a fault of one order must not end the worker)
            _LOG.error("failed", job=work.lease.job_id, exc_info=error)
            reason = _told(error)
        else:
            ended = AttemptEnd.FAILED if len(refused) == len(work.candidates) else AttemptEnd.DONE
            return Ended(outcome=ended, reason="; ".join(refused))
        self._studio.clear()  # outside of the handler, whose error holds on to what was being made
        return Ended(outcome=AttemptEnd.FAILED, reason=reason, again=True)

    def _carry_out(self, work: Work, pulse: Pulse) -> Sequence[str]:
        """Gives why candidates were refused; they stay drafts, and the others are made."""
        unfinished = [one for one in work.candidates if one.state in _UNFINISHED]
        if not unfinished:
            return ()
        pulse.go_on()
        pulse.begin(unfinished[0].number)  # getting ready is spent on the first one
        sitting, refused = self._sit(work), []
        with Beside() as beside:
            for candidate in unfinished:
                pulse.go_on()
                pulse.begin(candidate.number)
                try:
                    master_png = self._made(work.lease, candidate, sitting, pulse)
                except RefusedError as error:
                    refused.append(f"candidate {candidate.number}: {error}")
                else:
                    beside.do(partial(self._check, work.lease, candidate.number, master_png, sitting, pulse))
        return refused

    def _made(self, lease: Lease, candidate: Candidate, sitting: Sitting, pulse: Pulse) -> bytes:
        """The candidate's master, which an earlier turn may have made."""
        if candidate.state is not State.DRAFT:
            return self._master(candidate)
        image = sitting.make(candidate.number, self._telling(lease, candidate.number, pulse))
        self._keep(lease, candidate.number, image, sitting, pulse)
        return image.master_png

    def _check(self, lease: Lease, number: int, master_png: bytes, sitting: Sitting, pulse: Pulse) -> None:
        reports = sitting.check(master_png)
        self._queue.checked(lease, number, reports, now=datetime.now(UTC), spent_s=pulse.spent_s(number))

    def _sit(self, work: Work) -> Sitting:
        try:
            brief = Brief.model_validate(work.brief)
        except ValidationError as error:
            raise ImageryError(f"job '{work.lease.job_id}': brief: {error}") from error
        mask, style = (
            self._blobs.get(sha256) if sha256 else None for sha256 in (work.mask_sha256, work.style_sha256)
        )
        return self._studio.sit(self._blobs.get(work.photo_sha256), mask, brief, style)

    def _telling(self, lease: Lease, number: int, pulse: Pulse) -> Callable[[Step], None]:
        told_at = -_TELL_EVERY_S

        def on_step(step: Step) -> None:
            nonlocal told_at
            pulse.go_on()
            now = time.monotonic()
            if now - told_at < _TELL_EVERY_S and step.done < step.steps:
                return
            told_at = now
            preview = None if step.preview_hwc is None else encode_jpeg(step.preview_hwc, quality=80)
            self._queue.tell(lease, making=number, step=step.done, steps=step.steps, preview=preview)

        return on_step

    def _keep(self, lease: Lease, number: int, image: Image, sitting: Sitting, pulse: Pulse) -> None:
        """Pictures first, then the row that names them: killed between the two, they are strays, which are swept."""
        put, manifest = self._blobs.put, image.manifest
        made = Made(
            manifest=manifest.canonical().decode(),
            digest=manifest.digest(),
            master_sha256=put(image.master_png),
            preview_sha256=put(image.preview_jpeg),
            difference_sha256=put(image.difference_png),
            alpha_sha256=put(sitting.alpha_png),
            facts=dict(sitting.facts(image)),
        )
        self._queue.made(lease, number, made, now=datetime.now(UTC), spent_s=pulse.spent_s(number))

    def _master(self, candidate: Candidate) -> bytes:
        if candidate.master_sha256 is None:
            raise DamagedError(
                f"job '{candidate.job_id}', candidate {candidate.number}: expected its master, found none"
            )
        return self._blobs.get(candidate.master_sha256)


def _stopped(stop: Stop | None, error: CancelledError) -> Ended:
    if stop is Stop.LOST:
        return Ended(outcome=AttemptEnd.LOST)
    if stop is Stop.LEAVING:
        return Ended(outcome=AttemptEnd.RETURNED)
    if stop is Stop.CANCELLED:
        return Ended(outcome=AttemptEnd.CANCELLED)
    return Ended(outcome=AttemptEnd.FAILED, reason=str(error), again=True)  # nobody here had asked for it


def _told(error: Exception) -> str:
    """In words that hold no path and no prompt: a stranger's own words may hold both, and are in the log alone."""
    if isinstance(error, MemoryError):
        return "out of memory"
    return f"{type(error).__name__}; the worker's log has the rest"
