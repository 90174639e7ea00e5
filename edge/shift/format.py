"""What a recorded shift looks like on the disk: a folder a station, and the bundles beside them.

    SHIFT/_bundles/<digest>.loupe   the bundles that judged (or a folder <digest>)
    SHIFT/<station>/header.json     the machine, the models, how pictures were looked at
    SHIFT/<station>/frames          the pictures' bytes, one after the other
    SHIFT/<station>/parts.jsonl     a line for each part that was judged, one for what became of it, one for each gap

Both files of a station are only ever appended to, frames first. Numbers `n` count what was judged, in the order in which the model saw it
(the drift test depends on it), from 1 and from the start of the run. Floats are written so that reading gives the same ones. Values only: no files here.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from edge.ledger import Outcome
from edge.merging import Merge
from vision.errors import InputError
from vision.inspection.inspect import OnDrift
from vision.inspection.policy import Decision, Reason, Verdict
from vision.validation import first_fault

HEADER: Final = "header.json"
FRAMES: Final = "frames"
PARTS: Final = "parts.jsonl"
BUNDLES: Final = "_bundles"  # which no station can be called

Count = Annotated[int, Field(ge=1)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Grid(_Value):
    """The tiles of `edge.tiles`."""

    columns: int
    rows: int
    overlap: float


class Model(_Value):
    """A model as it ran: `recipe` is absent where the line has one product."""

    recipe: int | None
    bundle: Digest
    file: str
    threads: Count


class Fingerprint(_Value):
    """What numbers depend on beside the model: the processor, its cores given, and the libraries that compute."""

    machine: str
    cpu: str
    cores: int
    libraries: Mapping[str, str]


class Header(_Value):
    """Of a station's recording."""

    format: Literal[1] = 1
    loupe: str
    station: str
    boot: str
    began_at: str
    fingerprint: Fingerprint
    tiles: Grid | None
    merge: Merge
    drift_alpha: float | None
    on_drift: OnDrift
    models: tuple[Model, ...]


class FrameEntry(_Value):
    """A picture: `encoded` bytes as they came, or `pixels`, uint8 RGB, row by row.

    Attributes:
        at: where it begins in the file of frames.
        shape_hw: of `pixels`; `size_wh` is their full size, from which they were perhaps decoded reduced, and `frame_name` what they
            were called in messages.
    """

    kind: Literal["encoded", "pixels"]
    at: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Digest
    name: str
    frame_id: int | None
    device_ns: int | None
    shape_hw: tuple[Count, Count] | None = None
    size_wh: tuple[int, int] | None = None
    frame_name: str | None = None

    @model_validator(mode="after")
    def _pixels_have_a_shape(self) -> Self:
        expected = None if self.shape_hw is None else 3 * self.shape_hw[0] * self.shape_hw[1]
        if (self.kind == "pixels") != (expected is not None) or expected not in {None, self.bytes}:
            raise ValueError(
                f"shape_hw: expected that of {self.bytes} bytes of {self.kind}, found {self.shape_hw}"
            )
        return self


class Said(_Value):
    """A verdict with all its words and numbers."""

    decision: Decision
    reason: Reason
    detail: str
    probability: float | None
    label: str | None
    probabilities: Mapping[str, float] | None
    novelty: float | None
    certified: bool


class JudgedLine(_Value):
    """A part that the model saw: its verdict, or the error that it ended in."""

    kind: Literal["judged"] = "judged"
    n: Count
    recipe: int | None
    bundle: str | None
    frames: tuple[FrameEntry, ...]
    said: Said | None
    error: str
    timings: Mapping[str, float]


class EndedLine(_Value):
    """What became of it: its number and outcome in the ledger."""

    kind: Literal["ended"] = "ended"
    n: Count
    part: Count
    outcome: Outcome
    reason: str
    timings: Mapping[str, float]


class GapLine(_Value):
    """Parts that were judged and could not be recorded."""

    kind: Literal["gap"] = "gap"
    first: Count
    parts: Count


class ClosedLine(_Value):
    """The recording ended in good order, after so many judged parts."""

    kind: Literal["closed"] = "closed"
    judged: Annotated[int, Field(ge=0)]


Line = Annotated[JudgedLine | EndedLine | GapLine | ClosedLine, Field(discriminator="kind")]
_LINE: Final[TypeAdapter[Line]] = TypeAdapter(Line)


def to_said(verdict: Verdict) -> Said:
    return Said(
        decision=verdict.decision,
        reason=verdict.reason,
        detail=verdict.detail,
        probability=verdict.probability,
        label=verdict.label,
        probabilities=verdict.probabilities,
        novelty=verdict.novelty,
        certified=verdict.certified,
    )


def written(line: Line) -> bytes:
    """A line as bytes that end in a line feed. Python's own JSON, since it keeps every float, those that are no number included."""
    return json.dumps(line.model_dump(), separators=(",", ":")).encode() + b"\n"


def read(raw: bytes) -> Line:
    """A line from its bytes, with or without the line feed.

    Raises:
        InputError: it is none.
    """
    try:
        return _LINE.validate_python(json.loads(raw))
    except ValidationError as error:
        raise InputError(first_fault(error)) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected a line of JSON: {error}") from error


def same(one: BaseModel | None, other: BaseModel | None) -> bool:
    """Whether all their words and numbers are alike, to the last bit; what is no number is alike as well."""
    return _text(one) == _text(other)


def _text(value: BaseModel | None) -> str:
    plain: Any = None if value is None else value.model_dump()
    return json.dumps(plain, sort_keys=True)
