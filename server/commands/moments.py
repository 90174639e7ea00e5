"""Dates and times as commands take them."""

from datetime import UTC, datetime

from vision.errors import SettingsError


def moment(option: str, given: str, *, expected: str = "") -> datetime:
    """A date or time in ISO 8601; UTC where it names no zone, and a date is its first moment.

    Raises:
        SettingsError: it is none; names the option.
    """
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        wanted = expected or "a date or a time such as 2026-11-22 or 2026-11-22T14:30:00Z"
        raise SettingsError(f"{option}: expected {wanted}, found '{given}'") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
