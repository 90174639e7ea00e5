"""The wire's enums and the core's are one vocabulary."""

from vision.inspection.policy import Decision, Reason
from vision.v1 import common_pb2


def test_each_decision_has_its_name_on_the_wire() -> None:
    assert {f"DECISION_{one.name}" for one in Decision} | {"DECISION_UNSPECIFIED"} == set(
        common_pb2.Decision.keys()
    )


def test_each_reason_has_its_name_on_the_wire() -> None:
    assert {f"REASON_{one.name}" for one in Reason} | {"REASON_UNSPECIFIED"} == set(common_pb2.Reason.keys())
