import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from vision.v1 import inspection_pb2 as _inspection_pb2
from vision.v1 import models_pb2 as _models_pb2
from vision.v1 import rules_pb2 as _rules_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CategoryStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CATEGORY_STATUS_UNSPECIFIED: _ClassVar[CategoryStatus]
    CATEGORY_STATUS_ANSWERED: _ClassVar[CategoryStatus]
    CATEGORY_STATUS_UNKNOWN: _ClassVar[CategoryStatus]
    CATEGORY_STATUS_NOVEL: _ClassVar[CategoryStatus]
    CATEGORY_STATUS_IMAGE_QUALITY: _ClassVar[CategoryStatus]

class DuplicateKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DUPLICATE_KIND_UNSPECIFIED: _ClassVar[DuplicateKind]
    DUPLICATE_KIND_SAME: _ClassVar[DuplicateKind]
    DUPLICATE_KIND_COPY: _ClassVar[DuplicateKind]

class FeedbackState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEEDBACK_STATE_UNSPECIFIED: _ClassVar[FeedbackState]
    FEEDBACK_STATE_ACCEPTED: _ClassVar[FeedbackState]
    FEEDBACK_STATE_REVIEW: _ClassVar[FeedbackState]
    FEEDBACK_STATE_OVERRULED: _ClassVar[FeedbackState]

class FeedbackKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEEDBACK_KIND_UNSPECIFIED: _ClassVar[FeedbackKind]
    FEEDBACK_KIND_CORRECTION: _ClassVar[FeedbackKind]
    FEEDBACK_KIND_HARD_CASE: _ClassVar[FeedbackKind]
    FEEDBACK_KIND_CONFIRMATION: _ClassVar[FeedbackKind]
CATEGORY_STATUS_UNSPECIFIED: CategoryStatus
CATEGORY_STATUS_ANSWERED: CategoryStatus
CATEGORY_STATUS_UNKNOWN: CategoryStatus
CATEGORY_STATUS_NOVEL: CategoryStatus
CATEGORY_STATUS_IMAGE_QUALITY: CategoryStatus
DUPLICATE_KIND_UNSPECIFIED: DuplicateKind
DUPLICATE_KIND_SAME: DuplicateKind
DUPLICATE_KIND_COPY: DuplicateKind
FEEDBACK_STATE_UNSPECIFIED: FeedbackState
FEEDBACK_STATE_ACCEPTED: FeedbackState
FEEDBACK_STATE_REVIEW: FeedbackState
FEEDBACK_STATE_OVERRULED: FeedbackState
FEEDBACK_KIND_UNSPECIFIED: FeedbackKind
FEEDBACK_KIND_CORRECTION: FeedbackKind
FEEDBACK_KIND_HARD_CASE: FeedbackKind
FEEDBACK_KIND_CONFIRMATION: FeedbackKind

