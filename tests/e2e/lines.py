"""A real `loupe edge run`, and the commands beside it: processes in a box's folder, watched from outside and stopped as an operator stops them."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge.ledger import audit
from edge.rig.plc import Plc
from tests.bundles import make_bundle, part, spotted, stranger
from tests.e2e.serving import LOUPE, PATIENCE_S, clean_environment, eventually
from vision.image import Pixels, encode_png

STATION: Final = "infeed"  # of most boxes
PLATES: Final = (part(1), spotted(2), stranger())  # accepted, rejected, sent to review


def furnished(folder: Path, pictures: Sequence[Pixels] = PLATES) -> Path:
    """A box's folder, with a bundle and the pictures that its camera shows in turn."""
    make_bundle(folder / "plates.loupe")
    (folder / "parts").mkdir()
    for number, picture in enumerate(pictures):
        (folder / "parts" / f"{number:02}.png").write_bytes(encode_png(picture))
    return folder


@dataclass(slots=True, kw_only=True)
class Run:
    """A running line.

    Attributes:
        said: its stderr so far, line by line.
    """

    process: "subprocess.Popen[str]"
    said: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None

    @property
    def words(self) -> str:
        """What it said, in one line."""
        return " ".join("".join(self.said).split())

    @property
    def view(self) -> str:
        """Where its view listens; empty while it has not said so."""
        return next(
            (one.split("http://")[1].strip().rstrip("/") for one in self.said if "view on " in one), ""
        )

    def alarms(self, about: str) -> list[str]:
        return [one for one in self.said if about in one]

    def stop(self) -> dict[str, Any]:
        """Tell it to end; gives what its stations say that they did."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> dict[str, Any]:
        """What its stations did, once it has ended with 0."""
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        code = self.process.wait(PATIENCE_S)
        self.drained()
        assert code == 0, self.said
        stations: dict[str, Any] = json.loads(out)["stations"]
        return stations

    def kill(self) -> None:
        """End it as a power switch does."""
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.drained()

    def drained(self) -> None:
        """Nothing is left to be read."""
        if self.reader is not None:
            self.reader.join(PATIENCE_S)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def running(
    folder: Path,
    gate: Plc | None = None,
    *,
    watched: bool = True,
    command: tuple[object, ...] = ("run",),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Run]:
    """`folder/line.toml` at work: it has said so, has read the counter of the PLC it stands beside, and its heart beats there.

    Args:
        watched: the PLC is shown the heartbeat.
        command: `run`, or `record` with its options.
        environment: beside the usual one.
    """
    reads, beats = (0, 0) if gate is None else (gate.reads, len(gate.beats))
    run = _started(folder, command, environment or {})

    def at_work() -> bool:
        if gate is None:
            return bool(run.alarms("running "))
        return gate.reads > reads + 3 and (len(gate.beats) > beats or not watched)

    try:
        eventually(lambda: at_work() or run.process.poll() is not None)
        assert run.process.poll() is None, run.said
        yield run
    finally:
        if run.process.poll() is None:
            run.kill()
            sys.stderr.write("".join(run.said[-30:]))  # pytest shows it with the failure


def _started(folder: Path, command: tuple[object, ...], environment: Mapping[str, str]) -> Run:
    verb, *options = map(str, command)
    process = subprocess.Popen(
        [LOUPE, "edge", verb, "--config", folder / "line.toml", "--json", *options],
        env=clean_environment(folder) | {"COLUMNS": "1000"} | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run = Run(process=process)
    run.reader = threading.Thread(target=lambda: run.said.extend(process.stderr or ()), daemon=True)
    run.reader.start()
    return run


def loupe(
    folder: Path, *arguments: object, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """One command, to its end."""
    return subprocess.run(
        [LOUPE, *map(str, arguments)],
        env=clean_environment(folder) | {"COLUMNS": "1000"} | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def accounted(folder: Path, triggers: int, station: str = STATION) -> Callable[[], bool]:
    """Whether so many parts have their outcomes."""

    def all_of_them() -> bool:
        found = audit(folder / "loupe-data" / station)
        return found.triggers >= triggers and found.balanced

    return all_of_them
