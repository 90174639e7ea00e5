from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    DECISION_ACCEPT: _ClassVar[Decision]
    DECISION_REJECT: _ClassVar[Decision]
    DECISION_REVIEW: _ClassVar[Decision]

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_CONFIDENT: _ClassVar[Reason]
    REASON_UNCERTAIN: _ClassVar[Reason]
    REASON_NOVEL: _ClassVar[Reason]
    REASON_IMAGE_QUALITY: _ClassVar[Reason]
    REASON_FAULT: _ClassVar[Reason]
DECISION_UNSPECIFIED: Decision
DECISION_ACCEPT: Decision
DECISION_REJECT: Decision
DECISION_REVIEW: Decision
REASON_UNSPECIFIED: Reason
REASON_CONFIDENT: Reason
REASON_UNCERTAIN: Reason
REASON_NOVEL: Reason
REASON_IMAGE_QUALITY: Reason
REASON_FAULT: Reason

class Box(_message.Message):
    __slots__ = ("left", "top", "right", "bottom")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    BOTTOM_FIELD_NUMBER: _ClassVar[int]
    left: int
    top: int
    right: int
    bottom: int
    def __init__(self, left: _Optional[int] = ..., top: _Optional[int] = ..., right: _Optional[int] = ..., bottom: _Optional[int] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("decision", "reason", "detail", "probability", "label", "probabilities", "novelty", "certified")
    class ProbabilitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    NOVELTY_FIELD_NUMBER: _ClassVar[int]
    CERTIFIED_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    reason: Reason
    detail: str
    probability: float
    label: str
    probabilities: _containers.ScalarMap[str, float]
    novelty: float
    certified: bool
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., reason: _Optional[_Union[Reason, str]] = ..., detail: _Optional[str] = ..., probability: _Optional[float] = ..., label: _Optional[str] = ..., probabilities: _Optional[_Mapping[str, float]] = ..., novelty: _Optional[float] = ..., certified: _Optional[bool] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("defect", "region", "log_odds", "contribution", "counterfactual")
    DEFECT_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    LOG_ODDS_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    COUNTERFACTUAL_FIELD_NUMBER: _ClassVar[int]
    defect: str
    region: Box
    log_odds: float
    contribution: float
    counterfactual: Verdict
    def __init__(self, defect: _Optional[str] = ..., region: _Optional[_Union[Box, _Mapping]] = ..., log_odds: _Optional[float] = ..., contribution: _Optional[float] = ..., counterfactual: _Optional[_Union[Verdict, _Mapping]] = ...) -> None: ...
