"""What a server says of a catalog's products, as values: nothing here knows messages or calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vision.client.values import Answer, ModelRef, Timings
from vision.errors import LoupeError


class CategoryStatus(StrEnum):
    """As `vision.catalog.categorize.Status`."""

    ANSWERED = "answered"
    UNKNOWN = "unknown"
    NOVEL = "novel"
    IMAGE_QUALITY = "image_quality"


class DuplicateKind(StrEnum):
    """`SAME`: the same picture; `COPY`: encoded, resized or brightened anew."""

    SAME = "same"
    COPY = "copy"


class FeedbackState(StrEnum):
    """`REVIEW`: people disagree, and a reviewer has to decide; `OVERRULED`: one has, or the same person said otherwise later."""

    ACCEPTED = "accepted"
    REVIEW = "review"
    OVERRULED = "overruled"


class FeedbackKind(StrEnum):
    """What feedback says of the model: its best path is another one; it is right, but was not answered for; it was right."""

    CORRECTION = "correction"
    HARD_CASE = "hard_case"
    CONFIRMATION = "confirmation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What is handed in of a product.

    Attributes:
        photos: encoded, or where they lie.
        item_id: the shop's own; where it is to be kept or told apart.
        split: train, val or test, where that is known; one of the test set is never learned from.
    """

    photos: tuple[bytes | Path, ...] = field(default=(), repr=False)
    title: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    item_id: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryLevel:
    """A level of the path; `threshold` is absent where it cannot be certified, `answered` whether the server answers for it."""

    level: str
    label: str
    name: str
    probability: float
    threshold: float | None
    answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryPath:
    labels: tuple[str, ...]
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A product's place in the tree, as `vision.catalog.categorize.Categorization` has it.

    Attributes:
        levels: the best path from the coarsest level, all of it.
        novelty: above 1 is novel; 0 without a photo.
    """

    status: CategoryStatus
    levels: tuple[CategoryLevel, ...]
    certified: bool
    alternatives: tuple[CategoryPath, ...]
    novelty: float
    modalities: tuple[str, ...]
    quality_faults: tuple[str, ...]
    not_understood: Mapping[str, str]

    @property
    def answered(self) -> tuple[CategoryLevel, ...]:
        """The levels that are answered for."""
        return tuple(one for one in self.levels if one.answered)

    @property
    def depth(self) -> int:
        """The place of the deepest of them, counted from 1; 0 where there is none."""
        return max((place for place, one in enumerate(self.levels, start=1) if one.answered), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryReasons:
    """Why `label` rather than `rival`, as `vision.catalog.reasons.Reasons` has it."""

    level: str
    label: str
    rival: str
    shares: Mapping[str, float]
    words: tuple[tuple[str, float], ...]
    attributes: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Categorized:
    """The answer for one product.

    Attributes:
        heatmaps: a PNG of each photo that was judged, where they were asked for.
        embedding: float32 (D,), where it was asked for.
        repeated: the stored answer to an earlier request with this id.
    """

    request_id: str
    category: Category
    model: ModelRef
    timings: Timings
    reasons: CategoryReasons | None = None
    heatmaps: tuple[bytes, ...] = field(default=(), repr=False)
    embedding: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Another product with a photo of this one: which of its own, and which of the uploaded ones."""

    item_id: str
    kind: DuplicateKind
    photo: int
    uploaded: int
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A product that is kept now.

    Attributes:
        replaced: there was one of this id.
        photo_sha256s: of its photos as they are kept, without metadata.
    """

    item_id: str
    replaced: bool
    category: Category
    model: ModelRef
    timings: Timings
    duplicates: tuple[Duplicate, ...]
    photo_sha256s: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """A kept product that was found.

    Attributes:
        similarity: the cosine of its most similar photo.
        kind_probability: searched by a picture: how probable it is that the picture is of the product's category, 0..1. 0 too where that is none
            of the picture's alternatives, and where the picture is novel or cannot be judged.
    """

    item_id: str
    similarity: float
    photo: int
    kind_probability: float
    title: str
    attributes: Mapping[str, str]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found, the best first; of a text also what it was understood to name, and the words that name nothing."""

    items: tuple[Similar, ...]
    model: ModelRef
    categories: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]]
    not_understood: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCategory:
    """What a kept product counts as, by level: as people corrected it, else as far as the model answered."""

    item_id: str
    labels: Mapping[str, str]
    corrected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Blemish:
    """What the inspection model of a product's category found.

    Attributes:
        category, category_model: where the photo was placed, and by whom; absent for a kept product.
        item: the kept product, where one was named.
        routed_by: the category that chose the model; empty where it was the default.
    """

    category: Category | None
    category_model: ModelRef | None
    item: KeptCategory | None
    routed_by: str
    inspection: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackGiven:
    """What was recorded, with the levels that follow from what was said."""

    by: str
    state: FeedbackState
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRow:
    """A product to learn from, or one that people disagree on.

    Attributes:
        labels: by level, what is right; `said`: the model's best path.
        photos: as they are kept, where they were asked for.
        model: the name of the one that has placed the product; the labels are of its tree. Empty from a server that does not tell.
    """

    item_id: str
    title: str
    attributes: Mapping[str, str]
    photo_sha256s: tuple[str, ...]
    photos: tuple[bytes, ...] = field(repr=False)
    labels: Mapping[str, str]
    said: Mapping[str, str]
    kind: FeedbackKind
    state: FeedbackState
    by: str
    at: datetime
    comment: str
    split: str
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Rows, and how many products were of which kind or left out: confirmed, of the frozen test set, or disputed."""

    rows: tuple[FeedbackRow, ...]
    corrections: int
    hard_cases: int
    confirmations: int
    frozen: int
    disputed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductOutcome:
    """What became of one product among many: its place among them, and the answer or why there is none."""

    index: int
    item_id: str
    result: Categorized | Indexed | LoupeError
