"""What a server says of ordered images, as values: nothing here knows messages or calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from vision.imagery.brief import Brief
from vision.imagery.review import State


class JobState(StrEnum):
    """What becomes of an order; the last three are for good."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self not in {JobState.QUEUED, JobState.RUNNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOrder:
    """What is ordered.

    Attributes:
        photo, mask: encoded, or where they lie; `style`, the picture whose digest the brief names, likewise.
        name: what people call it.
        policy: a label policy; the server's usual one where empty.
        waiver: why the images are to go out without their visible label; empty where they are not.
        request_id: a repeated one of the same user is the same order; a fresh one where absent.
    """

    photo: bytes | Path = field(repr=False)
    brief: Brief
    mask: bytes | Path | None = field(default=None, repr=False)
    style: bytes | Path | None = field(default=None, repr=False)
    name: str = ""
    policy: str = ""
    waiver: str = ""
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """What one rule set says; `details` is all of it, as `loupe imagery check --json` has it."""

    rule_set: str
    version: str
    status: str
    details: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCandidate:
    """One of an order's images.

    Attributes:
        manifest: canonical JSON; empty of a draft.
        approval, approved_by: of the approval in force; empty where there is none.
        preview, difference: JPEG and PNG, where they were asked for and the image is made; at most 768 px a side.
    """

    number: int
    state: State
    seed: int
    reports: Sequence[RuleReport] = ()
    manifest: str = field(default="", repr=False)
    master_sha256: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    device_s: float = 0.0
    approval: str = ""
    approved_by: str = ""
    preview: bytes = field(default=b"", repr=False)
    difference: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageJob:
    """An order as it stands.

    Attributes:
        style_sha256: of the style picture; empty where there is none.
        making: the number of the candidate that is being made, 0 where none is.
        alpha: a PNG, white where in the photo the product is; where pictures were asked for and a candidate is made.
    """

    id: str
    state: JobState
    name: str
    requester: str
    created_at: datetime
    scene: str
    rules: Sequence[str]
    generator: str
    count: int
    policy: str
    photo_sha256: str
    reason: str
    attempts: int
    worker: str
    cancelled_by: str
    making: int
    step: int
    steps: int
    revision: int
    candidates: Sequence[ImageCandidate] = ()
    style_sha256: str = ""
    alpha: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChange:
    """A job as it is now; `preview` is of the candidate that is being made, where it was asked for and there is one."""

    job: ImageJob
    preview: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEvent:
    """Something that happened to a candidate."""

    number: int
    act: str
    at: datetime
    by: str
    reason: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A candidate after somebody's decision, with all that happened to it."""

    candidate: ImageCandidate
    events: Sequence[ImageEvent]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedImage:
    """A finished file.

    Attributes:
        report: of the file as it is.
        repeated: it had been exported before on the same approval.
    """

    data: bytes = field(repr=False)
    format: str
    sha256: str
    report: RuleReport
    approval: str
    approved_by: str
    repeated: bool
