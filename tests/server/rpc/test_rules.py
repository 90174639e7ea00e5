"""Rules beside the fields: each is kept to the last character, and whoever breaks one is told which field it was."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rpc.rules import FieldsError, check
from vision.errors import InputError
from vision.v1 import catalog_pb2, imagery_pb2, inspection_pb2, models_pb2, open_inference_pb2, rules_pb2

Field = descriptor_pb2.FieldDescriptorProto
PNG = b"\x89PNG\r\n\x1a\n"


def broken(message: Message) -> dict[str, str]:
    """What is complained of, by field."""
    try:
        check(message)
    except FieldsError as error:
        return {one.field: one.description for one in error.violations}
    return {}


@cache
def sample() -> Callable[..., Message]:
    """A message with a field of every kind that has rules, beside those that the services happen to have."""
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "named": (Field.TYPE_STRING, {"required": True, "max_length": 5, "pattern": "[a-z]+"}),
        "loose": (Field.TYPE_STRING, {"pattern": "[a-z]+"}),
        "data": (Field.TYPE_BYTES, {"max_length": 3}),
        "share": (Field.TYPE_DOUBLE, {"at_least": 0, "at_most": 1}),
        "count": (Field.TYPE_INT32, {"at_least": -2}),
        "kind": (Field.TYPE_ENUM, {"required": True}),
        "inner": (Field.TYPE_MESSAGE, {"required": True}),
        "tags": (Field.TYPE_STRING, {"max_length": 2}),
        "free": (Field.TYPE_STRING, {}),
    }
    names = {"kind": ".vision.v1.Priority", "inner": ".vision.v1.Verdict"}
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/sample.proto", package="tests", syntax="proto3",
        dependency=["vision/v1/rules.proto", "vision/v1/inspection.proto", "vision/v1/common.proto"],
    )  # fmt: skip
    described = file.message_type.add(name="Sample")
    for number, (name, (kind, rules)) in enumerate(kinds.items(), 1):
        label = Field.LABEL_REPEATED if name == "tags" else Field.LABEL_OPTIONAL
        field = described.field.add(
            name=name, number=number, type=kind, label=label, type_name=names.get(name)
        )
        if rules:
            field.options.Extensions[rules_pb2.rules].CopyFrom(rules_pb2.Rules(**rules))  # type: ignore[index]  # the stub types it as a plain descriptor
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    made: Callable[..., Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName("tests.Sample"))
    return made


def sound(**changed: Any) -> Message:
    """A sample that keeps every rule, but for what is changed; None leaves a field out."""
    values = {"named": "abc", "kind": 1, "inner": {}} | changed
    return sample()(**{name: value for name, value in values.items() if value is not None})


# --- each kind of rule


def test_a_message_that_keeps_every_rule_passes() -> None:
    assert broken(sound()) == {}
    assert (
        broken(sound(named="abcde", data=b"abc", share=1.0, count=-2, tags=["a", "b"], free="x" * 9999)) == {}
    )


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("named", None, "expected a value, found none"),
        ("named", "", "expected a value, found none"),
        ("named", "abcdef", "expected at most 5 characters, found 6"),
        ("named", "äöüßé", "expected to match [a-z]+, found 'äöüßé'"),  # five characters, ten bytes
        ("named", "ab\n", "expected to match [a-z]+, found 'ab\\n'"),
        ("named", "a\0b", "expected text without NUL, which not every database can keep"),
        ("named", "a b", "expected to match [a-z]+, found 'a b'"),
        ("data", b"abcd", "expected at most 3 bytes, found 4"),
        ("share", 1.0000001, "expected 0 to 1, found 1"),
        ("share", -0.5, "expected 0 to 1, found -0.5"),
        ("share", float("nan"), "expected 0 to 1, found nan"),
        ("share", float("inf"), "expected 0 to 1, found inf"),
        ("count", -3, "expected -2 to inf, found -3"),
        ("kind", 0, "expected a value, found none"),
        ("kind", 77, "expected one of [0, 1, 2, 3], found 77"),
        ("inner", None, "expected a value, found none"),
        ("tags", ["a", "b", "c"], "expected at most 2 elements, found 3"),
    ],
)
def test_what_breaks_a_rule_is_named_with_what_was_expected_and_found(
    field: str, value: Any, complaint: str
) -> None:
    assert broken(sound(**{field: value})) == {field: complaint}


def test_an_empty_string_passes_a_pattern_unless_it_is_required() -> None:
    assert broken(sound(loose="")) == {}


def test_a_message_that_is_there_but_empty_is_there() -> None:
    assert broken(sound(inner={})) == {}


def test_every_broken_field_is_named_at_once_and_the_error_is_an_input_error() -> None:
    message = sound(named="A", share=2.0, tags=["a"] * 3)

    assert list(broken(message)) == ["named", "share", "tags"]
    with pytest.raises(InputError, match=r"named: .*; share: .*; tags: "):
        check(message)


# --- the rules of our services


@settings(deadline=None)
@given(st.text(max_size=300))
def test_a_part_may_have_256_characters_whatever_their_bytes(part: str) -> None:
    request = inspection_pb2.InspectRequest(image=PNG, part=part)

    assert list(broken(request)) == (["part"] if len(part) > 256 or "\0" in part else [])


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (inspection_pb2.InspectRequest(image=PNG), []),
        (inspection_pb2.InspectRequest(), ["image"]),
        (inspection_pb2.InspectRequest(image=bytes(1 << 24)), []),
        (inspection_pb2.InspectRequest(image=bytes((1 << 24) + 1)), ["image"]),
        (inspection_pb2.InspectRequest(image=PNG, request_id="x" * 129), ["request_id"]),
        (inspection_pb2.InspectRequest(image=PNG, model="x" * 129), ["model"]),
        (inspection_pb2.InspectRequest(image=PNG, priority=4), ["priority"]),  # type: ignore[arg-type]  # of a newer client
        (inspection_pb2.InspectRequest(model="x" * 129, part="x" * 257), ["model", "image", "part"]),
        (inspection_pb2.SubmitDispositionRequest(), ["result_id", "label"]),
        (
            inspection_pb2.SubmitDispositionRequest(result_id="1", label="good", note="x" * 2001),
            ["note"],
        ),
        (inspection_pb2.ListReviewsRequest(limit=1000), []),
        (inspection_pb2.ListReviewsRequest(limit=1001), ["limit"]),
        (inspection_pb2.ListReviewsRequest(limit=2**32 - 1), ["limit"]),
        (models_pb2.ListModelsRequest(), []),
        (models_pb2.GetModelRequest(), ["name"]),
        (models_pb2.UnloadModelRequest(), ["name"]),
        (models_pb2.LoadModelRequest(name="plates-1.0.loupe"), []),
        (models_pb2.LoadModelRequest(name="../plates"), ["name"]),
        (models_pb2.LoadModelRequest(name="/models/plates"), ["name"]),
        (models_pb2.LoadModelRequest(name="plates\n"), ["name"]),
        (models_pb2.LoadModelRequest(name="..."), ["name"]),
        (open_inference_pb2.ModelInferRequest(model_name="x" * 9999), []),  # its protocol sets no limits
    ],
)
def test_the_services_rules_are_these(request_: Message, fields: list[str]) -> None:
    assert list(broken(request_)) == fields


def test_a_number_that_is_absent_is_not_zero() -> None:
    brief = imagery_pb2.Brief(scene="marble", rule_sets=["shopify"])

    assert broken(brief) == {}
    brief.horizon = 0.0
    assert broken(brief) == {"horizon": "expected 0.2 to 0.9, found 0"}


def test_a_field_that_this_server_does_not_know_is_let_through() -> None:
    newer = inspection_pb2.InspectRequest.FromString(
        inspection_pb2.InspectRequest(image=PNG).SerializeToString()
        + bytes([0x98, 0x06, 0x01])  # field 99 = 1
    )

    assert broken(newer) == {}


def test_messages_within_are_checked_and_named_by_their_way() -> None:
    product = catalog_pb2.Product(title="x" * 10_001)
    values = {"colour": catalog_pb2.AttributeValues(values=["red"]), "size": catalog_pb2.AttributeValues()}

    assert broken(catalog_pb2.CategorizeRequest(product=product)) == {
        "product.title": "expected at most 10000 characters, found 10001"
    }
    assert broken(catalog_pb2.SearchSimilarRequest(text="a", attributes=values)) == {
        "attributes['size'].values": "expected a value, found none"
    }
    assert broken(catalog_pb2.CategorizeRequest(product=catalog_pb2.Product(attributes={"a": "b"}))) == {}
