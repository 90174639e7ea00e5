"""What pydantic refuses, in our words: the field by its path, and the whole where it is no single field's fault."""

from typing import Any, Self

import pytest
from pydantic import BaseModel, ValidationError, model_validator

from vision.validation import first_fault


class Box(BaseModel):
    sides: list[int]

    @model_validator(mode="after")
    def _three(self) -> Self:
        if len(self.sides) != 3:
            raise ValueError("expected three sides")
        return self


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"sides": [1, "x", "y"]}, "sides.1: Input should be a valid integer"),
        ({}, "sides: Field required"),
        ({"sides": [1]}, "box: Value error, expected three sides"),
    ],
)
def test_the_first_fault_is_told_by_where_it_is(value: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Box.model_validate(value)
    assert first_fault(refused.value, "box").startswith(said)
