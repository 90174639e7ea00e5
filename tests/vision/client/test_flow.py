"""Whatever happens, in whatever order: each picture gets one outcome, in time, and no limit is passed."""

import grpc
from google.rpc import status_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vision.client.fake_server import judged
from vision.client.calls import Wanted, pictures
from vision.client.connection import Connection
from vision.client.flow import ENDED, Flow
from vision.client.retry import Backoff
from vision.client.status import Failure
from vision.client.values import Answer, Outcome, Picture
from vision.errors import DeadlineError, OverloadedError
from vision.v1 import inspection_pb2
from vision.v1.inspection_pb2 import InspectRequest, InspectStreamResponse

DEADLINE_S = 10.0


class Rig:
    """A flow on a clock under the test's control, and what it has handed out."""

    def __init__(self, *, in_flight: int = 3) -> None:
        self.now = 50.0
        self.flow = Flow(
            pictures(Wanted()),
            Connection(address="localhost:1"),
            in_flight=in_flight,
            deadline_s=DEADLINE_S,
            backoff=Backoff(first_s=1.0, longest_s=4.0, draw=lambda: 1.0),
            clock=lambda: self.now,
        )
        self.outcomes: list[Outcome] = []
        self.sent: list[InspectRequest] = []
        self.admitted: dict[str, float] = {}

    def take(self, *given: Outcome | None) -> None:
        self.outcomes += [outcome for outcome in given if outcome is not None]

    def admit(self) -> None:
        request_id = f"id {len(self.admitted)}"
        self.admitted[request_id] = self.now
        self.take(self.flow.admit(self.flow.load(Picture(image=b"good", request_id=request_id))))

    def send(self) -> list[InspectRequest]:
        requests = self.flow.to_send()
        self.sent += requests
        return requests


def answered(request_id: str) -> InspectStreamResponse:
    response = judged(InspectRequest(request_id=request_id, image=b"good"))
    return InspectStreamResponse(request_id=request_id, response=response)


def refused(request_id: str, code: grpc.StatusCode) -> InspectStreamResponse:
    error = status_pb2.Status(code=code.value[0], message="no")
    return InspectStreamResponse(request_id=request_id, error=error)


def test_a_refused_picture_waits_longer_each_time() -> None:
    rig = Rig()
    rig.admit()
    pauses = []
    for _ in range(2):
        (request,) = rig.send()
        rig.take(rig.flow.answered(refused(request.request_id, grpc.StatusCode.RESOURCE_EXHAUSTED)))
        pause = rig.flow.next_in_s()
        assert pause is not None
        pauses.append(pause)
        assert rig.send() == []
        rig.now += pause
    assert pauses == [1.0, 2.0]
    (request,) = rig.send()
    rig.take(rig.flow.answered(answered(request.request_id)))
    assert isinstance(rig.outcomes[0].result, Answer)
    assert rig.flow.idle


def test_after_a_break_the_next_picture_waits_as_well() -> None:
    rig = Rig()
    rig.admit()
    rig.send()
    rig.take(*rig.flow.broke(ENDED))
    rig.admit()
    assert rig.send() == []
    rig.now += 1.0
    assert [request.request_id for request in rig.send()] == ["id 0", "id 1"]


def test_an_answer_ends_the_row_of_breaks() -> None:
    rig = Rig()
    rig.admit()
    rig.admit()
    for pause in (1.0, 2.0):
        rig.send()
        rig.take(*rig.flow.broke(ENDED))
        assert rig.flow.next_in_s() == pause
        rig.now += pause
    rig.send()
    rig.take(rig.flow.answered(answered("id 0")))
    rig.take(*rig.flow.broke(ENDED))
    assert rig.flow.next_in_s() == 1.0


def test_a_break_that_outlasts_the_deadline_is_the_pictures_end() -> None:
    rig = Rig()
    rig.admit()
    rig.send()
    full = Failure(code=grpc.StatusCode.RESOURCE_EXHAUSTED, message="full", retry_after_s=DEADLINE_S)
    rig.take(*rig.flow.broke(full))
    assert isinstance(rig.outcomes[0].result, OverloadedError)


def test_an_answer_after_the_deadline_is_not_heard() -> None:
    rig = Rig()
    rig.admit()
    rig.send()
    rig.now += DEADLINE_S
    assert rig.flow.next_in_s() == 0
    rig.take(*rig.flow.too_late())
    rig.take(rig.flow.answered(answered("id 0")))
    (outcome,) = rig.outcomes
    assert isinstance(outcome.result, DeadlineError)


def test_nothing_under_way_is_nothing_to_wait_for() -> None:
    assert Rig().flow.next_in_s() is None


EVENTS = st.one_of(
    st.just("admit"),
    st.just("send"),
    st.just("hang up"),
    st.just("refuse the stream"),
    st.tuples(st.just("wait"), st.floats(0, 4)),
    st.tuples(st.sampled_from(["answer", "full", "bad"]), st.integers(0, 12)),
)


@settings(max_examples=300, deadline=None)
@given(events=st.lists(EVENTS, max_size=60), in_flight=st.integers(1, 4))
def test_each_picture_gets_one_outcome_in_time_whatever_happens(
    events: list[str | tuple[str, float]], in_flight: int
) -> None:
    rig = Rig(in_flight=in_flight)
    for event in [*events, ("wait", DEADLINE_S)]:
        _happen(rig, event)
        open_pictures = len(rig.admitted) - len(rig.outcomes)
        assert 0 <= open_pictures <= in_flight
        assert rig.flow.idle == (open_pictures == 0)
    assert sorted(outcome.request_id for outcome in rig.outcomes) == sorted(rig.admitted)
    assert sorted(outcome.index for outcome in rig.outcomes) == list(range(len(rig.admitted)))
    assert {request.request_id for request in rig.sent} <= set(rig.admitted)
    assert all(request.image == b"good" for request in rig.sent)


def _happen(rig: Rig, event: str | tuple[str, float]) -> None:
    match event:
        case "admit" if rig.flow.room:
            rig.admit()
        case "send":
            rig.send()
        case "hang up":
            rig.take(*rig.flow.broke(ENDED))
        case "refuse the stream":
            failure = Failure(code=grpc.StatusCode.PERMISSION_DENIED, message="no")
            rig.take(*rig.flow.broke(failure))
            assert rig.flow.idle
        case ("wait", float(seconds)):
            rig.now += seconds
            rig.take(*rig.flow.too_late())
        case ("answer", number):
            rig.take(rig.flow.answered(answered(f"id {number}")))
        case ("full", number):
            rig.take(rig.flow.answered(refused(f"id {number}", grpc.StatusCode.RESOURCE_EXHAUSTED)))
        case ("bad", number):
            rig.take(rig.flow.answered(refused(f"id {number}", grpc.StatusCode.INVALID_ARGUMENT)))


def test_a_picture_is_asked_for_as_the_whole_call_wants_it() -> None:
    wanted = Wanted(model="plates", heatmap=True, priority="bulk")
    request = wanted.request(b"good", request_id="one", part="P-1")
    assert request == inspection_pb2.InspectRequest(
        request_id="one",
        model="plates",
        image=b"good",
        priority=inspection_pb2.PRIORITY_BULK,
        heatmap=True,
        part="P-1",
    )
