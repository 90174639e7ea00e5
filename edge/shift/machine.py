"""What the numbers of a shift depend on beside its models, here and where it was recorded."""

import importlib.metadata

import cv2
import numpy as np

from edge.shift.format import Fingerprint
from vision.machine import this_machine


def this_fingerprint() -> Fingerprint:
    """Of this machine, and of the libraries that compute here."""
    machine = this_machine()
    return Fingerprint(
        machine=machine.fingerprint(),
        cpu=machine.cpu,
        cores=machine.cores,
        libraries={
            "onnxruntime": importlib.metadata.version("onnxruntime"),
            "opencv": cv2.__version__,
            "numpy": np.__version__,
        },
    )


def differing(recorded: Fingerprint, here: Fingerprint) -> list[str]:
    """In what they differ, in words; nothing where the same models must say the same."""
    found = [
        f"{name} {recorded.libraries.get(name, 'none')} there, {here.libraries.get(name, 'none')} here"
        for name in sorted({*recorded.libraries, *here.libraries})
        if recorded.libraries.get(name) != here.libraries.get(name)
    ]
    if (recorded.cpu, recorded.cores) != (here.cpu, here.cores):
        found.append(f"{recorded.cpu} with {recorded.cores} cores there, {here.cpu} with {here.cores} here")
    elif recorded.machine != here.machine:
        found.append(f"the instruction sets of {here.cpu} there and here")
    return found
