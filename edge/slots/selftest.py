"""Would this bundle run here? Asked in a process of its own, so that one that brings the interpreter down harms nobody.

    python -m edge.slots.selftest BUNDLE KEY ...    {"digest": "..."} or {"error": "..."} on stdout

The child gives way to the line where processors are short.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from vision.errors import BundleError, LoupeError
from vision.inspection.inspect import open_inspector
from vision.signing import read_public

_PATIENCE_S: Final = 300.0
_NICE: Final = 10


def self_test(bundle: Path, keys: Iterable[Path]) -> str:
    """Open a bundle, check its golden set and warm it up, in another process; gives its digest.

    Args:
        keys: files of the public keys, one of which must have signed it.

    Raises:
        BundleError: it is not signed by a trusted key, or cannot be used here, or the process died of it.
    """
    command = [sys.executable, "-m", "edge.slots.selftest", str(bundle), *map(str, keys)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)  # noqa: S603  (our own)
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"{bundle}: expected a self-test within {_PATIENCE_S:.0f} s, found none") from error
    if ended.returncode < 0:
        how = signal.Signals(-ended.returncode).name
        raise BundleError(f"{bundle}: the self-test's process was ended by {how}")
    try:
        said = json.loads(ended.stdout)
    except ValueError as error:
        raise BundleError(f"{bundle}: the self-test failed: {ended.stderr[-500:].strip()}") from error
    if "error" in said:
        raise BundleError(said["error"])
    return str(said["digest"])


def main() -> None:
    os.nice(_NICE)
    try:
        keys = [read_public(Path(one)) for one in sys.argv[2:]]
        inspector = open_inspector(Path(sys.argv[1]), trusted=keys, require_signature=True)
        said = {"digest": inspector.bundle.digest()}
    except LoupeError as error:
        said = {"error": str(error)}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
