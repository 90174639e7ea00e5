"""What orders are carried out with, as ports: a worker's studio, and the desk at which the server checks, approves and exports.

`server.imagery.studio` and `server.imagery.desk` are what they are in earnest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from vision.imagery.brief import Brief
from vision.imagery.labels.waiver import Waiver
from vision.imagery.manifest import Manifest
from vision.imagery.scenes.scene import OnStep


class Image(Protocol):
    """A candidate's image, as `vision.imagery.create.Candidate` has it."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def master_png(self) -> bytes: ...

    @property
    def preview_jpeg(self) -> bytes: ...

    @property
    def difference_png(self) -> bytes: ...


class Sitting(Protocol):
    """One product before one brief."""

    @property
    def alpha_png(self) -> bytes:
        """The product's opacity in its photo, as the manifest names it."""
        ...

    def make(self, number: int, on_step: OnStep) -> Image:
        """Make a candidate. What `on_step` raises passes through.

        Raises:
            RefusedError: this one cannot be made, however often it is tried; others may.
            InputError: none can.
        """
        ...

    def facts(self, image: Image) -> Mapping[str, JsonValue]:
        """What people should see of an image beside the rules: how the product was cut out and kept, warnings."""
        ...

    def check(self, master_png: bytes) -> Sequence[Mapping[str, JsonValue]]:
        """What each of the brief's rule sets says of an image, in their order; called in another thread, while the next image is made."""
        ...


class Studio(Protocol):
    """What a worker makes images with: one pipeline at a time."""

    @property
    def device(self) -> str:
        """On which seconds are spent, such as `cpu` or `cuda`."""
        ...

    @property
    def generators(self) -> Sequence[str]:
        """The scene models that it has; orders of others are left to other workers."""
        ...

    def sit(self, photo: bytes, mask: bytes | None, brief: Brief, style: bytes | None) -> Sitting:
        """Get ready for a brief; its scene model is loaded unless it is the one that is.

        Args:
            style: the picture that the brief names, where it names one.

        Raises:
            InputError: photo, mask, style picture or brief cannot be used.
            SettingsError, DeviceError, MissingExtraError: this worker cannot; another may.
        """
        ...

    def clear(self) -> None:
        """Let go of all that is held in memory, after a fault."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """All that an approval is of, and that an export is made from.

    Attributes:
        policy: of labels, as the order has it.
    """

    master_png: bytes = field(repr=False)
    photo: bytes = field(repr=False)
    alpha_png: bytes = field(repr=False)
    manifest: Manifest
    policy: Mapping[str, JsonValue]


class Exported(Protocol):
    """A file, as `vision.imagery.export.Exported` has it."""

    @property
    def data(self) -> bytes: ...

    @property
    def format(self) -> str: ...

    @property
    def sha256(self) -> str: ...


class Desk(Protocol):
    """What the server uses of `vision.imagery`, without torch. Calls block; an event loop makes them in a thread."""

    def check_order(self, brief: Brief, policy: Mapping[str, JsonValue], photo: bytes) -> None:
        """See that images of an order could be exported, as far as that can be told before they are made.

        Raises:
            InputError: a rule set or scene model is unknown, or rules, label policy and scene model contradict each other.
        """
        ...

    def rule_sets(self) -> Sequence[str]:
        """Names of those that there are."""
        ...

    def policies(self) -> Sequence[str]:
        """Names of the label policies that there are, the usual one first."""
        ...

    def policy(self, name: str, waiver: Waiver | None) -> Mapping[str, JsonValue]:
        """A label policy, with its explicit label waived or not.

        Raises:
            InputError: there is none of that name, or it takes no waiver.
        """
        ...

    def check(self, image: bytes, rules: Sequence[str]) -> Sequence[Mapping[str, JsonValue]]:
        """What rule sets say of any picture.

        Raises:
            InputError: a rule set is unknown.
            ImageError: it is no picture.
        """
        ...

    def approval(self, subject: Subject) -> str:
        """SHA-256 of all that an approval is of: the master's pixels, the brief's rule sets, label policy and manifest."""
        ...

    def export(self, subject: Subject, rules: str, approved: str) -> tuple[Exported, Mapping[str, JsonValue]]:
        """A file for a rule set, and what the rule set says of it.

        Args:
            approved: the digest that `approval` gave.

        Raises:
            InputError: it would break the rules, or cannot be labelled or signed.
            StateError: there is nothing to sign with.
        """
        ...
