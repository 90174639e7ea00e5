"""Everything Loupe raises on purpose.

    LoupeError                  exit 1
    ├── InputError              exit 2: what was handed in is wrong
    │   ├── ImageError          a picture cannot be used
    │   ├── ManifestError       a data manifest or image folder cannot be used
    │   ├── CatalogError        a taxonomy cannot be used, or does not hold a label
    │   ├── BundleError         a model bundle is damaged, unsigned or not understood
    │   │   └── CertificateError    a certificate speaks of another model
    │   ├── SearchIndexError    a search index is damaged, or of another model
    │   ├── ImageryError        a brief, cut-out, scene model or image cannot be used
    │   │   └── RefusedError        a scene model's own checker objects to one picture
    │   ├── SettingsError       an option, recipe or configuration file is wrong
    │   └── NotFoundError       what was named is not kept here
    ├── GuardError              a model was refused: parity or accuracy was not kept
    ├── StorageError            the disk did not take what had to be written
    ├── OutOfMemoryError        there is not enough memory for what was asked
    ├── DeviceError             a camera, trigger or output cannot be reached, or does not do what it was asked for
    ├── AuthenticationError     who asks is not known: no token, or one that is not in force
    ├── PermissionDeniedError   who asks is known and may not
    ├── OverloadedError         no time or no room for one more request; says when to come again
    ├── DeadlineError           the caller's time ran out before there was an answer
    ├── CancelledError          somebody asked for the work to be stopped
    ├── RemoteError             a server failed at what it was asked for
    │   ├── RequestError            it refuses what the request holds; an InputError too, exit 2
    │   ├── RemotePermissionError   a PermissionDeniedError, in the server's words
    │   ├── StateError              it is not in the state for that
    │   ├── UnavailableError        it cannot be reached, or cannot serve now
    │   ├── UnsupportedError        it does not know the call
    │   └── WireError               what it said is not understood here
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


class CatalogError(InputError):
    """A taxonomy cannot be used, or does not hold what was looked for."""


class BundleError(InputError):
    """A bundle is damaged, incomplete, unsigned, or newer than this reader."""


class CertificateError(BundleError):
    """A certificate was issued for another model file, preprocessing or policy."""


class SearchIndexError(InputError):
    """A search index is damaged, of another model or dimension, or no index at all."""


class ImageryError(InputError):
    """A brief, cut-out, scene model or image of the imagery pipeline cannot be used."""


class RefusedError(ImageryError):
    """A scene model's own checker objects to the picture of one seed; another seed or other words may do."""


class SettingsError(InputError):
    """An option, recipe or configuration value is out of its range."""


class NotFoundError(InputError):
    """A result, picture or other thing that was named is not kept here, or no longer."""


class GuardError(LoupeError):
    """A model did not keep what was asked of it (parity, accuracy) and was not written."""


class StorageError(LoupeError):
    """Writing failed (disk full, no permission); nothing half-written is left behind."""


class OutOfMemoryError(LoupeError):
    """There is not enough memory for what was asked; later, on another machine or for less it may do."""


class DeviceError(LoupeError):
    """A camera, trigger or output cannot be reached or fails; the message names the device and its address."""


class AuthenticationError(LoupeError):
    """Nobody can be told from the token, or none was handed in; the message never holds the token's secret."""


class PermissionDeniedError(LoupeError):
    """A known caller asked for what takes another role; `required` names the roles that would do."""

    def __init__(self, required: str, what: str, *, found: str = "none") -> None:
        super().__init__(f"{what}: expected a token with the role {required}, found {found}")
        self.required = required


class MissingExtraError(LoupeError):
    """A command needs an optional part of Loupe that is not installed."""

    def __init__(self, extra: str, missing: str) -> None:
        super().__init__(f"this needs '{missing}', which is not installed; run: pip install 'loupe[{extra}]'")
        self.extra = extra


class OverloadedError(LoupeError):
    """A request was refused before it cost anything; `retry_after_s` says when it may have better luck."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineError(LoupeError):
    """The caller's deadline passed, or cannot be met any more."""


class RemoteError(LoupeError):
    """A server failed at what it was asked for; the message begins with its address."""


class RequestError(RemoteError, InputError):
    """A server refuses what a request holds; the message names the fields."""


class RemotePermissionError(RemoteError, PermissionDeniedError):
    """A server says that the caller may not; which roles would do, it tells in words alone."""

    def __init__(self, message: str) -> None:
        LoupeError.__init__(self, message)
        self.required = ""


class StateError(RemoteError):
    """Something is not in the state for what was asked, such as a damaged bundle to be loaded, or an image to be exported that nobody approved.

    The one of these errors that a server raises itself; a client's says the same with the server's address before it.
    """


class UnavailableError(RemoteError):
    """A server cannot be reached, or says that it cannot serve now; it was asked again until the deadline."""


class UnsupportedError(RemoteError):
    """A server does not know the call: it is older, or no server of Loupe."""


class WireError(RemoteError):
    """A message is incomplete, or of a newer Loupe: it holds what this one does not understand."""


class CancelledError(LoupeError):
    """The work was stopped because somebody asked for that; what it had made so far is not kept."""
