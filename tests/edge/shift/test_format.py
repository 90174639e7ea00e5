"""Lines of a recording: reading gives what was written, to the last bit of every number."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.ledger import Outcome
from edge.shift.format import (
    ClosedLine,
    EndedLine,
    FrameEntry,
    GapLine,
    JudgedLine,
    Line,
    Said,
    read,
    same,
    written,
)
from vision.errors import InputError
from vision.inspection.policy import Decision, Reason

counts, texts, numbers = st.integers(1, 2**53), st.text(max_size=30), st.floats()
timings = st.dictionaries(texts, numbers, max_size=3)
common = {
    "at": st.integers(0, 2**53),
    "sha256": st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    "name": texts,
    "frame_id": st.none() | st.integers(),
    "device_ns": st.none() | st.integers(),
}
pixels = st.tuples(st.integers(1, 9999), st.integers(1, 9999)).flatmap(
    lambda shape: st.builds(
        FrameEntry,
        kind=st.just("pixels"),
        bytes=st.just(3 * shape[0] * shape[1]),
        shape_hw=st.just(shape),
        size_wh=st.tuples(counts, counts),
        frame_name=texts,
        **common,
    )
)
frames = pixels | st.builds(FrameEntry, kind=st.just("encoded"), bytes=st.integers(0, 2**40), **common)
saids = st.builds(
    Said,
    decision=st.sampled_from(Decision),
    reason=st.sampled_from(Reason),
    detail=texts,
    probability=st.none() | numbers,
    label=st.none() | texts,
    probabilities=st.none() | st.dictionaries(texts, numbers, max_size=3),
    novelty=st.none() | numbers,
    certified=st.booleans(),
)
lines = st.one_of(
    st.builds(
        JudgedLine,
        n=counts,
        recipe=st.none() | st.integers(0, 65535),
        bundle=st.none() | texts,
        frames=st.lists(frames, max_size=3).map(tuple),
        said=st.none() | saids,
        error=texts,
        timings=timings,
    ),
    st.builds(
        EndedLine, n=counts, part=counts, outcome=st.sampled_from(Outcome), reason=texts, timings=timings
    ),
    st.builds(GapLine, first=counts, parts=counts),
    st.builds(ClosedLine, judged=st.integers(0, 2**53)),
)


@given(line=lines)
def test_reading_gives_what_was_written(line: Line) -> None:
    raw = written(line)
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") == 1
    again = read(raw)
    assert type(again) is type(line)
    assert same(again, line)


@given(line=lines, data=st.data())
def test_a_torn_line_is_none(line: Line, data: st.DataObject) -> None:
    raw = written(line)
    with pytest.raises(InputError):
        read(raw[: data.draw(st.integers(0, len(raw) - 2))])


@given(raw=st.binary(max_size=60))
def test_other_bytes_are_no_line(raw: bytes) -> None:
    with pytest.raises(InputError):
        read(raw)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n": 0}, r"gap\.first|judged\.n|ended\.n"),
        ({"kind": "other"}, "other"),
        ({"colour": 1}, r"ended\.colour"),
    ],
)
def test_a_line_that_is_wrong_names_the_field(changed: dict[str, object], said: str) -> None:
    line = {"kind": "ended", "n": 1, "part": 1, "outcome": "accept", "reason": "confident", "timings": {}}
    with pytest.raises(InputError, match=said):
        read(json.dumps(line | changed).encode())


def test_a_number_that_differs_in_its_last_bit_is_not_the_same() -> None:
    said = Said(
        decision=Decision.ACCEPT,
        reason=Reason.CONFIDENT,
        detail="",
        probability=0.1,
        label=None,
        probabilities=None,
        novelty=math.nan,
        certified=True,
    )
    assert same(said, said.model_copy())
    assert not same(said, said.model_copy(update={"probability": math.nextafter(0.1, 1)}))


@pytest.mark.parametrize(
    ("kind", "shape"), [("encoded", (2, 5)), ("pixels", None), ("pixels", (3, 5)), ("pixels", (0, 5))]
)
def test_pixels_of_another_shape_than_their_bytes_are_refused(kind: str, shape: object) -> None:
    frame = {"kind": kind, "at": 0, "bytes": 30, "sha256": "0" * 64, "name": "", "frame_id": None}
    entry = {**frame, "device_ns": None, "shape_hw": shape, "size_wh": None}
    with pytest.raises(ValidationError, match="shape_hw"):
        FrameEntry.model_validate(entry)
