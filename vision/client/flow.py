"""Which pictures of a stream are under way: admitted, sent, answered, sent again, or given up.

Takes pictures, messages and failures as they come, gives requests to send and outcomes to hand out; every picture that is admitted
gets exactly one outcome. No sockets, no threads and no waiting: `vision.client.blocking_stream` and `.async_stream` do that, and ask
here how long. Requests keep their ids when they are sent again, so that a server that has judged one already says the same of it.
"""

import time
from dataclasses import dataclass
from typing import Final

import grpc

from vision.client import answers
from vision.client.calls import Wanted, fresh_id
from vision.client.connection import Connection
from vision.client.retry import Backoff, Clock, checked_deadline_s
from vision.client.status import Failure, failure_in
from vision.client.values import Answer, Outcome, Picture
from vision.errors import LoupeError, SettingsError
from vision.v1 import inspection_pb2

# How a call can end without a status of the server's.
ENDED: Final = Failure(
    code=grpc.StatusCode.UNAVAILABLE, message="the stream ended before every picture was answered"
)
CLOSED: Final = Failure(code=grpc.StatusCode.CANCELLED, message="the client was closed")


@dataclass(slots=True, kw_only=True)
class _UnderWay:
    """One picture; `due` is when to send it, absent while it is sent."""

    index: int
    request: inspection_pb2.InspectRequest
    deadline: float
    due: float | None
    failures: int = 0
    last: Failure | None = None


class Flow:
    """The pictures of one stream, whatever number of calls it takes.

    Args:
        in_flight: how many pictures may be under way at once.
        deadline_s: for each picture, from when it is admitted, attempts and pauses included.
        clock: monotonic seconds.

    Raises:
        SettingsError: a limit is out of its range.
    """

    def __init__(
        self,
        wanted: Wanted,
        connection: Connection,
        *,
        in_flight: int,
        deadline_s: float,
        backoff: Backoff,
        clock: Clock = time.monotonic,
    ) -> None:
        if in_flight < 1:
            raise SettingsError(f"in_flight: expected 1 or more, found {in_flight}")
        self._wanted, self._connection = wanted, connection
        self._in_flight, self._deadline_s = in_flight, checked_deadline_s(deadline_s)
        self._backoff, self._clock = backoff, clock
        self._under_way: dict[str, _UnderWay] = {}
        self._admitted = 0
        self._breaks = 0  # of the stream in a row, with no answer between
        self._open_from = 0.0  # not before this may a request be sent

    @property
    def room(self) -> bool:
        """Whether one more picture may be admitted."""
        return len(self._under_way) < self._in_flight

    @property
    def idle(self) -> bool:
        """Whether every admitted picture has its outcome."""
        return not self._under_way

    def admit(self, picture: Picture, image: bytes | LoupeError) -> Outcome | None:
        """Take the next picture with its bytes; its outcome at once where it has none or cannot be sent."""
        index, self._admitted = self._admitted, self._admitted + 1
        request_id = picture.request_id or fresh_id()  # without one its answer could not be told from others
        try:
            request = self._request(picture, image, request_id)
        except LoupeError as error:
            return Outcome(index=index, request_id=request_id, part=picture.part, result=error)
        now = self._clock()
        self._under_way[request_id] = _UnderWay(
            index=index,
            request=request,
            deadline=now + self._deadline_s,
            due=max(now, self._open_from),
        )
        return None

    def _request(
        self, picture: Picture, image: bytes | LoupeError, request_id: str
    ) -> inspection_pb2.InspectRequest:
        if isinstance(image, LoupeError):
            raise image
        if request_id in self._under_way:
            raise SettingsError(
                f"request_id: expected another than those in flight, found '{request_id}' twice"
            )
        return self._wanted.request(image, request_id=request_id, part=picture.part)

    def to_send(self) -> list[inspection_pb2.InspectRequest]:
        """The requests that are due, from now on taken for sent."""
        now = self._clock()
        due = [one for one in self._under_way.values() if one.due is not None and one.due <= now]
        for one in due:
            one.due = None
        return [one.request for one in due]

    def next_in_s(self) -> float | None:
        """Seconds until something is due or too late; absent where nothing is under way."""
        times = [
            min(one.deadline, one.due) if one.due is not None else one.deadline
            for one in self._under_way.values()
        ]
        return max(0.0, min(times) - self._clock()) if times else None

    def answered(self, message: inspection_pb2.InspectStreamResponse) -> Outcome | None:
        """A message came; nothing where its picture is to be sent again, or was given up before."""
        self._breaks = 0
        one = self._under_way.get(message.request_id)
        if one is None:
            return None
        if message.WhichOneof("outcome") == "error":
            return self._refused(one, failure_in(message.error))
        try:
            answer = self._connection.understood(answers.answer, message.response)
        except LoupeError as error:
            return self._done(one, error)
        return self._done(one, answer)

    def broke(self, failure: Failure) -> list[Outcome]:
        """The call ended; what it left unanswered is sent again on the next one, where that may help in time."""
        self._breaks += 1
        now = self._clock()
        self._open_from = now + self._backoff.delay_s(self._breaks, failure.retry_after_s)
        outcomes = []
        for one in list(self._under_way.values()):
            if failure.transient and self._open_from < one.deadline:
                one.failures, one.last = one.failures + 1, failure
                one.due = max(self._open_from, one.due or 0.0)
            else:
                outcomes.append(self._failed(one, failure))
        return outcomes

    def too_late(self) -> list[Outcome]:
        """The pictures whose deadline has passed; what is said of them from now on is not heard."""
        now = self._clock()
        failure = Failure(
            code=grpc.StatusCode.DEADLINE_EXCEEDED,
            message=f"expected an answer within {self._deadline_s:g} s, found none",
        )
        late = [one for one in self._under_way.values() if one.deadline <= now]
        return [self._failed(one, failure) for one in late]

    def _refused(self, one: _UnderWay, failure: Failure) -> Outcome | None:
        due = self._clock() + self._backoff.delay_s(one.failures + 1, failure.retry_after_s)
        if failure.transient and due < one.deadline:
            one.failures, one.last, one.due = one.failures + 1, failure, due
            return None
        return self._failed(one, failure)

    def _failed(self, one: _UnderWay, failure: Failure) -> Outcome:
        return self._done(one, self._connection.error(failure.after(one.last), attempts=one.failures + 1))

    def _done(self, one: _UnderWay, result: Answer | LoupeError) -> Outcome:
        del self._under_way[one.request.request_id]
        return Outcome(
            index=one.index, request_id=one.request.request_id, part=one.request.part, result=result
        )
