"""What a requester agrees to who wants images without the visible label, and until when that is kept."""

from datetime import datetime
from typing import Final

from vision.imagery.labels.waiver import RETENTION_MONTHS, Waiver, months_after

AGREEMENT: Final = (
    "I ask for these images without their visible label. Whoever shows them to the public with my knowledge labels them there as made with AI, "
    "where the law asks for it; labels in the files' metadata stay."
)
_MARGIN_MONTHS: Final = 1  # the law's clock and ours need not agree to the day


def waiver_of(user: str, reason: str, now: datetime) -> Waiver:
    """The record of somebody who has agreed now."""
    until = months_after(now.date(), RETENTION_MONTHS + _MARGIN_MONTHS)
    return Waiver(user=user, at=now, reason=reason, agreement=AGREEMENT, keep_until=until)
