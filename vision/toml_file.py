"""A TOML file as a model: read, overridden from the command line, validated, and complained of field by field.

Takes a pydantic model, a path and overrides; gives the model. It knows no field by name. A field with `repr=False` holds secrets, and
what was found in it is not told.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from vision.address import Address
from vision.errors import SettingsError

_Model = TypeVar("_Model", bound=BaseModel)


def as_address(value: Any) -> Address:
    """For a field that holds an `Address` and is written as text; complaints are pydantic's."""
    if isinstance(value, Address):
        return value
    try:
        return Address.parse(str(value))
    except SettingsError as error:
        raise ValueError(str(error)) from error


def read_model(model: type[_Model], path: Path | None, overrides: Mapping[str, Any]) -> _Model:
    """Read a file, or none.

    Args:
        overrides: values by dotted names (`limits.max_batch`), from the command line.

    Raises:
        SettingsError: a line for each field that is wrong, with the file, the field, what was expected and what was found.
    """
    try:
        return model.model_validate(_merged(_toml(path) if path else {}, overrides))
    except ValidationError as error:
        lines = [_line(model, one, path, overrides) for one in error.errors(include_url=False)]
        # the cause would show what was found
        raise SettingsError("\n".join(lines)) from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: expected a TOML file: {error.strerror}") from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise SettingsError(f"{path}: expected TOML: {error}") from error


def _merged(found: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(found)
    for dotted, value in given.items():
        *sections, name = dotted.split(".")
        inner = merged
        for section in sections:
            below = inner.get(section, {})
            if not isinstance(below, dict):  # validation will name it
                break
            inner[section] = inner = {**below}
        else:
            inner[name] = value
    return merged


def _line(model: type[BaseModel], error: ErrorDetails, path: Path | None, given: Mapping[str, Any]) -> str:
    field = ".".join(map(str, error["loc"]))
    asked = any(name == field or field.startswith(f"{name}.") for name in given)
    source = "command line" if asked or path is None else str(path)
    return f"{source}: {field}: {_complaint(model, error)}"


def _complaint(model: type[BaseModel], error: ErrorDetails) -> str:
    section, field = _where(model, error["loc"])
    if error["type"] == "missing":
        return "expected a value, found none"
    if error["type"] == "extra_forbidden":
        return f"expected one of {', '.join(sorted(section.model_fields))}; found a key that is none of these"
    if error["type"] == "value_error":  # a validator of ours, which says what it found
        return str(error["ctx"]["error"])
    said = error["msg"][:1].lower() + error["msg"][1:]
    told = isinstance(error["input"], str | int | float) and (field is None or field.repr)
    return f"{said}, found {error['input']!r}" if told else said


def _where(model: type[BaseModel], loc: Sequence[int | str]) -> tuple[type[BaseModel], FieldInfo | None]:
    """The innermost section that holds what `loc` names, and its field there."""
    section, field = model, None
    for name in loc:
        field = section.model_fields.get(str(name), field)
        if (
            field is not None
            and isinstance(field.annotation, type)
            and issubclass(field.annotation, BaseModel)
        ):
            section = field.annotation
    return section, field
