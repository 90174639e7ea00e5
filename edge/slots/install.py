"""A bundle into the slot that is free, tested there before anything refers to it; and back again.

    verified ── copied beside the slot ── self-tested in another process ── previous one forgotten ── moved into the slot ── active, on trial

Killed before the last step, the box runs what it ran, and the next install clears up. It does not know whether a line runs meanwhile: a line that
does will notice.
"""

import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.line import Line
from edge.slots.seats import Named, named, only
from edge.slots.selftest import self_test
from edge.slots.state import Held, OnTrialError, SlotState
from edge.slots.store import SlotStore
from vision.archive import Source
from vision.bundle import MANIFEST, SIGNATURE, Bundle, open_bundle
from vision.errors import BundleError, SettingsError, StorageError
from vision.files import atomic_folder, held
from vision.inspection.spec import InspectionSpec, inspection_spec
from vision.settings import Settings

_KEEP_FREE: Final = (
    64 * 2**20
)  # of the disk, beside the ledgers' reserves: a new model is not worth a line that stops
_SIGNATURE_BYTES: Final = 1024**2
_NUMBERS: Final = re.compile(r"\d+(?:\.\d+)*")


def install(
    source: Path,
    line: Line,
    settings: Settings,
    *,
    older: bool = False,
    test: Callable[[Path, Iterable[Path]], str] = self_test,
    step: Callable[[str], None] = lambda _: None,
) -> tuple[str, Held]:
    """Have a line's stations judge by another bundle of the name that theirs has; gives that name and what is on trial now.

    Args:
        older: allow a version below the one that runs.
        test: of a bundle's folder, with the files of the trusted keys; gives its digest.
        step: told each step as it begins.

    Raises:
        SettingsError: no key is trusted here.
        BundleError: it is not signed by a trusted key, damaged, does not fit, is older, or fails its self-test.
        NotFoundError: the line has no model of that name.
        OnTrialError: another bundle of that name is on trial.
        StorageError: the disk refused or has no room, or another install is at work.
    """
    keys = trusted(settings)
    step("verify")
    bundle = open_bundle(source, trusted=keys, require_signature=True)
    name = bundle.manifest.name
    model, factory = only(named(line), name)
    store = SlotStore(line.data, name)
    store.make()
    with held(store.folder / "installing"):
        step("clean")
        store.clean()
        before = store.read().beside(factory, _now())
        before.check_installable()
        check_fits(bundle, model, before, older=older)
        _check_room(bundle, store.folder, keep_free=_KEEP_FREE + line.reserves_mib * 2**20)
        with atomic_folder(store.path(before.free)) as unfinished:
            _copy(bundle, unfinished, step)
            step("test")
            digest = _tested(test, unfinished, settings, bundle)
            step("forget")
            store.update(lambda now: _same(now.beside(factory, _now()), before).forgotten(before.free))
            step("move")
        step("activate")
        new = Held(slot=before.free, version=bundle.manifest.version, digest=digest, since=_now())
        store.update(lambda now: _same(now, before).installed(new, factory=factory))
        step("installed")
    return name, new


def roll_back(name: str, line: Line, settings: Settings) -> SlotState:
    """Go back to the previous bundle of a name, or to the configured one where there is none that can be used.

    Raises:
        NotFoundError: there is no such name, or the configured one runs already.
        StorageError: the disk refused.
    """
    _, factory = only(named(line), name)
    store = SlotStore(line.data, name)

    def back(now: SlotState) -> SlotState:
        current = now.beside(factory, _now())
        if current.previous is not None and not usable(store, current.previous, settings):
            current = current.forgotten(current.previous.slot)
        return current.rolled_back("by hand", _now())

    return store.update(back)


def usable(store: SlotStore, one: Held, settings: Settings) -> bool:
    """Whether a slot still holds what the state says, signed by a key that is trusted now."""
    try:
        bundle = open_bundle(store.path(one.slot), trusted=settings.trusted(), require_signature=True)
    except BundleError:
        return False
    return bundle.digest() == one.digest


