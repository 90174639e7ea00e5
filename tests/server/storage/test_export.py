"""What is exported can be read by anything that reads CSV, and says what was kept."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from server.storage.export import HEADER, write_csv
from server.storage.results import Disposition, ResultRow
from server.storage.tables import PartOutcome
from tests.server.storage.rows import NOON, found, result, review
from tests.server.storage.test_stations import part
from vision.inspection.policy import Decision, Reason


def exported(*rows: tuple[ResultRow, Disposition | None]) -> str:
    file = io.StringIO(newline="")
    assert write_csv(iter(rows), file) == len(rows)
    return file.getvalue()


def test_nothing_is_a_header_alone() -> None:
    assert exported() == ",".join(HEADER) + "\r\n"


def test_a_result_is_one_line_with_what_was_found() -> None:
    row = review(
        id="1" * 32, part='a "fine" part, no. 7', image_sha256="2" * 64, label=None, probability=None
    )
    text = exported((row, found("crack", note="two\nlines")))
    assert text == ",".join(HEADER) + "\r\n" + (
        f"{'1' * 32},,station-1,Inspect,{'0' * 64},cells,1.0,{'d' * 64},model.int8.onnx,review,uncertain,"
        '"probability of defect 0.001, accepted up to 0.01",,,0.25,false,"a ""fine"" part, no. 7",'
        f"2026-11-22T12:00:00Z,21.5,{'2' * 64},false,"
        'crack,ada,"two\nlines",2026-11-22T12:00:00Z\r\n'
    )


def test_a_part_that_a_station_reported_is_a_line_of_the_same_columns() -> None:
    file = io.StringIO(newline="")
    fault = part(7, outcome=PartOutcome.FAULT, reason="camera", label=None, probability=None, bundle="")
    assert write_csv([(result(), None), part(6), fault], file) == 3
    file.seek(0)
    _, judged, unjudged = csv.DictReader(file)
    assert {name: judged[name] for name in ("id", "principal", "method", "decision", "reason", "part")} == {
        "id": "infeed/boot/6", "principal": "infeed", "method": "ReportResults", "decision": "accept",
        "reason": "confident", "part": "6",
    }  # fmt: skip
    assert (judged["judged_at"], judged["total_ms"]) == ("2026-11-22T12:00:06Z", "250.5")
    assert (judged["label"], judged["probability"], judged["model_digest"]) == ("good", "0.01", "abc")
    assert (unjudged["decision"], unjudged["label"], unjudged["certified"]) == ("fault", "", "")


def test_answers_are_left_out() -> None:
    assert "answer" not in HEADER
    assert "secret" not in exported((result(answer=b"secret"), None))


def _read(record: dict[str, str]) -> tuple[ResultRow, Disposition | None]:
    """As a reader who knows the header would."""
    values: dict[str, Any] = {name: record[name] or None for name in HEADER}
    for name in ("probability", "novelty", "total_ms"):
        values[name] = None if values[name] is None else float(values[name])
    for name in ("certified", "audit"):
        values[name] = {"true": True, "false": False}[values[name]]
    values |= {name: values[name] or "" for name in ("part", "detail", "found_note")}
    values |= {"decision": Decision(values["decision"]), "reason": Reason(values["reason"])}
    values["judged_at"] = datetime.fromisoformat(values["judged_at"])
    label, by, note, at = (values.pop(name) for name in ("found_label", "found_by", "found_note", "found_at"))
    disposition = (
        Disposition(label=label, by=by, note=note, found_at=datetime.fromisoformat(at)) if label else None
    )
    return ResultRow(**values), disposition


texts = st.text(max_size=20)
words = st.text(min_size=1, max_size=20)
times = st.datetimes(timezones=st.just(UTC))
numbers = st.none() | st.floats(0, 1)
rows = st.builds(
    replace,
    st.builds(result),
    part=texts,
    detail=texts,
    request_id=st.none() | words,
    label=st.none() | words,
    probability=numbers,
    novelty=numbers,
    judged_at=times,
    audit=st.booleans(),
    decision=st.sampled_from(Decision),
    reason=st.sampled_from(Reason),
)
dispositions = st.none() | st.builds(Disposition, label=words, by=words, note=texts, found_at=times)


@given(st.lists(st.tuples(rows, dispositions), max_size=5))
def test_what_was_exported_reads_back_the_same(pairs: list[tuple[ResultRow, Disposition | None]]) -> None:
    reader = csv.DictReader(io.StringIO(exported(*pairs), newline=""), strict=True)
    assert [_read(record) for record in reader] == pairs


def test_times_are_in_utc() -> None:
    berlin = NOON.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+01:00").tzinfo)
    assert "2026-11-22T12:00:00Z" in exported((result(judged_at=berlin), None))
