"""The implicit label of the Chinese measures for labelling synthetic content: seven strings, written as JSON.

GB 45438-2025, appendix E, names the fields; where they are kept in a picture's file, TC260-PG-20259A says (both known here from second-hand
accounts that agree). In XMP and in a PNG's text the seven fields stand under the name AIGC of their carrier; in a comment, which has no name, they
are wrapped in an object with that one key. Both forms are read from every carrier.
"""

import json
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

KEY: Final = "AIGC"
MAX_LENGTH: Final = 1024  # characters a field; ours, so that every carrier can hold a label

# Printable ASCII but for the blank, the quotation mark and the backslash.
_TEXT: Final = r"[\x21\x23-\x5B\x5D-\x7E]"
Name: TypeAlias = Annotated[str, Field(pattern=rf"^{_TEXT}+\z", max_length=MAX_LENGTH)]
_Reserved: TypeAlias = Annotated[str, Field(pattern=rf"^{_TEXT}*\z", max_length=MAX_LENGTH)]


class Aigc(BaseModel):
    """One label.

    Attributes:
        label: `1` the content is synthetic, `2` it may be, `3` it is suspected to be.
        producer, produce_id: who offers the service that made it, by name or code, and the content's number there.
        propagator, propagate_id: the same of who hands it on; the producer's own when it is first written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    label: Literal["1", "2", "3"] = Field(alias="Label")
    producer: Name = Field(alias="ContentProducer")
    produce_id: Name = Field(alias="ProduceID")
    reserved_1: _Reserved = Field(alias="ReservedCode1")
    propagator: Name = Field(alias="ContentPropagator")
    propagate_id: Name = Field(alias="PropagateID")
    reserved_2: _Reserved = Field(alias="ReservedCode2")

    @classmethod
    def of(cls, producer: str, produce_id: str) -> Self:
        """The label of synthetic content as its producer first writes it.

        Raises:
            ValueError: a name holds what a label cannot.
        """
        names = {
            "ContentProducer": producer,
            "ContentPropagator": producer,
            "ProduceID": produce_id,
            "PropagateID": produce_id,
        }
        return cls.model_validate({"Label": "1", "ReservedCode1": "", "ReservedCode2": "", **names})

    def to_json(self, *, wrapped: bool = False) -> str:
        """ASCII JSON without blanks, the fields in the standard's order; `wrapped` for carriers without a name."""
        fields = self.model_dump(by_alias=True)
        return json.dumps({KEY: fields} if wrapped else fields, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read either form.

        Raises:
            ValueError: no JSON object, a key twice, or not the seven fields; the message says which.
        """
        value = json.loads(text, object_pairs_hook=_once)
        if isinstance(value, dict) and set(value) == {KEY}:
            value = value[KEY]
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the label"
            raise ValueError(f"{where}: {first['msg']}") from error


def _once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("expected every key once, found one twice")
    return found
