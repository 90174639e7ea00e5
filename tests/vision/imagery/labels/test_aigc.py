"""The Chinese implicit label: seven strings, no more, no less, none of another kind."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vision.imagery.labels.aigc import Aigc

FIELDS = (
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
)
ALLOWED = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\')
names = st.text(ALLOWED, min_size=1, max_size=60)


def fields(**changed: object) -> dict[str, object]:
    return dict(json.loads(Aigc.of("shop", "number-1").to_json())) | changed


@given(names, names, st.booleans())
def test_a_label_is_read_as_it_was_written(producer: str, number: str, wrapped: bool) -> None:
    label = Aigc.of(producer, number)
    assert Aigc.from_json(label.to_json(wrapped=wrapped)) == label


@given(names, names)
def test_a_written_label_holds_the_seven_fields_in_order_and_ascii_alone(producer: str, number: str) -> None:
    text = Aigc.of(producer, number).to_json()
    assert tuple(json.loads(text)) == FIELDS
    assert text.isascii()
    assert " " not in text


def test_who_writes_first_is_producer_and_propagator() -> None:
    label = Aigc.of("shop", "number-1")
    assert (
        (label.propagator, label.propagate_id) == (label.producer, label.produce_id) == ("shop", "number-1")
    )
    assert label.label == "1"


@given(st.text(max_size=20).filter(lambda text: not text or set(text) - set(ALLOWED)))
def test_a_name_with_another_character_or_none_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Aigc.of(name, "number-1")


@pytest.mark.parametrize("name", ["shop\n", "shop 1", 'shop"', "shop\\", "商店", "", "x" * 1025])
def test_names_that_a_lax_reader_would_let_pass_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Aigc.of(name, "number-1")


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (fields(Label=1), "Label"),  # a number
        (fields(Label="4"), "Label"),
        (fields(Label=""), "Label"),
        (fields(ContentProducer=None), "ContentProducer"),
        (fields(PropagateID=""), "PropagateID"),
        (fields(ReservedCode1="a b"), "ReservedCode1"),
        (fields(Extra="x"), "Extra"),
        ({key: value for key, value in fields().items() if key != "ReservedCode2"}, "ReservedCode2"),
        ({key.lower(): value for key, value in fields().items()}, "Label"),  # keys have their case
        ({"label": "1", "producer": "a"}, "Label"),  # our own names are none of the standard's
        ([], "the label"),
        ({"AIGC": [fields()]}, "the label"),
        ({"AIGC": fields(), "other": 1}, "Label"),
    ],
)
def test_what_is_no_label_is_refused_and_the_field_named(value: object, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        Aigc.from_json(json.dumps(value))


@pytest.mark.parametrize("text", ["", "1", "null", "{", '"AIGC"', "{}", '{"AIGC":{}}'])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (of the JSON reader's own or ours)
        Aigc.from_json(text)


def test_a_field_that_stands_twice_is_refused() -> None:
    text = Aigc.of("shop", "number-1").to_json().replace("{", '{"Label":"2",', 1)
    with pytest.raises(ValueError, match="twice"):
        Aigc.from_json(text)


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "Other"]), st.one_of(st.none(), st.integers(), st.text(max_size=5))
    )
)
def test_whatever_is_read_is_a_valid_label(value: dict[str, object]) -> None:
    try:
        label = Aigc.from_json(json.dumps(value))
    except ValueError:
        assert (
            set(value) != set(FIELDS)
            or not all(isinstance(one, str) and set(one) <= set(ALLOWED) for one in value.values())
            or (
                value["Label"] not in {"1", "2", "3"}
                or "" in {value[name] for name in FIELDS if "Reserved" not in name}
            )
        )
    else:
        assert json.loads(label.to_json()) == value
