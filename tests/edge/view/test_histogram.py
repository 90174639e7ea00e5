from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from edge.view.histogram import EDGES_MS, Histogram

MILLISECONDS = st.one_of(st.floats(0, 20_000), st.sampled_from(EDGES_MS))


@given(st.lists(MILLISECONDS, max_size=50))
def test_each_time_is_counted_once_at_or_below_its_edge(times: list[float]) -> None:
    histogram = Histogram()
    for ms in times:
        histogram = histogram.add(ms)
    assert len(histogram.counts) == len(EDGES_MS) + 1
    for number, edge in enumerate(EDGES_MS):
        assert sum(histogram.counts[: number + 1]) == sum(ms <= edge for ms in times)
    assert sum(histogram.counts) == len(times)
    assert abs(histogram.sum_ms - sum(times)) < 1e-6 * (1 + sum(times))


def test_an_edge_belongs_to_what_lies_below_it() -> None:
    assert Histogram().add(100.0).counts[bisect_left(EDGES_MS, 100)] == 1