class Product(_message.Message):
    __slots__ = ("photos", "title", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PHOTOS_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    photos: _containers.RepeatedScalarFieldContainer[bytes]
    title: str
    attributes: _containers.ScalarMap[str, str]
    def __init__(self, photos: _Optional[_Iterable[bytes]] = ..., title: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class CategorizeRequest(_message.Message):
    __slots__ = ("request_id", "model", "product", "priority", "reasons", "heatmap", "embedding", "language")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    HEATMAP_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: str
    product: Product
    priority: _inspection_pb2.Priority
    reasons: bool
    heatmap: bool
    embedding: bool
    language: str
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[str] = ..., product: _Optional[_Union[Product, _Mapping]] = ..., priority: _Optional[_Union[_inspection_pb2.Priority, str]] = ..., reasons: _Optional[bool] = ..., heatmap: _Optional[bool] = ..., embedding: _Optional[bool] = ..., language: _Optional[str] = ...) -> None: ...

class CategoryLevel(_message.Message):
    __slots__ = ("level", "label", "name", "probability", "threshold", "answered")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    level: str
    label: str
    name: str
    probability: float
    threshold: float
    answered: bool
    def __init__(self, level: _Optional[str] = ..., label: _Optional[str] = ..., name: _Optional[str] = ..., probability: _Optional[float] = ..., threshold: _Optional[float] = ..., answered: _Optional[bool] = ...) -> None: ...

class CategoryPath(_message.Message):
    __slots__ = ("labels", "probability")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedScalarFieldContainer[str]
    probability: float
    def __init__(self, labels: _Optional[_Iterable[str]] = ..., probability: _Optional[float] = ...) -> None: ...

class Categorization(_message.Message):
    __slots__ = ("status", "levels", "certified", "alternatives", "novelty", "modalities", "quality_faults", "not_understood")
    class NotUnderstoodEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    CERTIFIED_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    NOVELTY_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FAULTS_FIELD_NUMBER: _ClassVar[int]
    NOT_UNDERSTOOD_FIELD_NUMBER: _ClassVar[int]
    status: CategoryStatus
    levels: _containers.RepeatedCompositeFieldContainer[CategoryLevel]
    certified: bool
    alternatives: _containers.RepeatedCompositeFieldContainer[CategoryPath]
    novelty: float
    modalities: _containers.RepeatedScalarFieldContainer[str]
    quality_faults: _containers.RepeatedScalarFieldContainer[str]
    not_understood: _containers.ScalarMap[str, str]
    def __init__(self, status: _Optional[_Union[CategoryStatus, str]] = ..., levels: _Optional[_Iterable[_Union[CategoryLevel, _Mapping]]] = ..., certified: _Optional[bool] = ..., alternatives: _Optional[_Iterable[_Union[CategoryPath, _Mapping]]] = ..., novelty: _Optional[float] = ..., modalities: _Optional[_Iterable[str]] = ..., quality_faults: _Optional[_Iterable[str]] = ..., not_understood: _Optional[_Mapping[str, str]] = ...) -> None: ...

class CategoryReasons(_message.Message):
    __slots__ = ("level", "label", "rival", "shares", "words", "attributes")
    class Word(_message.Message):
        __slots__ = ("word", "share")
        WORD_FIELD_NUMBER: _ClassVar[int]
        SHARE_FIELD_NUMBER: _ClassVar[int]
        word: str
        share: float
        def __init__(self, word: _Optional[str] = ..., share: _Optional[float] = ...) -> None: ...
    class Attribute(_message.Message):
        __slots__ = ("name", "value", "share")
        NAME_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        SHARE_FIELD_NUMBER: _ClassVar[int]
        name: str
        value: str
        share: float
        def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ..., share: _Optional[float] = ...) -> None: ...
    class SharesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    RIVAL_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    level: str
    label: str
    rival: str
    shares: _containers.ScalarMap[str, float]
    words: _containers.RepeatedCompositeFieldContainer[CategoryReasons.Word]
    attributes: _containers.RepeatedCompositeFieldContainer[CategoryReasons.Attribute]
    def __init__(self, level: _Optional[str] = ..., label: _Optional[str] = ..., rival: _Optional[str] = ..., shares: _Optional[_Mapping[str, float]] = ..., words: _Optional[_Iterable[_Union[CategoryReasons.Word, _Mapping]]] = ..., attributes: _Optional[_Iterable[_Union[CategoryReasons.Attribute, _Mapping]]] = ...) -> None: ...

class CategorizeResponse(_message.Message):
    __slots__ = ("request_id", "category", "model", "timings", "reasons", "heatmaps_png", "embedding", "repeated_answer")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    HEATMAPS_PNG_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    REPEATED_ANSWER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    category: Categorization
    model: _models_pb2.ModelRef
    timings: _inspection_pb2.Timings
    reasons: CategoryReasons
    heatmaps_png: _containers.RepeatedScalarFieldContainer[bytes]
    embedding: _containers.RepeatedScalarFieldContainer[float]
    repeated_answer: bool
    def __init__(self, request_id: _Optional[str] = ..., category: _Optional[_Union[Categorization, _Mapping]] = ..., model: _Optional[_Union[_models_pb2.ModelRef, _Mapping]] = ..., timings: _Optional[_Union[_inspection_pb2.Timings, _Mapping]] = ..., reasons: _Optional[_Union[CategoryReasons, _Mapping]] = ..., heatmaps_png: _Optional[_Iterable[bytes]] = ..., embedding: _Optional[_Iterable[float]] = ..., repeated_answer: _Optional[bool] = ...) -> None: ...

