"""What people found, and what it says about the escape rate.

Stands on the kept results. It knows nothing of the wire.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from server.loading import InspectionModel
from server.models import Models
from server.storage.dispositions import Dispositions
from server.storage.results import Disposition, ResultRow, Results
from vision.errors import InputError, NotFoundError
from vision.inspection.bounds import upper_bound

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class EscapeRate:
    """What the audit of accepted parts shows.

    Attributes:
        audited, escapes: accepted parts that were drawn and looked at, and those of them found defective.
        share, upper: of accepted parts, the share found defective and its upper bound with 95 % confidence.
        certified: the rate of escapes among defective parts that the certificate in force promises.
        escape_upper: `upper` carried over to defective parts; absent while no part was looked at.
    """

    audited: int
    escapes: int
    share: float
    upper: float
    certified: float | None
    escape_upper: float | None


class Reviewing:
    """People's side of the results.

    Args:
        kept_for: how long retention keeps parts that nobody looked at; older ones would bend the counts.
    """

    def __init__(
        self, models: Models, results: Results, dispositions: Dispositions, *, kept_for: timedelta
    ) -> None:
        self._models, self._results, self._dispositions = models, results, dispositions
        self._kept_for = kept_for

    async def pending(self, model: str, limit: int) -> list[ResultRow]:
        return await self._dispositions.pending(model or None, limit)

    async def dispose(self, result_id: str, *, label: str, by: str, note: str) -> None:
        """Keep what somebody found a part to be.

        Raises:
            NotFoundError: no such result.
            InputError: the label is not one of the model that judged the part.
        """
        row = await self._results.find(result_id)
        if row.model_name in self._models:
            labels = self._models.inspection(row.model_name).inspector.labels
            if label not in labels:
                raise InputError(
                    f"label: expected one of {', '.join(labels)} of model '{row.model_name}', found '{label}'"
                )
        found = Disposition(label=label, by=by, note=note, found_at=datetime.now(UTC))
        await self._dispositions.dispose(result_id, found)

    def found(self, model: str) -> AsyncIterator[tuple[ResultRow, Disposition]]:
        return self._dispositions.newest(model or None)

    async def escape_rate(self, name: str) -> EscapeRate | None:
        """Of the model that is served under a name; none where none is."""
        try:
            model = self._models.inspection(name)
        except NotFoundError:
            return None
        counts = await self._dispositions.audit_counts(
            model.name,
            model.inspector.spec.good,
            digest=model.digest,
            since=datetime.now(UTC) - self._kept_for,
        )
        if counts.audited == 0:
            return EscapeRate(
                audited=0, escapes=0, share=0.0, upper=1.0, certified=_certified(model), escape_upper=None
            )
        upper = upper_bound(counts.escapes, counts.audited, CONFIDENCE)
        escaped = counts.accepted * upper  # at most so many of all accepted ones
        return EscapeRate(
            audited=counts.audited,
            escapes=counts.escapes,
            share=counts.escapes / counts.audited,
            upper=upper,
            certified=_certified(model),
            escape_upper=escaped / (escaped + counts.caught),
        )


def _certified(model: InspectionModel) -> float | None:
    certificate = model.inspector.decision.certificate
    return certificate.max_escape if certificate is not None else None
