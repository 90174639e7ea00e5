"""What a server's answers hold, as values: nothing here knows messages or calls."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from vision.errors import LoupeError
from vision.inspection.policy import Decision, Verdict
from vision.wire import Explained

Priority = Literal["line", "catalog", "bulk"]


class ModelState(StrEnum):
    """`READY` with a `detail`: an earlier version is served, since a newer one could not be loaded."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """Which model answered.

    Attributes:
        digest: SHA-256 of the bundle's manifest.
        file: the ONNX file that runs.
    """

    name: str
    version: str
    digest: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogTerms:
    """What a catalog model tells apart and reads.

    Attributes:
        levels: from the coarsest.
        title_columns: what columns of titles are usually called, the likeliest first; none where titles do not count.
        attributes: names of those that count.
    """

    levels: tuple[str, ...]
    title_columns: tuple[str, ...]
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model as a server tells of it.

    Attributes:
        detail: why it, or its newer version, could not be loaded.
        good: the label of a good part.
        size_wh: the model's input in pixels.
        certificate: one line on the one in force; absent where nothing is accepted.
        load_s: what loading, verification and warm-up took.
        cost_per_image_ms, cost_per_batch_ms: a batch of n takes `cost_per_image_ms * n + cost_per_batch_ms`.
        task: inspection or catalog.
        catalog: of a catalog model alone.
    """

    ref: ModelRef
    state: ModelState
    detail: str
    labels: tuple[str, ...]
    good: str
    size_wh: tuple[int, int]
    certificate: str | None
    load_s: float
    cost_per_image_ms: float
    cost_per_batch_ms: float
    task: str = "inspection"
    catalog: CatalogTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Milliseconds on the server's monotonic clock, and how many pictures shared the model's run."""

    queue_ms: float
    decode_ms: float
    model_ms: float
    total_ms: float
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer for one picture.

    Attributes:
        request_id: as it was sent.
        result_id: under which the server keeps the result; dispositions refer to it.
        explanation: where it was asked for.
        heatmap: a PNG of the picture with the evidence over it, where it was asked for.
        embedding: float32 (D,), pooled features, where they were asked for.
        repeated: the stored answer to an earlier request with this id.
    """

    request_id: str
    result_id: str
    verdict: Verdict
    model: ModelRef
    timings: Timings
    explanation: Explained | None = None
    heatmap: bytes | None = field(default=None, repr=False)
    embedding: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture to be judged among many.

    Attributes:
        image: encoded, or where it lies.
        part: what the caller calls the part; kept with the result.
        request_id: the caller's own; a fresh one where absent. No two pictures in flight may share one.
    """

    image: bytes | Path = field(repr=False)
    part: str = ""
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one picture among many.

    Attributes:
        index: its place among the pictures, from 0.
        result: the answer, or why there is none.
    """

    index: int
    request_id: str
    part: str
    result: Answer | LoupeError


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReview:
    """A judged part that waits for a person.

    Attributes:
        judged_at: by the server's clock, UTC.
        audit: an accepted part of the random sample.
        image_sha256: of the picture; absent where it is not kept.
    """

    result_id: str
    part: str
    verdict: Verdict
    model: ModelRef
    judged_at: datetime
    audit: bool
    image_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """What a person found a part to be.

    Attributes:
        by: who said so.
        found_at: by the server's clock, UTC.
        decision: what had been decided on the part.
        audit: it was an accepted part of the random sample.
    """

    result_id: str
    image_sha256: str | None
    label: str
    by: str
    found_at: datetime
    decision: Decision
    audit: bool
    part: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EscapeRate:
    """The escape rate as the audit shows it.

    Attributes:
        audited, escapes: accepted parts that people looked at, and how many of them were defective.
        share, upper: of accepted parts: the share found defective, and its upper bound with 95 % confidence.
        certified: what the certificate in force promises, of defective parts; absent without one.
        escape_upper: the bound carried over to defective parts; absent while too few are known.
    """

    audited: int
    escapes: int
    share: float
    upper: float
    certified: float | None
    escape_upper: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispositions:
    """All dispositions, and the escape rate that they show; absent where the model is not served any more."""

    rows: tuple[Disposition, ...]
    escape_rate: EscapeRate | None
