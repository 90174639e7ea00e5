"""What of a stream is under way: admitted, sent, answered, sent again, or given up.

Takes things to ask about (pictures, products), messages and failures as they come, gives requests to send and outcomes to hand out; each
thing that is admitted gets exactly one outcome. No sockets, no threads and no waiting: `vision.client.blocking_stream` and `.async_stream`
do that, and ask here how long. Requests keep their ids when they are sent again, so that a server that has answered one already says the
same of it.
"""

import time
from dataclasses import dataclass
from typing import Any, Final, Generic

import grpc

from vision.client.calls import Became, Given, Many, fresh_id
from vision.client.connection import Connection
from vision.client.retry import Backoff, Clock, checked_deadline_s
from vision.client.status import Failure, failure_in
from vision.errors import LoupeError, SettingsError

# How a call can end without a status of the server's.
ENDED: Final = Failure(
    code=grpc.StatusCode.UNAVAILABLE, message="the stream ended before everything was answered"
)
CLOSED: Final = Failure(code=grpc.StatusCode.CANCELLED, message="the client was closed")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Given]):
    """A thing with its request, or why there is none that could be sent."""

    given: Given
    request_id: str
    request: Any


@dataclass(slots=True, kw_only=True)
class _UnderWay(Generic[Given]):
    """One thing; `due` is when to send its request, absent while it is sent."""

    index: int
    loaded: Loaded[Given]
    deadline: float
    due: float | None
    failures: int = 0
    last: Failure | None = None


class Flow(Generic[Given, Became]):
    """The things of one stream, whatever number of calls it takes.

    Args:
        in_flight: how many may be under way at once.
        deadline_s: for each, from when it is admitted, attempts and pauses included.
        clock: monotonic seconds.

    Raises:
        SettingsError: a limit is out of its range.
    """

    def __init__(
        self,
        many: Many[Given, Became],
        connection: Connection,
        *,
        in_flight: int,
        deadline_s: float,
        backoff: Backoff,
        clock: Clock = time.monotonic,
    ) -> None:
        if in_flight < 1:
            raise SettingsError(f"in_flight: expected 1 or more, found {in_flight}")
        self._many, self._connection = many, connection
        self._in_flight, self._deadline_s = in_flight, checked_deadline_s(deadline_s)
        self._backoff, self._clock = backoff, clock
        self._under_way: dict[str, _UnderWay[Given]] = {}
        self._admitted = 0
        self._breaks = 0  # of the stream in a row, with no answer between
        self._open_from = 0.0  # not before this may a request be sent

    @property
    def room(self) -> bool:
        """Whether one more thing may be admitted."""
        return len(self._under_way) < self._in_flight

    @property
    def idle(self) -> bool:
        """Whether everything that was admitted has its outcome."""
        return not self._under_way

    def load(self, given: Given) -> Loaded[Given]:
        """Make the request for a thing, which may read files; touches nothing of the flow, so that a thread may do it."""
        # without an id its answer could not be told from others
        request_id = self._many.request_id(given) or fresh_id()
        try:
            request = self._many.request(given, request_id)
        except LoupeError as error:
            return Loaded(given, request_id, error)
        return Loaded(given, request_id, request)

    def admit(self, loaded: Loaded[Given]) -> Became | None:
        """Take the next thing with its request; its outcome at once where it has none or cannot be sent."""
        index, self._admitted = self._admitted, self._admitted + 1
        refused = loaded.request if isinstance(loaded.request, LoupeError) else self._refused_id(loaded)
        if refused is not None:
            return self._many.outcome(index, loaded.request_id, loaded.given, refused)
        now = self._clock()
        self._under_way[loaded.request_id] = _UnderWay(
            index=index,
            loaded=loaded,
            deadline=now + self._deadline_s,
            due=max(now, self._open_from),
        )
        return None

    def _refused_id(self, loaded: Loaded[Given]) -> LoupeError | None:
        if loaded.request_id not in self._under_way:
            return None
        return SettingsError(
            f"request_id: expected another than those in flight, found '{loaded.request_id}' twice"
        )

    def to_send(self) -> list[Any]:
        """The requests that are due, from now on taken for sent."""
        now = self._clock()
        due = [one for one in self._under_way.values() if one.due is not None and one.due <= now]
        for one in due:
            one.due = None
        return [one.loaded.request for one in due]

    def next_in_s(self) -> float | None:
        """Seconds until something is due or too late; absent where nothing is under way."""
        times = [
            min(one.deadline, one.due) if one.due is not None else one.deadline
            for one in self._under_way.values()
        ]
        return max(0.0, min(times) - self._clock()) if times else None

    def answered(self, message: Any) -> Became | None:
        """A message came; nothing where its request is to be sent again, or was given up before."""
        self._breaks = 0
        one = self._under_way.get(message.request_id)
        if one is None:
            return None
        if message.WhichOneof("outcome") == "error":
            return self._refused(one, failure_in(message.error))
        try:
            answer = self._connection.understood(self._many.read, message.response)
        except LoupeError as error:
            return self._done(one, error)
        return self._done(one, answer)

    def broke(self, failure: Failure) -> list[Became]:
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

    def too_late(self) -> list[Became]:
        """Those whose deadline has passed; what is said of them from now on is not heard."""
        now = self._clock()
        failure = Failure(
            code=grpc.StatusCode.DEADLINE_EXCEEDED,
            message=f"expected an answer within {self._deadline_s:g} s, found none",
        )
        late = [one for one in self._under_way.values() if one.deadline <= now]
        return [self._failed(one, failure) for one in late]

    def _refused(self, one: _UnderWay[Given], failure: Failure) -> Became | None:
        due = self._clock() + self._backoff.delay_s(one.failures + 1, failure.retry_after_s)
        if failure.transient and due < one.deadline:
            one.failures, one.last, one.due = one.failures + 1, failure, due
            return None
        return self._failed(one, failure)

    def _failed(self, one: _UnderWay[Given], failure: Failure) -> Became:
        return self._done(one, self._connection.error(failure.after(one.last), attempts=one.failures + 1))

    def _done(self, one: _UnderWay[Given], result: Any) -> Became:
        del self._under_way[one.loaded.request_id]
        return self._many.outcome(one.index, one.loaded.request_id, one.loaded.given, result)
