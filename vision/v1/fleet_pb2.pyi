import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from vision.v1 import rules_pb2 as _rules_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_ACCEPT: _ClassVar[Outcome]
    OUTCOME_REJECT: _ClassVar[Outcome]
    OUTCOME_REVIEW: _ClassVar[Outcome]
    OUTCOME_TIMEOUT: _ClassVar[Outcome]
    OUTCOME_FAULT: _ClassVar[Outcome]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_ACCEPT: Outcome
OUTCOME_REJECT: Outcome
OUTCOME_REVIEW: Outcome
OUTCOME_TIMEOUT: Outcome
OUTCOME_FAULT: Outcome

class RegisterRequest(_message.Message):
    __slots__ = ("station", "boot", "version", "bundle")
    STATION_FIELD_NUMBER: _ClassVar[int]
    BOOT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    station: str
    boot: str
    version: str
    bundle: str
    def __init__(self, station: _Optional[str] = ..., boot: _Optional[str] = ..., version: _Optional[str] = ..., bundle: _Optional[str] = ...) -> None: ...

class RegisterResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OutcomeCounts(_message.Message):
    __slots__ = ("accept", "reject", "review", "timeout", "fault")
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    REJECT_FIELD_NUMBER: _ClassVar[int]
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    accept: int
    reject: int
    review: int
    timeout: int
    fault: int
    def __init__(self, accept: _Optional[int] = ..., reject: _Optional[int] = ..., review: _Optional[int] = ..., timeout: _Optional[int] = ..., fault: _Optional[int] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("station", "boot", "bundle", "outcomes", "waiting", "discarded")
    STATION_FIELD_NUMBER: _ClassVar[int]
    BOOT_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    DISCARDED_FIELD_NUMBER: _ClassVar[int]
    station: str
    boot: str
    bundle: str
    outcomes: OutcomeCounts
    waiting: int
    discarded: int
    def __init__(self, station: _Optional[str] = ..., boot: _Optional[str] = ..., bundle: _Optional[str] = ..., outcomes: _Optional[_Union[OutcomeCounts, _Mapping]] = ..., waiting: _Optional[int] = ..., discarded: _Optional[int] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PartResult(_message.Message):
    __slots__ = ("boot", "part", "triggered_at", "outcome", "reason", "detail", "probability", "label", "bundle", "counter", "frame_id", "timings_ms")
    class TimingsMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    BOOT_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    TRIGGERED_AT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    boot: str
    part: int
    triggered_at: _timestamp_pb2.Timestamp
    outcome: Outcome
    reason: str
    detail: str
    probability: float
    label: str
    bundle: str
    counter: int
    frame_id: int
    timings_ms: _containers.ScalarMap[str, float]
    def __init__(self, boot: _Optional[str] = ..., part: _Optional[int] = ..., triggered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., probability: _Optional[float] = ..., label: _Optional[str] = ..., bundle: _Optional[str] = ..., counter: _Optional[int] = ..., frame_id: _Optional[int] = ..., timings_ms: _Optional[_Mapping[str, float]] = ...) -> None: ...

class ReportResultsRequest(_message.Message):
    __slots__ = ("station", "results")
    STATION_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    station: str
    results: _containers.RepeatedCompositeFieldContainer[PartResult]
    def __init__(self, station: _Optional[str] = ..., results: _Optional[_Iterable[_Union[PartResult, _Mapping]]] = ...) -> None: ...

class PartAcknowledgement(_message.Message):
    __slots__ = ("boot", "part", "refusal")
    BOOT_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    boot: str
    part: int
    refusal: _status_pb2.Status
    def __init__(self, boot: _Optional[str] = ..., part: _Optional[int] = ..., refusal: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class ReportResultsResponse(_message.Message):
    __slots__ = ("acknowledgements",)
    ACKNOWLEDGEMENTS_FIELD_NUMBER: _ClassVar[int]
    acknowledgements: _containers.RepeatedCompositeFieldContainer[PartAcknowledgement]
    def __init__(self, acknowledgements: _Optional[_Iterable[_Union[PartAcknowledgement, _Mapping]]] = ...) -> None: ...
