"""Everything Loupe raises on purpose.

    LoupeError                  exit 1
    ├── InputError              exit 2: what was handed in is wrong
    │   ├── ImageError          a picture cannot be used
    │   ├── ManifestError       a data manifest or image folder cannot be used
    │   ├── BundleError         a model bundle is damaged, unsigned or not understood
    │   │   └── CertificateError    a certificate speaks of another model
    │   └── SettingsError       an option, recipe or configuration file is wrong
    ├── GuardError              a model was refused: parity or accuracy was not kept
    ├── StorageError            the disk did not take what had to be written
    └── MissingExtraError       an optional part is not installed

A message names the thing (file, field), what was expected and what was found.
"""

from typing import ClassVar


class LoupeError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1


class InputError(LoupeError):
    """What was handed in is wrong; doing it again the same way will fail again."""

    exit_code: ClassVar[int] = 2


class ImageError(InputError):
    """A picture cannot be decoded whole, or lies outside the limits."""


class ManifestError(InputError):
    """A manifest row, column or folder is not what training needs."""


class BundleError(InputError):
    """A bundle is damaged, incomplete, unsigned, or newer than this reader."""


class CertificateError(BundleError):
    """A certificate was issued for another model file, preprocessing or policy."""


class SettingsError(InputError):
    """An option, recipe or configuration value is out of its range."""


class GuardError(LoupeError):
    """A model did not keep what was asked of it (parity, accuracy) and was not written."""


class StorageError(LoupeError):
    """Writing failed (disk full, no permission); nothing half-written is left behind."""


class MissingExtraError(LoupeError):
    """A command needs an optional part of Loupe that is not installed."""

    def __init__(self, extra: str, missing: str) -> None:
        super().__init__(f"this needs '{missing}', which is not installed; run: pip install 'loupe[{extra}]'")
        self.extra = extra
