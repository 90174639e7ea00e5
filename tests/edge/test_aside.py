"""Work beside a station: never waited for, bounded, done in order, and told of when it fails."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edge.aside import Aside


class Desk:
    """Work that waits until it is let go on; what is negative fails."""

    def __init__(self, max_bytes: int = 100) -> None:
        self.going_on = threading.Event()
        self.done: list[int] = []
        self.failed: list[tuple[int, str]] = []
        self.aside = Aside("desk", self._do, failed=self._failed, max_bytes=max_bytes)

    def _do(self, work: int) -> None:
        self.going_on.wait(10)
        if work < 0:
            raise ValueError("negative")
        self.done.append(work)

    def _failed(self, work: int, error: Exception) -> None:
        self.failed.append((work, str(error)))


@contextmanager
def at_work(desk: Desk) -> Iterator[Desk]:
    desk.aside.start()
    yield desk
    desk.going_on.set()
    assert desk.aside.finish(10)


def test_work_is_done_in_order() -> None:
    with at_work(Desk()) as desk:
        desk.going_on.set()
        assert all(desk.aside.offer(number, 1) for number in range(50))
    assert desk.done == list(range(50))


def test_what_does_not_fit_is_refused_at_once_and_what_waits_is_done() -> None:
    with at_work(Desk(max_bytes=100)) as desk:
        assert [desk.aside.offer(number, 40) for number in range(4)] == [True, True, False, False]
        assert desk.aside.offer(4, 20)
    assert desk.done == [0, 1, 4]


def test_a_single_piece_may_be_larger_than_the_bound() -> None:
    with at_work(Desk(max_bytes=100)) as desk:
        assert desk.aside.offer(1, 1000)
        assert not desk.aside.offer(2, 1)
    assert desk.done == [1]


def test_one_piece_that_fails_is_told_and_the_next_is_done() -> None:
    with at_work(Desk(max_bytes=10)) as desk:
        desk.going_on.set()
        for number in (1, -2, 3):
            assert desk.aside.offer(number, 1)
    assert (desk.done, desk.failed) == ([1, 3], [(-2, "negative")])


def test_nothing_is_taken_after_the_end_and_a_stuck_disk_is_not_waited_for() -> None:
    desk = Desk()
    desk.aside.start()
    desk.aside.offer(1, 1)
    assert not desk.aside.finish(0.05)
    assert not desk.aside.offer(2, 1)
    desk.going_on.set()
    assert desk.aside.finish(10)
    assert desk.done == [1]
