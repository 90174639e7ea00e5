"""The record that lets an explicit label be left out: who asked for it, why, what they agreed to, and how long this is kept.

The Chinese measures (article 9) let a service hand out an image without the explicit label when its user asks, has agreed to the duty to label
it, and a log of that is kept for at least six months. The implicit label stays.
"""

from calendar import monthrange
from datetime import date
from typing import Annotated, Final, Self, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

RETENTION_MONTHS: Final = 6
_Said: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class Waiver(BaseModel):
    """One waiver.

    Attributes:
        user: who asked for the image without its explicit label.
        at: when they did.
        reason: such as a marketplace's rule against text on main images.
        agreement: the duties that the user has agreed to, in the words shown to them.
        keep_until: the last day on which this record is kept, at the least; six months after `at` or later. Nothing here deletes a record: a
            server's database keeps it until its operator takes it out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: _Said
    at: AwareDatetime
    reason: _Said
    agreement: Annotated[_Said, Field(min_length=20)]
    keep_until: date

    @model_validator(mode="after")
    def _kept_long_enough(self) -> Self:
        earliest = months_after(self.at.date(), RETENTION_MONTHS)
        if self.keep_until < earliest:
            raise ValueError(f"keep_until: expected {earliest} or later, found {self.keep_until}")
        return self


def months_after(day: date, months: int) -> date:
    """The same day of the month, or the month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
