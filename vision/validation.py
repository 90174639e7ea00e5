"""What pydantic says of a value that it refuses, in the words of our errors."""

from pydantic import ValidationError


def first_fault(error: ValidationError, whole: str = "") -> str:
    """The first of its faults, as `field.path: what`; `whole` is what a fault of no single field is called by."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg']}"
