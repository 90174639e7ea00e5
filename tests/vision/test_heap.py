"""What a program runs with is not looked through again."""

import gc

from vision.heap import settle_heap


def test_what_is_there_is_left_alone_and_what_comes_later_is_not() -> None:
    there: list[list[int]] = [[] for _ in range(1000)]

    settle_heap()

    later: list[list[int]] = [[] for _ in range(10)]
    watched = {id(one) for one in gc.get_objects()}
    assert watched.isdisjoint(map(id, there))
    assert watched.issuperset(map(id, later))
