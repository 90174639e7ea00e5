"""A program that keeps parts in a ledger and says what was promised, and the check of what a power cut left of it.

    python -m edge.rig.ledger_trial FOLDER PARTS

prints a line for each change that the ledger took; `faults` holds what is found later against these lines.
"""

import sqlite3
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from edge.ledger import FILE, Begun, Ended, Ledger, Outcome, audit
from edge.rig.power_cut import Event, Said, leave, trace

_ON_THEIR_WAY: Final = 3  # parts that are open at any time
_RESERVE: Final = 64 * 1024


def traced(folder: Path, parts: int) -> list[Event]:
    """What such a program does to its files.

    Raises:
        DeviceError: strace is not installed, or the program failed.
    """
    return trace([sys.executable, "-m", "edge.rig.ledger_trial", str(folder), str(parts)], folder)


def faults(events: Sequence[Event], folder: Path, chance: Random | None = None) -> list[str]:
    """What is wrong with the ledger that a power cut after these events leaves in an empty folder; nothing should be.

    Args:
        chance: as for `edge.rig.power_cut.leave`.
    """
    leave(events, folder, chance)
    begun, ended = _promised(one.text for one in events if isinstance(one, Said))
    ledger = Ledger(folder, boot="after", reserve_bytes=_RESERVE)
    ledger.close()
    wrong = [] if ledger.found.set_aside is None else ["the ledger was found damaged"]
    found = _outcomes(folder)
    wrong += [f"part {part}: its row was promised and is not there" for part in begun if part not in found]
    wrong += [
        f"part {part}: {outcome} was promised, {found.get(part)} is there"
        for part, outcome in ended.items()
        if found.get(part) != outcome
    ]
    if not audit(folder).balanced:
        wrong.append("the ledger does not balance")
    return wrong


def _promised(said: Iterable[str]) -> tuple[set[int], dict[int, str]]:
    begun, ended = set[int](), dict[int, str]()
    for line in said:
        match line.split():
            case ["begun", part]:
                begun.add(int(part))
            case ["ended", part, outcome]:
                ended[int(part)] = outcome
            case _:
                pass
    return begun, ended


def _outcomes(folder: Path) -> dict[int, str]:
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return dict(connection.execute("SELECT part, outcome FROM part").fetchall())


def main() -> None:
    """Keep parts, one commit a change."""
    folder, parts = Path(sys.argv[1]), int(sys.argv[2])
    ledger = Ledger(folder, boot="trial", reserve_bytes=_RESERVE)
    verdicts = (Outcome.ACCEPT, Outcome.REJECT, Outcome.REVIEW)
    for part in range(1, parts + 1):
        ledger.commit([Begun(part=part, at=datetime.now(UTC), counter=part)])
        _say(f"begun {part}")
        if (earlier := part - _ON_THEIR_WAY) > 0:
            outcome = verdicts[earlier % len(verdicts)]
            ledger.commit(
                [Ended(part=earlier, outcome=outcome, reason="confident", detail="x" * (earlier % 200))]
            )
            _say(f"ended {earlier} {outcome}")
    ledger.close()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
