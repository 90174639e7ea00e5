"""The rules that stand beside the fields in the .proto files, applied to a message.

Takes any message, gives what breaks its rules and those of the messages in it, field by field. The messages of a list are checked by whoever
reads it, one by one: a wrong one must not cost the others. Rules are read from the descriptors (`vision.v1.rules`), once a message type.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from vision.errors import InputError
from vision.v1 import rules_pb2


@dataclass(frozen=True, slots=True)
class Violation:
    """A field and what was expected and found."""

    field: str
    description: str


class FieldsError(InputError):
    """A request breaks its rules; `violations` name each field."""

    def __init__(self, *violations: Violation) -> None:
        super().__init__("; ".join(f"{one.field}: {one.description}" for one in violations))
        self.violations = violations


def check(message: Message) -> None:
    """Check a message against the rules of its type.

    Raises:
        FieldsError: naming every field that breaks one.
    """
    found = tuple(_violations(message))
    if found:
        raise FieldsError(*found)


def check_alone(message: Message, field: str, others: Sequence[str]) -> None:
    """Check that a field, where it is set, stands without some others.

    Raises:
        FieldsError: naming every one of them that is set as well.
    """
    if getattr(message, field):
        found = [Violation(one, f"expected none beside {field}") for one in others if getattr(message, one)]
        if found:
            raise FieldsError(*found)


def _violations(message: Message, path: str = "") -> Iterator[Violation]:
    for name, test in _tests(message.DESCRIPTOR):
        complaint = test(message)
        if complaint:
            yield Violation(path + name, complaint)
    for field, value in message.ListFields():
        for name, inner in _within(field, value):
            yield from _violations(inner, f"{path}{name}.")


def _within(field: FieldDescriptor, value: Any) -> Iterator[tuple[str, Message]]:
    """The messages in a field that is set, a list's left out, with the names by which they are found."""
    if field.message_type is None:
        return
    if not field.is_repeated:
        yield field.name, value
    elif (
        field.message_type.GetOptions().map_entry and field.message_type.fields_by_name["value"].message_type
    ):
        yield from ((f"{field.name}[{key!r}]", one) for key, one in value.items())


@cache
def _tests(descriptor: Descriptor) -> tuple[tuple[str, Callable[[Message], str | None]], ...]:
    """A test a field that has rules."""
    found = []
    for field in descriptor.fields:
        options: Any = field.GetOptions()  # the generated stub types the extension as a plain descriptor
        if options.HasExtension(rules_pb2.rules):
            found.append((field.name, _test(field, options.Extensions[rules_pb2.rules])))
        if field.enum_type is not None:
            found.append((field.name, _known_number(field.name, field.enum_type)))
    return tuple(found)


def _known_number(field: str, kind: EnumDescriptor) -> Callable[[Message], str | None]:
    """Enums are open on the wire; a number of a newer client is refused rather than taken for something else."""
    known = set(kind.values_by_number)

    def test(message: Message) -> str | None:
        value = getattr(message, field)
        return None if value in known else f"expected one of {sorted(known)}, found {value}"

    return test


def _test(field: FieldDescriptor, rules: rules_pb2.Rules) -> Callable[[Message], str | None]:
    sized = field.is_repeated or field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}
    unit = "bytes" if field.type == FieldDescriptor.TYPE_BYTES else "characters"
    unit = "elements" if field.is_repeated else unit
    pattern = re.compile(rules.pattern) if rules.pattern else None

    def test(message: Message) -> str | None:
        if field.has_presence and not message.HasField(field.name):  # an absent number is not zero
            return "expected a value, found none" if rules.required else None
        if field.message_type is not None and not field.is_repeated:
            return None
        value = getattr(message, field.name)
        if rules.required and not value:
            return "expected a value, found none"
        if sized:
            if rules.max_length and len(value) > rules.max_length:
                return f"expected at most {rules.max_length} {unit}, found {len(value)}"
            if isinstance(value, str) and "\0" in value:
                return "expected text without NUL, which not every database can keep"
            if pattern and value and not pattern.fullmatch(value):
                return f"expected to match {rules.pattern}, found {value!r}"
            return None
        return _out_of_range(value, rules)

    return test


def _out_of_range(value: float, rules: rules_pb2.Rules) -> str | None:
    low = rules.at_least if rules.HasField("at_least") else float("-inf")
    high = rules.at_most if rules.HasField("at_most") else float("inf")
    if low <= value <= high:  # false for NaN as well
        return None
    return f"expected {low:g} to {high:g}, found {value:g}"
