import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from vision.v1 import rules_pb2 as _rules_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_STATE_UNSPECIFIED: _ClassVar[JobState]
    JOB_STATE_QUEUED: _ClassVar[JobState]
    JOB_STATE_RUNNING: _ClassVar[JobState]
    JOB_STATE_DONE: _ClassVar[JobState]
    JOB_STATE_FAILED: _ClassVar[JobState]
    JOB_STATE_CANCELLED: _ClassVar[JobState]

class CandidateState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANDIDATE_STATE_UNSPECIFIED: _ClassVar[CandidateState]
    CANDIDATE_STATE_DRAFT: _ClassVar[CandidateState]
    CANDIDATE_STATE_GENERATED: _ClassVar[CandidateState]
    CANDIDATE_STATE_CHECKED: _ClassVar[CandidateState]
    CANDIDATE_STATE_IN_REVIEW: _ClassVar[CandidateState]
    CANDIDATE_STATE_APPROVED: _ClassVar[CandidateState]
    CANDIDATE_STATE_REJECTED: _ClassVar[CandidateState]
    CANDIDATE_STATE_EXPORTED: _ClassVar[CandidateState]

class Light(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIGHT_UNSPECIFIED: _ClassVar[Light]
    LIGHT_LEFT: _ClassVar[Light]
    LIGHT_RIGHT: _ClassVar[Light]
    LIGHT_ABOVE: _ClassVar[Light]

class ReviewAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVIEW_ACTION_UNSPECIFIED: _ClassVar[ReviewAction]
    REVIEW_ACTION_PROPOSE: _ClassVar[ReviewAction]
    REVIEW_ACTION_APPROVE: _ClassVar[ReviewAction]
    REVIEW_ACTION_REJECT: _ClassVar[ReviewAction]
JOB_STATE_UNSPECIFIED: JobState
JOB_STATE_QUEUED: JobState
JOB_STATE_RUNNING: JobState
JOB_STATE_DONE: JobState
JOB_STATE_FAILED: JobState
JOB_STATE_CANCELLED: JobState
CANDIDATE_STATE_UNSPECIFIED: CandidateState
CANDIDATE_STATE_DRAFT: CandidateState
CANDIDATE_STATE_GENERATED: CandidateState
CANDIDATE_STATE_CHECKED: CandidateState
CANDIDATE_STATE_IN_REVIEW: CandidateState
CANDIDATE_STATE_APPROVED: CandidateState
CANDIDATE_STATE_REJECTED: CandidateState
CANDIDATE_STATE_EXPORTED: CandidateState
LIGHT_UNSPECIFIED: Light
LIGHT_LEFT: Light
LIGHT_RIGHT: Light
LIGHT_ABOVE: Light
REVIEW_ACTION_UNSPECIFIED: ReviewAction
REVIEW_ACTION_PROPOSE: ReviewAction
REVIEW_ACTION_APPROVE: ReviewAction
REVIEW_ACTION_REJECT: ReviewAction

class Brief(_message.Message):
    __slots__ = ("scene", "rule_sets", "generator", "horizon", "light", "width", "height", "count", "seed")
    SCENE_FIELD_NUMBER: _ClassVar[int]
    RULE_SETS_FIELD_NUMBER: _ClassVar[int]
    GENERATOR_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    LIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    scene: str
    rule_sets: _containers.RepeatedScalarFieldContainer[str]
    generator: str
    horizon: float
    light: Light
    width: int
    height: int
    count: int
    seed: int
    def __init__(self, scene: _Optional[str] = ..., rule_sets: _Optional[_Iterable[str]] = ..., generator: _Optional[str] = ..., horizon: _Optional[float] = ..., light: _Optional[_Union[Light, str]] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., count: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class CreateJobRequest(_message.Message):
    __slots__ = ("request_id", "name", "photo", "mask", "brief", "label_policy", "waiver", "style")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    BRIEF_FIELD_NUMBER: _ClassVar[int]
    LABEL_POLICY_FIELD_NUMBER: _ClassVar[int]
    WAIVER_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    photo: bytes
    mask: bytes
    brief: Brief
    label_policy: str
    waiver: str
    style: bytes
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., photo: _Optional[bytes] = ..., mask: _Optional[bytes] = ..., brief: _Optional[_Union[Brief, _Mapping]] = ..., label_policy: _Optional[str] = ..., waiver: _Optional[str] = ..., style: _Optional[bytes] = ...) -> None: ...

class ComplianceReport(_message.Message):
    __slots__ = ("rule_set", "version", "status", "json")
    RULE_SET_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    rule_set: str
    version: str
    status: str
    json: str
    def __init__(self, rule_set: _Optional[str] = ..., version: _Optional[str] = ..., status: _Optional[str] = ..., json: _Optional[str] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("number", "state", "seed", "reports", "manifest", "master_sha256", "facts", "device_seconds", "approved_by", "approval", "preview_jpeg", "difference_png")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    MASTER_SHA256_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_JPEG_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_PNG_FIELD_NUMBER: _ClassVar[int]
    number: int
    state: CandidateState
    seed: int
    reports: _containers.RepeatedCompositeFieldContainer[ComplianceReport]
    manifest: str
    master_sha256: str
    facts: str
    device_seconds: float
    approved_by: str
    approval: str
    preview_jpeg: bytes
    difference_png: bytes
    def __init__(self, number: _Optional[int] = ..., state: _Optional[_Union[CandidateState, str]] = ..., seed: _Optional[int] = ..., reports: _Optional[_Iterable[_Union[ComplianceReport, _Mapping]]] = ..., manifest: _Optional[str] = ..., master_sha256: _Optional[str] = ..., facts: _Optional[str] = ..., device_seconds: _Optional[float] = ..., approved_by: _Optional[str] = ..., approval: _Optional[str] = ..., preview_jpeg: _Optional[bytes] = ..., difference_png: _Optional[bytes] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("id", "state", "name", "requester", "created_at", "brief", "label_policy", "photo_sha256", "mask_sha256", "reason", "attempts", "worker", "cancelled_by", "making", "step", "steps", "candidates", "revision", "style_sha256")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    BRIEF_FIELD_NUMBER: _ClassVar[int]
    LABEL_POLICY_FIELD_NUMBER: _ClassVar[int]
    PHOTO_SHA256_FIELD_NUMBER: _ClassVar[int]
    MASK_SHA256_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_BY_FIELD_NUMBER: _ClassVar[int]
    MAKING_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STYLE_SHA256_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: JobState
    name: str
    requester: str
    created_at: _timestamp_pb2.Timestamp
    brief: Brief
    label_policy: str
    photo_sha256: str
    mask_sha256: str
    reason: str
    attempts: int
    worker: str
    cancelled_by: str
    making: int
    step: int
    steps: int
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    revision: int
    style_sha256: str
    def __init__(self, id: _Optional[str] = ..., state: _Optional[_Union[JobState, str]] = ..., name: _Optional[str] = ..., requester: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., brief: _Optional[_Union[Brief, _Mapping]] = ..., label_policy: _Optional[str] = ..., photo_sha256: _Optional[str] = ..., mask_sha256: _Optional[str] = ..., reason: _Optional[str] = ..., attempts: _Optional[int] = ..., worker: _Optional[str] = ..., cancelled_by: _Optional[str] = ..., making: _Optional[int] = ..., step: _Optional[int] = ..., steps: _Optional[int] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., revision: _Optional[int] = ..., style_sha256: _Optional[str] = ...) -> None: ...

class CreateJobResponse(_message.Message):
    __slots__ = ("job", "repeated_answer")
    JOB_FIELD_NUMBER: _ClassVar[int]
    REPEATED_ANSWER_FIELD_NUMBER: _ClassVar[int]
    job: Job
    repeated_answer: bool
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ..., repeated_answer: _Optional[bool] = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("job_id", "pictures")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    pictures: bool
    def __init__(self, job_id: _Optional[str] = ..., pictures: _Optional[bool] = ...) -> None: ...

class GetJobResponse(_message.Message):
    __slots__ = ("job", "events", "alpha_png")
    JOB_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    ALPHA_PNG_FIELD_NUMBER: _ClassVar[int]
    job: Job
    events: _containers.RepeatedCompositeFieldContainer[ImageEvent]
    alpha_png: bytes
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ..., events: _Optional[_Iterable[_Union[ImageEvent, _Mapping]]] = ..., alpha_png: _Optional[bytes] = ...) -> None: ...

class ListJobsRequest(_message.Message):
    __slots__ = ("state", "requester", "holding", "limit", "after")
    STATE_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    HOLDING_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    state: JobState
    requester: str
    holding: CandidateState
    limit: int
    after: str
    def __init__(self, state: _Optional[_Union[JobState, str]] = ..., requester: _Optional[str] = ..., holding: _Optional[_Union[CandidateState, str]] = ..., limit: _Optional[int] = ..., after: _Optional[str] = ...) -> None: ...

class ListJobsResponse(_message.Message):
    __slots__ = ("jobs",)
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    def __init__(self, jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ...) -> None: ...

class WatchJobRequest(_message.Message):
    __slots__ = ("job_id", "previews")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    PREVIEWS_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    previews: bool
    def __init__(self, job_id: _Optional[str] = ..., previews: _Optional[bool] = ...) -> None: ...

class WatchJobResponse(_message.Message):
    __slots__ = ("job", "preview_jpeg")
    JOB_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_JPEG_FIELD_NUMBER: _ClassVar[int]
    job: Job
    preview_jpeg: bytes
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ..., preview_jpeg: _Optional[bytes] = ...) -> None: ...

class CancelJobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class CancelJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: Job
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ...) -> None: ...

