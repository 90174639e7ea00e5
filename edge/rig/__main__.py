"""`python -m edge.rig`: everything that a box at the line meets, on this machine, until Ctrl-C or SIGTERM.

    python -m edge.rig [--folder build/edge-rig] [--first-port 5020] [--period-s 0.5]

starts a PLC beside a conveyor, an MQTT broker, a GigE Vision camera, a network camera and a Loupe server, and says where each is; what is not installed is
named and left out. A bundle and pictures of parts are made in the folder. `examples/line.toml` has stations that work against it.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from edge.rig.children import Child, Family
from edge.rig.parts import BUNDLE, FIRST_PORT, PARTS, PICTURES, Place
from vision.errors import LoupeError, MissingExtraError
from vision.image import encode_png

READY: Final = "ready; Ctrl-C ends all of it"


def main() -> int:
    """Exit 0 when told to end, 1 when a part cannot be started or ends by itself."""
    place, ending = _asked(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    try:
        make_parts(place.folder)
        _run(place, ending)
    except LoupeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def make_parts(folder: Path) -> None:
    """A certified bundle, and pictures that it accepts, rejects and sends to review in turn.

    Raises:
        MissingExtraError: the library that writes models is not installed.
    """
    try:
        from edge.rig import plates  # noqa: PLC0415  (needs a library that the runtime does without)
    except ModuleNotFoundError as error:
        raise MissingExtraError("dev", error.name or "onnx") from error
    pictures = folder / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate([plates.part(1), plates.spotted(2), plates.stranger()]):
        (pictures / f"{number}.png").write_bytes(encode_png(picture))
    if not (folder / BUNDLE).exists():
        plates.make_bundle(folder / BUNDLE)


def _run(place: Place, ending: threading.Event) -> None:
    family = Family(_found(place), logs=place.folder, environment=os.environ)
    try:
        family.start(ending)
        if not ending.is_set():
            _say(READY)
        family.wait(ending)
    finally:
        family.stop()


def _found(place: Place) -> list[Child]:
    """The parts that can be started here, each said with its address; those that cannot, with what they lack."""
    children = []
    for name, part in PARTS:
        try:
            child = part(place)
        except LoupeError as error:
            _say(f"{name:8}{'-':18}{error}")
        else:
            children.append(child)
            _say(f"{name:8}{child.address:18}{child.hint}")
    _say(f"{'bundle':8}{place.folder / BUNDLE}")
    _say(f"{'parts':8}{place.folder / PICTURES}")
    return children


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _asked() -> Place:
    options = argparse.ArgumentParser(
        prog="python -m edge.rig", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--folder", type=Path, default=Path("build/edge-rig"))
    options.add_argument("--first-port", type=int, default=FIRST_PORT)
    options.add_argument("--period-s", type=float, default=0.5, help="between two parts")
    given = options.parse_args()
    return Place(folder=given.folder.absolute(), first_port=given.first_port, period_s=given.period_s)


if __name__ == "__main__":
    sys.exit(main())
