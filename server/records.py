"""What is kept of an answer, and what an earlier answer says to the same question.

Between the rim and the storage: decides which accepted parts people will check, which pictures stay, and whether a request was answered before.
A result that cannot be kept does not cost its caller the answer; it is counted, and health says so.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from server.config import KeepImages
from server.inspecting import Outcome
from server.metrics import Metrics
from server.once import Once, Question
from server.storage.blobs import Blobs
from server.storage.results import ResultRow, Results, StoredAnswer
from server.storage.writer import Writer
from vision.errors import NotFoundError, StorageError
from vision.inspection.policy import Decision

_DEGRADED_FOR_S: Final = 60.0
_KEEP_WITHIN_S: Final = 1.0
_PUTTING: Final = 8  # pictures on their way to the store at once


class Records:
    """The keeping of answers.

    Args:
        audit_share: share of accepted parts that are drawn for people to check, 0..1.
        draw: uniform in 0..1; not to be foreseen by whoever sends parts.
        keep_within_s: how long keeping may hold an answer back.
    """

    def __init__(
        self,
        writer: Writer,
        results: Results,
        blobs: Blobs,
        metrics: Metrics,
        *,
        keep_images: KeepImages,
        audit_share: float,
        draw: Callable[[], float] | None = None,
        keep_within_s: float = _KEEP_WITHIN_S,
    ) -> None:
        self._writer, self._results, self._blobs, self._metrics = writer, results, blobs, metrics
        self._keep_images, self._audit_share = keep_images, audit_share
        self._keep_within_s = keep_within_s
        # of their own: a store that hangs would take the loop's threads, by which callers are known, with it
        self._putting = ThreadPoolExecutor(_PUTTING, thread_name_prefix="pictures")
        self._draw = draw or random.SystemRandom().random
        self._once = Once(self._earlier)
        self._failed_at = float("-inf")

    @property
    def degraded(self) -> bool:
        """Whether a result could not be kept lately."""
        return time.monotonic() - self._failed_at < _DEGRADED_FOR_S

    async def once(self, question: Question, answer: Callable[[], Awaitable[bytes]]) -> tuple[bytes, bool]:
        """The answer to a question, and whether it had been given before; those who ask at the same time wait for one.

        Raises:
            InputError: the id was used for another payload.
        """
        return await self._once.answered(question, answer)

    async def _earlier(self, question: Question) -> StoredAnswer | None:
        try:
            return await self._results.answer_to(*question.key)
        except StorageError:  # costs the caller no more than a result that cannot be written
            self._failed_at = time.monotonic()
            return None

    def choose(self, outcome: Outcome) -> "Keeping":
        """What will be kept of an answer; its id is known before the answer is."""
        verdict = outcome.verdict
        audit = verdict.decision is Decision.ACCEPT and self._draw() < self._audit_share
        keeps = self._keep_images == "all" or (
            self._keep_images == "review" and (audit or verdict.decision is not Decision.ACCEPT)
        )
        return Keeping(result_id=uuid.uuid4().hex, audit=audit, image=keeps)

    async def keep(
        self,
        keeping: "Keeping",
        question: Question,
        outcome: Outcome,
        *,
        image: bytes,
        part: str,
        answer: bytes,
    ) -> bytes:
        """Keep a result and, where it was so chosen, its picture; a failure is counted, not raised, and so is taking too long.

        A store that hangs must not hold answers back from a line's gate: what is not kept in time may still be later.

        Returns:
            The answer that holds: this one, or the one to the same question that another server has kept in the meantime.

        Raises:
            InputError: in the meantime the id was used for another payload there.
        """
        try:
            async with asyncio.timeout(self._keep_within_s):
                digest = await self._put(image) if keeping.image else None
                written = await self._writer.add(
                    _row(keeping, question, outcome, part=part, answer=answer, image_sha256=digest)
                )
            whole = digest is not None or not keeping.image
        except (StorageError, TimeoutError):
            written, whole = True, False
        if not whole:
            self._failed_at = time.monotonic()
            self._metrics.unkept()
        other = None if written else await self._earlier(question)
        if other is None:
            return answer
        question.same(other.payload_sha256)
        return answer if other.answer is None else other.answer

    async def _put(self, image: bytes) -> str | None:
        """Keep a picture; its result is kept also where that fails."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._putting, self._blobs.put, image)
        except (StorageError, NotFoundError):  # not found: the store itself is gone
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What is kept of one answer."""

    result_id: str
    audit: bool
    image: bool


def _row(
    keeping: Keeping,
    question: Question,
    outcome: Outcome,
    *,
    part: str,
    answer: bytes,
    image_sha256: str | None,
) -> ResultRow:
    verdict, model = outcome.verdict, outcome.model
    return ResultRow(
        id=keeping.result_id,
        request_id=question.request_id or None,
        principal=question.principal,
        method=question.method,
        payload_sha256=question.payload_sha256,
        answer=answer if question.request_id else None,
        model_name=model.name,
        model_version=model.version,
        model_digest=model.digest,
        model_file=model.file,
        decision=verdict.decision,
        reason=verdict.reason,
        detail=verdict.detail,
        label=verdict.label,
        probability=verdict.probability,
        novelty=verdict.novelty,
        certified=verdict.certified,
        part=part,
        judged_at=datetime.now(UTC),
        total_ms=outcome.total_ms,
        image_sha256=image_sha256,
        audit=keeping.audit,
    )
