"""What a marketplace asks of an image, as data: every rule with its value, its severity and where it was read.

Takes TOML files, those of `vision/imagery/rules` by their sets' names; gives a `RuleSet`. It measures nothing.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.errors import ImageryError
from vision.imagery.labels.source import SourceType
from vision.toml_file import read_model

RULES: Final = Path(__file__).parents[1] / "rules"

Severity: TypeAlias = Literal["fail", "warn"]
# verified: read on the marketplace's own page; secondary: others who have read it agree; unverified: hearsay, or habit.
Status: TypeAlias = Literal["verified", "secondary", "unverified"]
Format: TypeAlias = Literal["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Bounds(_Value):
    """From `min` to `max`, both allowed; at least one is given."""

    min: float | None = Field(default=None, ge=0)
    max: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("expected min, max or both, found neither")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"expected min <= max, found {self.min:g} and {self.max:g}")
        return self

    def holds(self, found: float) -> bool:
        return (self.min is None or found >= self.min) and (self.max is None or found <= self.max)


class Share(Bounds):
    """Bounds of a share, 0 to 1."""

    min: float | None = Field(default=None, ge=0, le=1)
    max: float | None = Field(default=None, gt=0, le=1)


class Ratios(_Value):
    """Ratios of width to height that are allowed, each within a relative tolerance."""

    ratios: tuple[tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]], ...] = Field(min_length=1)
    tolerance: float = Field(ge=0, lt=1)


class White(_Value):
    """Pure white, with room for what encoding does beside an edge.

    Attributes:
        halo_px: up to this far from the product, along rows or columns, a pixel need not be 255: JPEG's blocks are 16 px wide.
        halo_level: what its darkest channel has to keep there.
    """

    halo_px: int = Field(ge=0, le=64)
    halo_level: int = Field(ge=0, le=255)


class Reading(_Value):
    """What counts as text.

    Attributes:
        score: the reader's own confidence, 0 to 1, from which on it is believed.
        characters: letters and digits that a line has to have.
        allowed: words that may stand in the image, such as the label that the law asks for.
    """

    score: float = Field(ge=0, le=1)
    characters: int = Field(ge=1)
    allowed: tuple[str, ...] = ()


class _Rule(_Value):
    """What all rules have.

    Attributes:
        source: where the rule was read, in words or as an address without its scheme.
        implies: rules of the set that the same fault breaks too.
    """

    id: str = Field(pattern=r"[a-z0-9_]+(\.[a-z0-9_]+)?")
    severity: Severity
    source: str = Field(min_length=1)
    checked_on: date
    status: Status
    implies: tuple[str, ...] = ()


class FormatRule(_Rule):
    kind: Literal["format"]
    value: tuple[Format, ...] = Field(min_length=1)


class ExtensionRule(_Rule):
    """A file's suffix says its format."""

    kind: Literal["extension"]
    value: Literal[True] = True


class NumberRule(_Rule):
    """Bytes of the file, or pixels of it or its sides."""

    kind: Literal["bytes", "pixels", "longest_side", "shortest_side"]
    value: Bounds


class AspectRule(_Rule):
    kind: Literal["aspect"]
    value: Ratios


class ColourSpaceRule(_Rule):
    kind: Literal["colour_space"]
    value: Literal["sRGB"]


class OpaqueRule(_Rule):
    kind: Literal["opaque"]
    value: Literal[True] = True


class WhiteBackgroundRule(_Rule):
    kind: Literal["white_background"]
    value: White


class FillRule(_Rule):
    """The longest side of the product's box against the longest side of the frame."""

    kind: Literal["fill"]
    value: Share


class CentreRule(_Rule):
    """How far the middle of the product's box may be from the middle of the frame, as a share of the frame's side."""

    kind: Literal["centre"]
    value: float = Field(gt=0, le=0.5)


class PresenceRule(_Rule):
    """The whole product in the frame; no frame drawn around the picture; the `AIGC` metadata where it was made with AI."""

    kind: Literal["whole", "no_border", "aigc"]
    value: Literal[True] = True


class NoTextRule(_Rule):
    kind: Literal["no_text"]
    value: Reading


class SourceTypeRule(_Rule):
    """One of these IPTC digital source types in the metadata, where the image was made with AI."""

    kind: Literal["source_type"]
    value: tuple[SourceType, ...] = Field(min_length=1)


Rule: TypeAlias = Annotated[
    FormatRule
    | ExtensionRule
    | NumberRule
    | AspectRule
    | ColourSpaceRule
    | OpaqueRule
    | WhiteBackgroundRule
    | FillRule
    | CentreRule
    | PresenceRule
    | NoTextRule
    | SourceTypeRule,
    Field(discriminator="kind"),
]


class RuleSet(_Value):
    """The rules of one marketplace for one kind of image.

    Attributes:
        version: raised whenever a rule changes.
    """

    name: str = Field(pattern=r"[a-z0-9]+(\.[a-z0-9]+)*")
    title: str = Field(min_length=1)
    version: int = Field(ge=1)
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> Self:
        ids = [rule.id for rule in self.rules]
        for one in ids:
            if ids.count(one) > 1:
                raise ValueError(f"rule '{one}': expected one of this id, found {ids.count(one)}")
        for rule in self.rules:
            unknown = set(rule.implies) - set(ids)
            if unknown:
                raise ValueError(
                    f"rule '{rule.id}': implies: expected some of {', '.join(ids)}, found '{min(unknown)}'"
                )
        return self

    @property
    def status(self) -> Status:
        """As good as the worst of its rules that can fail an image, or of all where none can."""
        order: tuple[Status, ...] = ("unverified", "secondary", "verified")
        failing = [rule.status for rule in self.rules if rule.severity == "fail"]
        return min(failing or [rule.status for rule in self.rules], key=order.index)

    def digest(self) -> str:
        """SHA-256 of its canonical JSON: sorted keys, no spaces, UTF-8."""
        value = self.model_dump(mode="json")
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def implied_by(self, ids: Iterable[str]) -> frozenset[str]:
        """These rules and all that their faults may break too, near and far."""
        found: set[str] = set()
        waiting = list(ids)
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += next(rule.implies for rule in self.rules if rule.id == one)
        return frozenset(found)


def read_rule_set(path: Path) -> RuleSet:
    """Read a rule set of one's own.

    Raises:
        SettingsError: a line for each field that is wrong, with the file, what was expected and what was found.
    """
    return read_model(RuleSet, path, {})


@cache
def rule_sets() -> tuple[RuleSet, ...]:
    """All rule sets that come with Loupe, by name."""
    return tuple(read_rule_set(path) for path in sorted(RULES.glob("*.toml")))


def rule_set(name: str) -> RuleSet:
    """The rule set of this name.

    Raises:
        ImageryError: there is none.
    """
    for one in rule_sets():
        if one.name == name:
            return one
    known = ", ".join(one.name for one in rule_sets())
    raise ImageryError(f"rules: expected one of {known}, found {name!r}")
