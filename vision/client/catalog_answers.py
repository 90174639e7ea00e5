"""Messages of the catalog's answers as values.

Each function raises `WireError` where a message is incomplete, or of a newer server than this client understands.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TypeVar

import numpy as np

from vision.client import answers
from vision.client.catalog_values import (
    Blemish,
    Categorized,
    Category,
    CategoryLevel,
    CategoryPath,
    CategoryReasons,
    CategoryStatus,
    Duplicate,
    DuplicateKind,
    Feedback,
    FeedbackGiven,
    FeedbackKind,
    FeedbackRow,
    FeedbackState,
    Found,
    Indexed,
    KeptCategory,
    Similar,
)
from vision.errors import WireError
from vision.v1 import catalog_pb2

_One = TypeVar("_One", bound=StrEnum)


def _numbers(kind: type[_One], prefix: str) -> Mapping[int, _One]:
    return {getattr(catalog_pb2, f"{prefix}_{one.name}"): one for one in kind}


_STATUSES: Final = _numbers(CategoryStatus, "CATEGORY_STATUS")
_DUPLICATES: Final = _numbers(DuplicateKind, "DUPLICATE_KIND")
_STATES: Final = _numbers(FeedbackState, "FEEDBACK_STATE")
_KINDS: Final = _numbers(FeedbackKind, "FEEDBACK_KIND")


def _known(number: int, known: Mapping[int, _One], name: str) -> _One:
    if number not in known:
        raise WireError(f"{name}: expected one of {sorted(known)}, found {number}")
    return known[number]


def category(message: catalog_pb2.Categorization) -> Category:
    return Category(
        status=_known(message.status, _STATUSES, "status"),
        levels=tuple(
            CategoryLevel(
                level=one.level,
                label=one.label,
                name=one.name,
                probability=one.probability,
                threshold=one.threshold if one.HasField("threshold") else None,
                answered=one.answered,
            )
            for one in message.levels
        ),
        certified=message.certified,
        alternatives=tuple(
            CategoryPath(labels=tuple(one.labels), probability=one.probability)
            for one in message.alternatives
        ),
        novelty=message.novelty,
        modalities=tuple(message.modalities),
        quality_faults=tuple(message.quality_faults),
        not_understood=dict(message.not_understood),
    )


def categorized(message: catalog_pb2.CategorizeResponse) -> Categorized:
    return Categorized(
        request_id=message.request_id,
        category=_category_of(message),
        model=answers.model_ref(message.model),
        timings=answers.timings(message.timings),
        reasons=_reasons(message.reasons) if message.HasField("reasons") else None,
        heatmaps=tuple(message.heatmaps_png),
        embedding=np.array(message.embedding, np.float32) if message.embedding else None,
        repeated=message.repeated_answer,
    )


def _category_of(message: Any) -> Category:
    if not message.HasField("category"):
        raise WireError("category: expected one, found none")
    return category(message.category)


def _reasons(message: catalog_pb2.CategoryReasons) -> CategoryReasons:
    return CategoryReasons(
        level=message.level,
        label=message.label,
        rival=message.rival,
        shares=dict(message.shares),
        words=tuple((one.word, one.share) for one in message.words),
        attributes=tuple((one.name, one.value, one.share) for one in message.attributes),
    )


def indexed(message: catalog_pb2.IndexItemResponse) -> Indexed:
    return Indexed(
        item_id=message.item_id,
        replaced=message.replaced,
        category=_category_of(message),
        model=answers.model_ref(message.model),
        timings=answers.timings(message.timings),
        duplicates=tuple(
            Duplicate(
                item_id=one.item_id,
                kind=_known(one.kind, _DUPLICATES, "duplicates.kind"),
                photo=one.photo,
                uploaded=one.uploaded,
                similarity=one.similarity,
            )
            for one in message.duplicates
        ),
        photo_sha256s=tuple(message.photo_sha256s),
    )


def found(message: catalog_pb2.SearchSimilarResponse) -> Found:
    return Found(
        items=tuple(
            Similar(
                item_id=one.item_id,
                similarity=one.similarity,
                photo=one.photo,
                kind_probability=one.kind_probability,
                title=one.title,
                attributes=dict(one.attributes),
                labels=tuple(one.labels),
            )
            for one in message.items
        ),
        model=answers.model_ref(message.model),
        categories=tuple(message.categories),
        attributes={name: tuple(one.values) for name, one in message.attributes.items()},
        not_understood=tuple(message.not_understood),
    )


def blemish(message: catalog_pb2.CheckBlemishResponse) -> Blemish:
    kept = message.HasField("item")
    return Blemish(
        category=None if kept else _category_of(message),
        category_model=None if kept else answers.model_ref(message.category_model),
        item=_kept(message.item) if kept else None,
        routed_by=message.routed_by,
        inspection=answers.answer(message.inspection),
    )


def _kept(message: catalog_pb2.KeptCategory) -> KeptCategory:
    return KeptCategory(item_id=message.item_id, labels=dict(message.labels), corrected=message.corrected)


def feedback_given(message: catalog_pb2.SubmitFeedbackResponse) -> FeedbackGiven:
    return FeedbackGiven(
        by=message.by, state=_known(message.state, _STATES, "state"), labels=dict(message.labels)
    )


def feedback(messages: Sequence[catalog_pb2.ExportFeedbackResponse]) -> Feedback:
    counts = [one.counts for one in messages if one.HasField("counts")]
    if len(counts) != 1:
        raise WireError(f"feedback: expected the counts once, found them {len(counts)} times")
    return Feedback(
        rows=tuple(_row(one.feedback) for one in messages if one.HasField("feedback")),
        corrections=counts[0].corrections,
        hard_cases=counts[0].hard_cases,
        confirmations=counts[0].confirmations,
        frozen=counts[0].frozen,
        disputed=counts[0].disputed,
    )


def _row(message: catalog_pb2.Feedback) -> FeedbackRow:
    return FeedbackRow(
        item_id=message.item_id,
        title=message.title,
        attributes=dict(message.attributes),
        photo_sha256s=tuple(message.photo_sha256s),
        photos=tuple(message.photos),
        labels=dict(message.labels),
        said=dict(message.said),
        kind=_known(message.kind, _KINDS, "kind"),
        state=_known(message.state, _STATES, "state"),
        by=message.by,
        at=answers.time(message.at),
        comment=message.comment,
        split=message.split,
        model=message.model,
    )