class CategorizeStreamResponse(_message.Message):
    __slots__ = ("request_id", "response", "error")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    response: CategorizeResponse
    error: _status_pb2.Status
    def __init__(self, request_id: _Optional[str] = ..., response: _Optional[_Union[CategorizeResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class IndexItemRequest(_message.Message):
    __slots__ = ("request_id", "model", "item_id", "product", "priority", "split")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: str
    item_id: str
    product: Product
    priority: _inspection_pb2.Priority
    split: str
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[str] = ..., item_id: _Optional[str] = ..., product: _Optional[_Union[Product, _Mapping]] = ..., priority: _Optional[_Union[_inspection_pb2.Priority, str]] = ..., split: _Optional[str] = ...) -> None: ...

class Duplicate(_message.Message):
    __slots__ = ("item_id", "kind", "photo", "uploaded", "similarity")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    UPLOADED_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    kind: DuplicateKind
    photo: int
    uploaded: int
    similarity: float
    def __init__(self, item_id: _Optional[str] = ..., kind: _Optional[_Union[DuplicateKind, str]] = ..., photo: _Optional[int] = ..., uploaded: _Optional[int] = ..., similarity: _Optional[float] = ...) -> None: ...

class IndexItemResponse(_message.Message):
    __slots__ = ("request_id", "item_id", "replaced", "category", "model", "timings", "duplicates", "photo_sha256s", "repeated_answer")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    PHOTO_SHA256S_FIELD_NUMBER: _ClassVar[int]
    REPEATED_ANSWER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    item_id: str
    replaced: bool
    category: Categorization
    model: _models_pb2.ModelRef
    timings: _inspection_pb2.Timings
    duplicates: _containers.RepeatedCompositeFieldContainer[Duplicate]
    photo_sha256s: _containers.RepeatedScalarFieldContainer[str]
    repeated_answer: bool
    def __init__(self, request_id: _Optional[str] = ..., item_id: _Optional[str] = ..., replaced: _Optional[bool] = ..., category: _Optional[_Union[Categorization, _Mapping]] = ..., model: _Optional[_Union[_models_pb2.ModelRef, _Mapping]] = ..., timings: _Optional[_Union[_inspection_pb2.Timings, _Mapping]] = ..., duplicates: _Optional[_Iterable[_Union[Duplicate, _Mapping]]] = ..., photo_sha256s: _Optional[_Iterable[str]] = ..., repeated_answer: _Optional[bool] = ...) -> None: ...

class RemoveItemRequest(_message.Message):
    __slots__ = ("item_id",)
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    def __init__(self, item_id: _Optional[str] = ...) -> None: ...

class RemoveItemResponse(_message.Message):
    __slots__ = ("removed",)
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    removed: bool
    def __init__(self, removed: _Optional[bool] = ...) -> None: ...

class AttributeValues(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class SearchSimilarRequest(_message.Message):
    __slots__ = ("model", "image", "item_id", "text", "categories", "attributes", "limit")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValues
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValues, _Mapping]] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    model: str
    image: bytes
    item_id: str
    text: str
    categories: _containers.RepeatedScalarFieldContainer[str]
    attributes: _containers.MessageMap[str, AttributeValues]
    limit: int
    def __init__(self, model: _Optional[str] = ..., image: _Optional[bytes] = ..., item_id: _Optional[str] = ..., text: _Optional[str] = ..., categories: _Optional[_Iterable[str]] = ..., attributes: _Optional[_Mapping[str, AttributeValues]] = ..., limit: _Optional[int] = ...) -> None: ...

class SimilarItem(_message.Message):
    __slots__ = ("item_id", "similarity", "photo", "title", "attributes", "labels", "kind_probability")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    KIND_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    similarity: float
    photo: int
    title: str
    attributes: _containers.ScalarMap[str, str]
    labels: _containers.RepeatedScalarFieldContainer[str]
    kind_probability: float
    def __init__(self, item_id: _Optional[str] = ..., similarity: _Optional[float] = ..., photo: _Optional[int] = ..., title: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ..., labels: _Optional[_Iterable[str]] = ..., kind_probability: _Optional[float] = ...) -> None: ...

class SearchSimilarResponse(_message.Message):
    __slots__ = ("items", "model", "categories", "attributes", "not_understood")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValues
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValues, _Mapping]] = ...) -> None: ...
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    NOT_UNDERSTOOD_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[SimilarItem]
    model: _models_pb2.ModelRef
    categories: _containers.RepeatedScalarFieldContainer[str]
    attributes: _containers.MessageMap[str, AttributeValues]
    not_understood: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, items: _Optional[_Iterable[_Union[SimilarItem, _Mapping]]] = ..., model: _Optional[_Union[_models_pb2.ModelRef, _Mapping]] = ..., categories: _Optional[_Iterable[str]] = ..., attributes: _Optional[_Mapping[str, AttributeValues]] = ..., not_understood: _Optional[_Iterable[str]] = ...) -> None: ...

class CheckBlemishRequest(_message.Message):
    __slots__ = ("request_id", "model", "image", "title", "attributes", "priority", "heatmap", "explain", "part", "item_id")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    HEATMAP_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: str
    image: bytes
    title: str
    attributes: _containers.ScalarMap[str, str]
    priority: _inspection_pb2.Priority
    heatmap: bool
    explain: bool
    part: str
    item_id: str
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[str] = ..., image: _Optional[bytes] = ..., title: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ..., priority: _Optional[_Union[_inspection_pb2.Priority, str]] = ..., heatmap: _Optional[bool] = ..., explain: _Optional[bool] = ..., part: _Optional[str] = ..., item_id: _Optional[str] = ...) -> None: ...

