"""A person hears of a server that is away once, not at every attempt; and once when it is back."""

from edge.absence import Absence


def away(absence: Absence, now_s: float, why: str = "connection refused") -> str | None:
    return absence.failed(now_s, why, waiting=12, lasting=False)


def test_a_short_absence_is_nobodys_business() -> None:
    absence = Absence("server:1", 60.0)
    assert [away(absence, now) for now in (0.0, 20.0, 59.0)] == [None] * 3
    assert absence.failures == 3
    assert absence.answered(60.0, waiting=0) is None
    assert absence.failures == 0


def test_a_long_one_is_said_once_and_so_is_its_end() -> None:
    absence = Absence("server:1", 60.0)
    said = [away(absence, float(now)) for now in range(0, 7200, 10)]
    assert [one for one in said if one] == [
        "server:1 has been away for 0:01:00, 12 results wait in the ledger: connection refused"
    ]
    assert (
        absence.answered(7200.0, waiting=34) == "server:1 is back after 2:00:00; 34 results wait to be sent"
    )
    assert absence.answered(7201.0, waiting=0) is None


def test_each_absence_is_counted_from_its_own_beginning() -> None:
    absence = Absence("server:1", 60.0)
    away(absence, 0.0)
    absence.answered(50.0, waiting=0)
    assert away(absence, 100.0) is None
    assert away(absence, 159.0) is None
    assert away(absence, 160.0) is not None


def test_what_only_a_person_can_mend_is_said_at_once_and_again_when_it_is_something_else() -> None:
    absence = Absence("server:1", 60.0)
    said = [
        absence.failed(0.0, why, waiting=0, lasting=True)
        for why in ("no such token", "no such token", "revoked", "revoked")
    ]
    assert said == [
        "no such token; results wait in the ledger", None, "revoked; results wait in the ledger", None
    ]  # fmt: skip
    assert absence.answered(5.0, waiting=0) is not None
