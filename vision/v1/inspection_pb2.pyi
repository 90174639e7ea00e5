import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from vision.v1 import common_pb2 as _common_pb2
from vision.v1 import models_pb2 as _models_pb2
from vision.v1 import rules_pb2 as _rules_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_LINE: _ClassVar[Priority]
    PRIORITY_CATALOG: _ClassVar[Priority]
    PRIORITY_BULK: _ClassVar[Priority]
PRIORITY_UNSPECIFIED: Priority
PRIORITY_LINE: Priority
PRIORITY_CATALOG: Priority
PRIORITY_BULK: Priority

class InspectRequest(_message.Message):
    __slots__ = ("request_id", "model", "image", "priority", "heatmap", "embedding", "explain", "part")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    HEATMAP_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: str
    image: bytes
    priority: Priority
    heatmap: bool
    embedding: bool
    explain: bool
    part: str
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[str] = ..., image: _Optional[bytes] = ..., priority: _Optional[_Union[Priority, str]] = ..., heatmap: _Optional[bool] = ..., embedding: _Optional[bool] = ..., explain: _Optional[bool] = ..., part: _Optional[str] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("queue_ms", "decode_ms", "model_ms", "total_ms", "batch")
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    DECODE_MS_FIELD_NUMBER: _ClassVar[int]
    MODEL_MS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    queue_ms: float
    decode_ms: float
    model_ms: float
    total_ms: float
    batch: int
    def __init__(self, queue_ms: _Optional[float] = ..., decode_ms: _Optional[float] = ..., model_ms: _Optional[float] = ..., total_ms: _Optional[float] = ..., batch: _Optional[int] = ...) -> None: ...

class InspectResponse(_message.Message):
    __slots__ = ("request_id", "result_id", "verdict", "model", "timings", "explanation", "heatmap_png", "embedding", "repeated_answer")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    HEATMAP_PNG_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    REPEATED_ANSWER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    result_id: str
    verdict: _common_pb2.Verdict
    model: _models_pb2.ModelRef
    timings: Timings
    explanation: _common_pb2.Explanation
    heatmap_png: bytes
    embedding: _containers.RepeatedScalarFieldContainer[float]
    repeated_answer: bool
    def __init__(self, request_id: _Optional[str] = ..., result_id: _Optional[str] = ..., verdict: _Optional[_Union[_common_pb2.Verdict, _Mapping]] = ..., model: _Optional[_Union[_models_pb2.ModelRef, _Mapping]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ..., explanation: _Optional[_Union[_common_pb2.Explanation, _Mapping]] = ..., heatmap_png: _Optional[bytes] = ..., embedding: _Optional[_Iterable[float]] = ..., repeated_answer: _Optional[bool] = ...) -> None: ...

class InspectStreamResponse(_message.Message):
    __slots__ = ("request_id", "response", "error")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    response: InspectResponse
    error: _status_pb2.Status
    def __init__(self, request_id: _Optional[str] = ..., response: _Optional[_Union[InspectResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class SubmitDispositionRequest(_message.Message):
    __slots__ = ("result_id", "label", "note")
    RESULT_ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    result_id: str
    label: str
    note: str
    def __init__(self, result_id: _Optional[str] = ..., label: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class SubmitDispositionResponse(_message.Message):
    __slots__ = ("by",)
    BY_FIELD_NUMBER: _ClassVar[int]
    by: str
    def __init__(self, by: _Optional[str] = ...) -> None: ...

class ListReviewsRequest(_message.Message):
    __slots__ = ("model", "limit")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    model: str
    limit: int
    def __init__(self, model: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class PendingReview(_message.Message):
    __slots__ = ("result_id", "part", "verdict", "model", "judged_at", "audit", "image_sha256")
    RESULT_ID_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    JUDGED_AT_FIELD_NUMBER: _ClassVar[int]
    AUDIT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SHA256_FIELD_NUMBER: _ClassVar[int]
    result_id: str
    part: str
    verdict: _common_pb2.Verdict
    model: _models_pb2.ModelRef
    judged_at: _timestamp_pb2.Timestamp
    audit: bool
    image_sha256: str
    def __init__(self, result_id: _Optional[str] = ..., part: _Optional[str] = ..., verdict: _Optional[_Union[_common_pb2.Verdict, _Mapping]] = ..., model: _Optional[_Union[_models_pb2.ModelRef, _Mapping]] = ..., judged_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., audit: _Optional[bool] = ..., image_sha256: _Optional[str] = ...) -> None: ...

class ListReviewsResponse(_message.Message):
    __slots__ = ("reviews",)
    REVIEWS_FIELD_NUMBER: _ClassVar[int]
    reviews: _containers.RepeatedCompositeFieldContainer[PendingReview]
    def __init__(self, reviews: _Optional[_Iterable[_Union[PendingReview, _Mapping]]] = ...) -> None: ...

class ExportDispositionsRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class Disposition(_message.Message):
    __slots__ = ("result_id", "image_sha256", "label", "by", "found_at", "decision", "audit", "part", "note")
    RESULT_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SHA256_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    FOUND_AT_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    result_id: str
    image_sha256: str
    label: str
    by: str
    found_at: _timestamp_pb2.Timestamp
    decision: _common_pb2.Decision
    audit: bool
    part: str
    note: str
    def __init__(self, result_id: _Optional[str] = ..., image_sha256: _Optional[str] = ..., label: _Optional[str] = ..., by: _Optional[str] = ..., found_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decision: _Optional[_Union[_common_pb2.Decision, str]] = ..., audit: _Optional[bool] = ..., part: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class EscapeRate(_message.Message):
    __slots__ = ("audited", "escapes", "share", "upper", "certified", "escape_upper")
    AUDITED_FIELD_NUMBER: _ClassVar[int]
    ESCAPES_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    CERTIFIED_FIELD_NUMBER: _ClassVar[int]
    ESCAPE_UPPER_FIELD_NUMBER: _ClassVar[int]
    audited: int
    escapes: int
    share: float
    upper: float
    certified: float
    escape_upper: float
    def __init__(self, audited: _Optional[int] = ..., escapes: _Optional[int] = ..., share: _Optional[float] = ..., upper: _Optional[float] = ..., certified: _Optional[float] = ..., escape_upper: _Optional[float] = ...) -> None: ...

class ExportDispositionsResponse(_message.Message):
    __slots__ = ("disposition", "escape_rate")
    DISPOSITION_FIELD_NUMBER: _ClassVar[int]
    ESCAPE_RATE_FIELD_NUMBER: _ClassVar[int]
    disposition: Disposition
    escape_rate: EscapeRate
    def __init__(self, disposition: _Optional[_Union[Disposition, _Mapping]] = ..., escape_rate: _Optional[_Union[EscapeRate, _Mapping]] = ...) -> None: ...
