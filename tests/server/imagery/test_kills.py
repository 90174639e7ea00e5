"""Workers killed with -9 at random moments lose no order, make no candidate twice and leave no torn picture."""

from pathlib import Path

import pytest

from tests.server.imagery.kills import COUNT, killed

pytestmark = pytest.mark.slow


def test_whenever_workers_are_killed_every_order_is_finished_once(tmp_path: Path) -> None:
    account = killed(tmp_path, 25, seed=20261128)

    assert (account.kills, account.lost, account.twice) == (25, 0, 0), account.faults
    assert account.candidates == COUNT * account.orders
    assert account.cut_short >= 10, "kills that came between two orders prove little"