def trusted(settings: Settings) -> tuple[Ed25519PublicKey, ...]:
    """The keys that bundles of a line are signed with.

    Raises:
        SettingsError: there is none, or one cannot be read.
    """
    keys = settings.trusted()
    if not keys:
        raise SettingsError(
            "LOUPE_TRUSTED_KEYS: expected the public keys that bundles for this line are signed with, for this command and for "
            "`loupe edge run` alike, such as LOUPE_TRUSTED_KEYS='[\"/etc/loupe/line.pub\"]'; found none"
        )
    return keys


def check_fits(bundle: Bundle, model: Named, state: SlotState, *, older: bool) -> None:
    """Raises BundleError unless a bundle can take the place of what runs: same task, labels and good one, certified if that is, newer."""
    new, old = inspection_spec(bundle), InspectionSpec.model_validate(model.manifest.decision)
    pairs: list[tuple[str, object, object]] = [
        ("labels", model.manifest.labels, bundle.manifest.labels),
        ("good", old.good, new.good),
    ]
    if _certified(old):
        pairs.append(("certified", True, _certified(new)))
    for what, expected, found in pairs:
        if expected != found:
            raise BundleError(
                f"{bundle.path}: {what}: expected {expected} as in what runs here, found {found}"
            )
    digest, version = (
        (model.digest, model.manifest.version)
        if state.active is None
        else (state.active.digest, state.active.version)
    )
    if bundle.digest() == digest:
        raise BundleError(f"{bundle.path}: expected another bundle than the one that runs, found the same")
    if not older and numbers(bundle.manifest.version) < numbers(version):
        raise BundleError(
            f"{bundle.path}: version: expected {version} or later, found {bundle.manifest.version}; "
            "`loupe edge rollback` goes back, and --older allows it"
        )


def numbers(version: str) -> tuple[int, ...]:
    """What a version is compared by: its numbers up to the first letter, without zeros at the end, since 1.0 is 1."""
    found = _NUMBERS.match(version)
    parts = [int(one) for one in found[0].split(".")] if found else []
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _certified(spec: InspectionSpec) -> bool:
    return any(one.certificate is not None for one in spec.files.values())


def _check_room(bundle: Bundle, folder: Path, *, keep_free: int) -> None:
    needed = sum(one.bytes for one in bundle.manifest.files.values()) + keep_free
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{folder}: expected {needed} bytes free for the bundle and the ledgers, found {free}"
        )


def _tested(
    test: Callable[[Path, Iterable[Path]], str], folder: Path, settings: Settings, bundle: Bundle
) -> str:
    """The digest; what is wrong is said of the bundle that was given, not of the copy, which is gone by then."""
    try:
        digest = test(folder, settings.trusted_keys)
    except BundleError as error:
        raise BundleError(str(error).replace(str(folder), str(bundle.path))) from error
    if digest != bundle.digest():
        raise BundleError(f"{bundle.path}: expected it unchanged while it was copied, found another one")
    return digest


def _copy(bundle: Bundle, folder: Path, step: Callable[[str], None]) -> None:
    """As it is: the signature holds for the manifest's very bytes."""
    with Source(bundle.path) as source:
        for name, limit in ((MANIFEST, 16 * _SIGNATURE_BYTES), (SIGNATURE, _SIGNATURE_BYTES)):
            (folder / name).write_bytes(source.read(name, limit))
    for name in bundle.manifest.files:
        step(f"copy {name}")
        (folder / name).write_bytes(bundle.read(name))


def _same(now: SlotState, expected: SlotState) -> SlotState:
    """Raises OnTrialError when somebody else changed what runs: a rollback, by hand or by the line."""
    if now.active != expected.active:
        raise OnTrialError(
            "expected the same bundle active as when the install began; another one is now, and the install is given up"
        )
    return now


def _now() -> datetime:
    return datetime.now(UTC)