class CheckComplianceRequest(_message.Message):
    __slots__ = ("image", "rule_sets")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    RULE_SETS_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    rule_sets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, image: _Optional[bytes] = ..., rule_sets: _Optional[_Iterable[str]] = ...) -> None: ...

class CheckComplianceResponse(_message.Message):
    __slots__ = ("reports",)
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[ComplianceReport]
    def __init__(self, reports: _Optional[_Iterable[_Union[ComplianceReport, _Mapping]]] = ...) -> None: ...

class ReviewRequest(_message.Message):
    __slots__ = ("job_id", "number", "action", "reason")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    number: int
    action: ReviewAction
    reason: str
    def __init__(self, job_id: _Optional[str] = ..., number: _Optional[int] = ..., action: _Optional[_Union[ReviewAction, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class ImageEvent(_message.Message):
    __slots__ = ("number", "act", "at", "by", "reason", "digest")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    number: int
    act: str
    at: _timestamp_pb2.Timestamp
    by: str
    reason: str
    digest: str
    def __init__(self, number: _Optional[int] = ..., act: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., by: _Optional[str] = ..., reason: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class ReviewResponse(_message.Message):
    __slots__ = ("candidate", "events")
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    candidate: Candidate
    events: _containers.RepeatedCompositeFieldContainer[ImageEvent]
    def __init__(self, candidate: _Optional[_Union[Candidate, _Mapping]] = ..., events: _Optional[_Iterable[_Union[ImageEvent, _Mapping]]] = ...) -> None: ...

class ExportRequest(_message.Message):
    __slots__ = ("job_id", "number", "rule_set")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RULE_SET_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    number: int
    rule_set: str
    def __init__(self, job_id: _Optional[str] = ..., number: _Optional[int] = ..., rule_set: _Optional[str] = ...) -> None: ...

class ExportResponse(_message.Message):
    __slots__ = ("data", "format", "sha256", "report", "approval", "approved_by", "repeated_answer")
    DATA_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    REPEATED_ANSWER_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    format: str
    sha256: str
    report: ComplianceReport
    approval: str
    approved_by: str
    repeated_answer: bool
    def __init__(self, data: _Optional[bytes] = ..., format: _Optional[str] = ..., sha256: _Optional[str] = ..., report: _Optional[_Union[ComplianceReport, _Mapping]] = ..., approval: _Optional[str] = ..., approved_by: _Optional[str] = ..., repeated_answer: _Optional[bool] = ...) -> None: ...
