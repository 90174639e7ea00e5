"""The ledger as an outbox: rows in their order, none before its time, and a place in them that survives what it must."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ledger import Begun, Ended, Ledger, Outcome
from edge.outbox import CURSOR, Outbox, Row, acknowledge, acknowledged
from edge.reports import refusals, request_of
from server.rpc import rules
from tests.edge.test_ledger import NOON
from vision.errors import StorageError, WireError
from vision.v1 import fleet_pb2


def opened(folder: Path, boot: str = "boot") -> Ledger:
    return Ledger(folder, boot=boot, reserve_bytes=4096)


def ended(part: int, **more: Any) -> Ended:
    return Ended(part=part, outcome=Outcome.ACCEPT, reason="confident", **more)


def fill(ledger: Ledger, parts: range, **more: Any) -> None:
    ledger.commit([one for part in parts for one in (Begun(part=part, at=NOON), ended(part, **more))])


def test_rows_come_in_order_and_stop_at_the_first_that_has_no_outcome(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger, closing(Outbox(tmp_path)) as outbox:
        fill(ledger, range(1, 6))
        ledger.commit([Begun(part=6, at=NOON), Begun(part=7, at=NOON), ended(7)])
        assert [one.part for one in outbox.rows(0, 3)] == [1, 2, 3]
        assert [one.part for one in outbox.rows(3, 100)] == [4, 5]
        assert outbox.waiting(3) == 4
        ledger.commit([ended(6)])
        assert [one.part for one in outbox.rows(5, 100)] == [6, 7]
        assert (outbox.rows(7, 100), outbox.waiting(7)) == ([], 0)


def test_a_row_says_all_that_the_ledger_knows(tmp_path: Path) -> None:
    known = {
        "detail": "a scratch",
        "probability": 0.97,
        "label": "scratched",
        "bundle": "abc",
        "frame_id": 12,
    }
    with closing(opened(tmp_path)) as ledger, closing(Outbox(tmp_path)) as outbox:
        ledger.commit([Begun(part=1, at=NOON, counter=41), ended(1, timings={"model": 7.5}, **known)])
        assert outbox.bundle() == "abc"
        assert outbox.rows(0, 1) == [
            Row(
                part=1, boot="boot", triggered_at=NOON, counter=41, outcome=Outcome.ACCEPT, reason="confident",
                timings={"model": 7.5}, **known,  # type: ignore[arg-type]  # of several types
            )
        ]  # fmt: skip


def test_nothing_is_held_up_by_whoever_reads(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger, closing(Outbox(tmp_path)) as outbox:
        fill(ledger, range(1, 3))
        outbox.rows(0, 1)
        fill(ledger, range(3, 200))
        assert len(outbox.rows(0, 1000)) == 199


def test_where_no_ledger_is_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"ledger\.db: cannot be read"):
        Outbox(tmp_path).rows(0, 1)
    assert list(tmp_path.iterdir()) == []


# --- the place in it


def test_the_place_is_found_again(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger:
        fill(ledger, range(1, 6))
    assert acknowledged(tmp_path) == 0
    acknowledge(tmp_path, "boot", 4)
    assert acknowledged(tmp_path) == 4


def test_in_a_ledger_that_was_begun_anew_it_is_the_beginning(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger:
        fill(ledger, range(1, 6))
    acknowledge(tmp_path, "boot", 4)
    (tmp_path / "ledger.db").unlink()
    with closing(opened(tmp_path, boot="later")) as ledger:
        fill(ledger, range(1, 6))
    assert acknowledged(tmp_path) == 0


@pytest.mark.parametrize(
    "torn", [b"", b"{", b"[]", b"null", b'{"boot": "boot"}', b'{"boot": 1, "part": "x"}', b"\xff"]
)
def test_a_torn_place_is_the_beginning(tmp_path: Path, torn: bytes) -> None:
    with closing(opened(tmp_path)) as ledger:
        fill(ledger, range(1, 6))
    (tmp_path / CURSOR).write_bytes(torn)
    assert acknowledged(tmp_path) == 0


# --- as messages

texts = st.text(st.characters(codec="utf-8"), max_size=3000)
rows = st.builds(
    Row,
    part=st.integers(1, 2**53 - 1),
    boot=st.uuids().map(lambda one: one.hex),
    triggered_at=st.just(NOON),
    counter=st.none() | st.integers(-(2**63), 2**63 - 1),
    outcome=st.sampled_from(Outcome),
    reason=st.sampled_from(["confident", "camera"]),
    detail=texts,
    probability=st.none() | st.floats(0, 1),
    label=st.none() | texts,
    bundle=st.none() | texts,
    frame_id=st.none() | st.integers(-(2**63), 2**63 - 1),
    timings=st.dictionaries(st.sampled_from(["model", "driven"]), st.floats()),
)


@given(rows)
def test_whatever_a_ledger_holds_keeps_the_servers_rules_and_is_said_the_same_each_time(row: Row) -> None:
    request = request_of("infeed", [row])
    rules.check(request)
    rules.check(request.results[0])
    assert request == request_of("infeed", [row])
    result = request.results[0]
    assert (result.HasField("probability"), result.HasField("counter")) == (
        row.probability is not None,
        row.counter is not None,
    )


def answer(*parts: int, refused: int = 0) -> fleet_pb2.ReportResultsResponse:
    response = fleet_pb2.ReportResultsResponse()
    for part in parts:
        one = response.acknowledgements.add(boot="boot", part=part)
        if part == refused:
            one.refusal.message = "other content"
    return response


def test_only_an_answer_to_what_was_said_is_taken(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as ledger, closing(Outbox(tmp_path)) as outbox:
        fill(ledger, range(1, 4))
        sent = outbox.rows(0, 10)
    assert refusals(sent, answer(1, 2, 3)) == {}
    assert refusals(sent, answer(1, 2, 3, refused=2)) == {2: "other content"}
    for other in (answer(), answer(1, 2), answer(1, 2, 4), answer(3, 2, 1)):
        with pytest.raises(WireError, match="expected 3 acknowledgements"):
            refusals(sent, other)
