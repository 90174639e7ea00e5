"""What a requester agrees to who wants images without the visible label, and until when that is kept."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

# Article 9 of the Chinese measures on labelling (2025) asks for six months; the law's clock and ours need not agree to the day.
KEPT_FOR: Final = timedelta(days=200)
AGREEMENT: Final = (
    "I ask for these images without their visible label. Whoever shows them to the public with my knowledge labels them there as made with AI, "
    "where the law asks for it; labels in the files' metadata stay."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """Who agreed, when, why, to what, and until when it is kept at least."""

    user: str
    at: datetime
    reason: str
    agreement: str
    keep_until: datetime


def waiver_of(user: str, reason: str, now: datetime) -> Agreed:
    return Agreed(
        user=user, at=now, reason=reason, agreement=AGREEMENT, keep_until=(now + KEPT_FOR).astimezone(UTC)
    )
