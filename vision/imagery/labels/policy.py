"""Which labels an image has to carry where: policies as data, each with its sources and the day they were looked at.

A policy knows no image: it is asked what one with or without synthetic content needs.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from vision.errors import ImageryError, SettingsError
from vision.imagery.labels.aigc import Aigc, Name
from vision.imagery.labels.corner import Language
from vision.imagery.labels.source import SourceType
from vision.imagery.labels.waiver import Waiver
from vision.toml_file import read_model
from vision.validation import first_fault

_POLICIES: Final = Path(__file__).with_name("policies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What an image is to carry.

    Attributes:
        explicit: languages of the explicit label; none where it carries none.
    """

    source: SourceType
    aigc: Aigc | None = None
    explicit: tuple[Language, ...] = ()


class LabelPolicy(BaseModel):
    """One policy.

    Attributes:
        status: `verified` where its sources were read themselves, `secondary` where others' accounts of them were.
        synthetic_source: what an image with synthetic content is called; absent where such an image is refused.
        aigc: whether it carries the Chinese implicit label.
        explicit: languages of its explicit label; none where it needs none.
        waivable: whether the explicit label may be left out, on record.
        producer: who offers the service, by name or code, for the implicit label; has to be given where that is needed.
        waiver: the record by which it is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}\z")
    version: int = Field(ge=1)
    checked_on: date
    status: Literal["verified", "secondary"]
    sources: tuple[str, ...] = Field(min_length=1)
    synthetic_source: SourceType | None = None
    aigc: bool = False
    explicit: tuple[Language, ...] = ()
    waivable: bool = False
    producer: Name | None = None
    waiver: Waiver | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.synthetic_source is not None and not self.synthetic_source.ai_made:
            raise ValueError(
                f"synthetic_source: expected a term that says a trained model took part, found {self.synthetic_source}"
            )
        if self.synthetic_source is None and (self.aigc or self.explicit):
            raise ValueError(
                "synthetic_source: expected one where labels of synthetic content are asked for, found none"
            )
        if self.waiver is not None and not (self.waivable and self.explicit):
            raise ValueError(f"waiver: {self.name} has no explicit label that may be waived")
        return self

    def digest(self) -> str:
        """SHA-256 of the policy's JSON with sorted keys, producer and waiver included."""
        value = self.model_dump(mode="json")
        return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def with_producer(self, producer: str) -> Self:
        """The policy in the name of who offers the service.

        Raises:
            ImageryError: the implicit label cannot hold the name.
        """
        return self._changed(producer=producer)

    def waived(self, waiver: Waiver) -> Self:
        """The policy with its explicit label left out.

        Raises:
            ImageryError: it has none, or none that may be left out.
        """
        return self._changed(waiver=waiver)

    def _changed(self, **fields: object) -> Self:
        try:
            return type(self).model_validate(self.model_dump() | fields)
        except ValidationError as error:
            raise ImageryError(f"label policy {self.name}: {first_fault(error, 'waiver')}") from error

    def labels(self, *, synthetic: bool, otherwise: SourceType, number: str) -> Labels:
        """What an image carries.

        Args:
            synthetic: whether a trained model made a part of it.
            otherwise: what it is called where none did; an image without synthetic content gets no label that says it had some.
            number: the image's own, among those of the producer.

        Raises:
            ImageryError: the policy is for images without synthetic content, or lacks the producer's name.
        """
        if not synthetic:
            return Labels(source=otherwise)
        if self.synthetic_source is None:
            raise ImageryError(
                f"label policy {self.name}: expected an image without synthetic content, found one that a trained model took part in"
            )
        if not self.aigc:
            return Labels(source=self.synthetic_source, explicit=self._drawn())
        if self.producer is None:
            raise ImageryError(
                f"label policy {self.name}: producer: expected the name or code of who offers the service (imagery.producer in loupe.toml), found none"
            )
        aigc = Aigc.of(self.producer, number)
        return Labels(source=self.synthetic_source, aigc=aigc, explicit=self._drawn())

    def _drawn(self) -> tuple[Language, ...]:
        return () if self.waiver else self.explicit


def label_policy(name: str, *, producer: str | None = None, waiver: Waiver | None = None) -> LabelPolicy:
    """A policy that Loupe carries, with what is one's own.

    Raises:
        ImageryError: there is none of that name, or it does not take the producer or the waiver.
    """
    known = policy_names()
    if name not in known:
        raise ImageryError(f"label policy: expected one of {', '.join(known)}; found {name!r}")
    policy = read_policy(_POLICIES / f"{name}.toml")
    if producer is not None:
        policy = policy.with_producer(producer)
    return policy.waived(waiver) if waiver is not None else policy


def parse_policy(value: Mapping[str, JsonValue]) -> LabelPolicy:
    """A policy from what `model_dump` wrote.

    Raises:
        ImageryError: it is none, or of a newer Loupe.
    """
    try:
        return LabelPolicy.model_validate(value)
    except ValidationError as error:
        raise ImageryError(f"label policy: {first_fault(error, 'policy')}") from error


def policy_names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _POLICIES.glob("*.toml")))


def read_policy(path: Path) -> LabelPolicy:
    """One's own policy, from a TOML file.

    Raises:
        ImageryError: as the reader of settings says, with file and field.
    """
    try:
        return read_model(LabelPolicy, path, {})
    except SettingsError as error:
        raise ImageryError(str(error)) from error
