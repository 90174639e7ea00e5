"""What a test of GigE Vision needs, and what installs it."""

import shutil

from edge.cameras.genicam import library
from edge.rig.gige import PACKAGE, PROGRAM
from vision.errors import LoupeError


def missing_gige() -> str:
    """What is missing; empty where nothing is."""
    try:
        library()
    except LoupeError as error:
        return f"{error}; or: make rig"
    return "" if shutil.which(PROGRAM) else f"needs Debian's package {PACKAGE}: make rig"