class KeptCategory(_message.Message):
    __slots__ = ("item_id", "labels", "corrected")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    labels: _containers.ScalarMap[str, str]
    corrected: bool
    def __init__(self, item_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., corrected: _Optional[bool] = ...) -> None: ...

class CheckBlemishResponse(_message.Message):
    __slots__ = ("request_id", "category", "category_model", "routed_by", "inspection", "repeated_answer", "item")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_MODEL_FIELD_NUMBER: _ClassVar[int]
    ROUTED_BY_FIELD_NUMBER: _ClassVar[int]
    INSPECTION_FIELD_NUMBER: _ClassVar[int]
    REPEATED_ANSWER_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    category: Categorization
    category_model: _models_pb2.ModelRef
    routed_by: str
    inspection: _inspection_pb2.InspectResponse
    repeated_answer: bool
    item: KeptCategory
    def __init__(self, request_id: _Optional[str] = ..., category: _Optional[_Union[Categorization, _Mapping]] = ..., category_model: _Optional[_Union[_models_pb2.ModelRef, _Mapping]] = ..., routed_by: _Optional[str] = ..., inspection: _Optional[_Union[_inspection_pb2.InspectResponse, _Mapping]] = ..., repeated_answer: _Optional[bool] = ..., item: _Optional[_Union[KeptCategory, _Mapping]] = ...) -> None: ...

class SubmitFeedbackRequest(_message.Message):
    __slots__ = ("request_id", "item_id", "labels", "comment")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    item_id: str
    labels: _containers.ScalarMap[str, str]
    comment: str
    def __init__(self, request_id: _Optional[str] = ..., item_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., comment: _Optional[str] = ...) -> None: ...

class SubmitFeedbackResponse(_message.Message):
    __slots__ = ("request_id", "by", "state", "labels", "repeated_answer")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    REPEATED_ANSWER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    by: str
    state: FeedbackState
    labels: _containers.ScalarMap[str, str]
    repeated_answer: bool
    def __init__(self, request_id: _Optional[str] = ..., by: _Optional[str] = ..., state: _Optional[_Union[FeedbackState, str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., repeated_answer: _Optional[bool] = ...) -> None: ...

class ExportFeedbackRequest(_message.Message):
    __slots__ = ("disputed", "photos", "model")
    DISPUTED_FIELD_NUMBER: _ClassVar[int]
    PHOTOS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    disputed: bool
    photos: bool
    model: str
    def __init__(self, disputed: _Optional[bool] = ..., photos: _Optional[bool] = ..., model: _Optional[str] = ...) -> None: ...

class Feedback(_message.Message):
    __slots__ = ("item_id", "title", "attributes", "photo_sha256s", "photos", "labels", "said", "kind", "state", "by", "at", "comment", "split", "model")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class SaidEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    PHOTO_SHA256S_FIELD_NUMBER: _ClassVar[int]
    PHOTOS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    title: str
    attributes: _containers.ScalarMap[str, str]
    photo_sha256s: _containers.RepeatedScalarFieldContainer[str]
    photos: _containers.RepeatedScalarFieldContainer[bytes]
    labels: _containers.ScalarMap[str, str]
    said: _containers.ScalarMap[str, str]
    kind: FeedbackKind
    state: FeedbackState
    by: str
    at: _timestamp_pb2.Timestamp
    comment: str
    split: str
    model: str
    def __init__(self, item_id: _Optional[str] = ..., title: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ..., photo_sha256s: _Optional[_Iterable[str]] = ..., photos: _Optional[_Iterable[bytes]] = ..., labels: _Optional[_Mapping[str, str]] = ..., said: _Optional[_Mapping[str, str]] = ..., kind: _Optional[_Union[FeedbackKind, str]] = ..., state: _Optional[_Union[FeedbackState, str]] = ..., by: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., comment: _Optional[str] = ..., split: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class FeedbackCounts(_message.Message):
    __slots__ = ("corrections", "hard_cases", "confirmations", "frozen", "disputed")
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    HARD_CASES_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATIONS_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    DISPUTED_FIELD_NUMBER: _ClassVar[int]
    corrections: int
    hard_cases: int
    confirmations: int
    frozen: int
    disputed: int
    def __init__(self, corrections: _Optional[int] = ..., hard_cases: _Optional[int] = ..., confirmations: _Optional[int] = ..., frozen: _Optional[int] = ..., disputed: _Optional[int] = ...) -> None: ...

class ExportFeedbackResponse(_message.Message):
    __slots__ = ("feedback", "counts")
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    feedback: Feedback
    counts: FeedbackCounts
    def __init__(self, feedback: _Optional[_Union[Feedback, _Mapping]] = ..., counts: _Optional[_Union[FeedbackCounts, _Mapping]] = ...) -> None: ...
