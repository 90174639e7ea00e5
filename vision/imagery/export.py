"""A master to the file that leaves the house: labelled, encoded, checked as it is, signed, and nothing after that.

Takes an approved master, its manifest and what it was made from; gives a file's bytes or refuses. Until it is signed the file is a pure function
of these, of the rule set, the label policy and the library that encodes. Who approved is known elsewhere.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydantic import JsonValue

from vision.errors import GuardError, ImageryError
from vision.image import Pixels, decode
from vision.imagery.approval import approval_digest
from vision.imagery.brief import PLAIN_WHITE
from vision.imagery.certificates import Signer
from vision.imagery.compliance.check import check
from vision.imagery.compliance.context import Context
from vision.imagery.compliance.report import Report
from vision.imagery.compliance.rules import FormatRule, NumberRule, RuleSet, rule_set
from vision.imagery.compose.arrange import MOST_ENLARGED
from vision.imagery.compose.place import place
from vision.imagery.cutout.photo import PHOTO_LIMITS
from vision.imagery.kept import MASTER_LIMITS, SUFFIXES, decode_master, kept_product, pixels_sha256, sha256
from vision.imagery.labels.carriers import FORMATS, QUALITY, encode, read_labels, read_metadata
from vision.imagery.labels.corner import Label, draw
from vision.imagery.labels.policy import LabelPolicy, Labels
from vision.imagery.labels.source import SourceType
from vision.imagery.lock import verify
from vision.imagery.manifest import Manifest
from vision.imagery.provenance import Claim, Trust, read, sign

_QUALITIES: Final = (QUALITY, 90, 85, 80)  # where a file would be too large
_SIGNATURE_BYTES: Final = 32 * 1024  # left for it where a rule set limits the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A finished file.

    Attributes:
        sha256: of `data`.
        unsigned: SHA-256 of the file as it was checked, before it was signed; the same for the same inputs.
        report: what the rule set says of the encoded bytes.
        labels: what it carries.
        explicit: where the explicit label stands, where there is one.
        warnings: what a person should know before using it.
    """

    data: bytes
    format: str
    sha256: str
    unsigned: str
    report: Report
    labels: Labels
    explicit: Label | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Encoded:
    data: bytes
    format: str
    report: Report


def export(
    master_png: bytes,
    manifest: Manifest,
    rules: RuleSet,
    policy: LabelPolicy,
    signer: Signer,
    *,
    photo: bytes,
    alpha_png: bytes,
    approved: str | None = None,
) -> Exported:
    """Make the file for one rule set.

    Args:
        photo, alpha_png: the product's photo and where in it the product is, as the manifest names them.
        approved: the `approval_digest` that people agreed to; it is taken again from what was handed in, and has to be the same.

    Raises:
        ImageryError: master, photo or alpha are not the manifest's, the product was changed or enlarged too much; the approval is of something
            else; the label policy refuses the image; no allowed format passes the rules; or the signer is refused.
        ImageError: a picture cannot be decoded.
        GuardError: the file does not carry what it was given, and is not handed out.
        MissingExtraError: c2pa-python is not installed.
    """
    master = _master(master_png, manifest, photo=photo, alpha_png=alpha_png)
    if approved is not None:
        _same("approval", approved, _approval(manifest, rules, policy))
    alpha_hw = place(kept_product(photo, alpha_png), manifest.placement).alpha_hw
    labels = _labels(manifest, policy, photo)
    picture, explicit = _with_label(master, labels, alpha_hw)
    context = Context(alpha_hw=alpha_hw, synthetic=labels.source.ai_made)
    encoded = _encoded(picture, labels, rules, context)
    _check_labels(encoded, labels)
    title = f"{manifest.digest()[:16]}{SUFFIXES[encoded.format]}"
    generation = _generation(manifest, rules, policy, approved)
    claim = Claim(title=title, source=labels.source, generation=generation)
    signed = sign(encoded.data, claim, signer, photo=photo)
    _check_signed(signed, encoded.data, rules)
    return Exported(
        data=signed,
        format=encoded.format,
        sha256=sha256(signed),
        unsigned=sha256(encoded.data),
        report=encoded.report,
        labels=labels,
        explicit=explicit,
        warnings=tuple(_warnings(manifest, policy, explicit)),
    )


def _master(master_png: bytes, manifest: Manifest, *, photo: bytes, alpha_png: bytes) -> Pixels:
    """The master's pixels, once everything is what the manifest says."""
    if manifest.placement.scale > MOST_ENLARGED:
        raise ImageryError(
            f"placement.scale: expected the product enlarged at most {MOST_ENLARGED} times, found {manifest.placement.scale}"
        )
    master = decode_master(master_png)
    _same("master", manifest.master, pixels_sha256(master))
    _same("photo", manifest.photo, sha256(photo))
    _same("alpha", manifest.cutout.alpha, sha256(alpha_png))
    lock = verify(master, photo, alpha_png, manifest.placement)
    if not lock.kept:
        raise ImageryError(
            f"product: expected its {lock.pixels} pixels untouched, found {lock.changed} changed"
        )
    _same("locked pixels", manifest.locked, lock.locked)
    return master


def _same(name: str, expected: str, found: str) -> None:
    if found != expected:
        raise ImageryError(f"{name}: expected sha256 {expected}, found {found}")


def _approval(manifest: Manifest, rules: RuleSet, policy: LabelPolicy) -> str:
    names = manifest.brief.rules
    if rules.name not in names:
        raise ImageryError(f"rules: expected one that was approved, {', '.join(names)}; found {rules.name}")
    digests = [(rules if name == rules.name else rule_set(name)).digest() for name in names]
    return approval_digest(manifest.master, digests, policy.digest(), manifest.digest())


def _labels(manifest: Manifest, policy: LabelPolicy, photo: bytes) -> Labels:
    """What the policy asks for; a photo that is labelled as synthetic makes the image so, too: no label is ever lost here."""
    synthetic = manifest.scene.synthetic or read_metadata(photo, name="photo", limits=PHOTO_LIMITS).synthetic
    plain = manifest.scene.generator == PLAIN_WHITE
    otherwise = SourceType.COMPOSITE_CAPTURE if plain else SourceType.COMPOSITE
    return policy.labels(synthetic=synthetic, otherwise=otherwise, number=manifest.digest())


def _with_label(master: Pixels, labels: Labels, alpha_hw: Pixels) -> tuple[Pixels, Label | None]:
    if not labels.explicit:
        return master, None
    return draw(master, labels.explicit, np.asarray(alpha_hw > 0))


def _encoded(picture: Pixels, labels: Labels, rules: RuleSet, context: Context) -> _Encoded:
    """The first of the allowed formats that the rules pass."""
    refused = [f"no format of {', '.join(FORMATS)} is allowed"]
    for image_format in _formats(rules):
        data = _small_enough(picture, image_format, labels, rules)
        if data is None:
            refused.append(f"{image_format}: larger than the rules allow")
            continue
        named = Context(
            name=f"image{SUFFIXES[image_format]}", alpha_hw=context.alpha_hw, synthetic=context.synthetic
        )
        report = check(data, rules, context=named)
        if report.ok:
            return _Encoded(data=data, format=image_format, report=report)
        broken = (finding for finding in report.findings if finding.status == "fail")
        refused += [
            f"{image_format}: {one.rule}: expected {one.limit}, measured {one.measured}" for one in broken
        ]
    raise ImageryError(f"{rules.name}: the image cannot be exported: {'; '.join(refused[1:] or refused)}")


def _formats(rules: RuleSet) -> Iterator[str]:
    """In the order of preference."""
    allowed = [rule.value for rule in rules.rules if isinstance(rule, FormatRule)]
    return (one for one in FORMATS if all(one in formats for formats in allowed))


def _most_bytes(rules: RuleSet) -> float:
    bounds = [rule.value for rule in rules.rules if isinstance(rule, NumberRule) and rule.kind == "bytes"]
    limits = [bound.max for bound in bounds if bound.max is not None]
    return min(limits, default=float("inf"))


def _small_enough(picture: Pixels, image_format: str, labels: Labels, rules: RuleSet) -> bytes | None:
    most = _most_bytes(rules) - _SIGNATURE_BYTES
    for quality in _QUALITIES if image_format == "JPEG" else _QUALITIES[:1]:
        data = encode(picture, image_format, labels, quality=quality)
        if len(data) <= most:
            return data
    return None


def _check_labels(encoded: _Encoded, labels: Labels) -> None:
    """Metadata is lost in silence, so it is read back."""
    missing = read_labels(encoded.data, limits=MASTER_LIMITS).lacking(labels)
    if missing:
        raise GuardError(f"the {encoded.format} does not carry its labels: {'; '.join(missing)}")


def _check_signed(signed: bytes, unsigned: bytes, rules: RuleSet) -> None:
    credentials = read(signed)
    if credentials.trust not in {Trust.TRUSTED, Trust.VALID}:
        raise GuardError(f"the signed file is {credentials.trust}: {'; '.join(credentials.problems)}")
    before, after = (decode(data, limits=MASTER_LIMITS).image_hwc for data in (unsigned, signed))
    if not np.array_equal(before, after):
        raise GuardError("signing changed the picture")
    if len(signed) > _most_bytes(rules):
        raise ImageryError(
            f"{rules.name}: expected at most {_most_bytes(rules):.0f} bytes, found {len(signed)} once signed"
        )


def _generation(
    manifest: Manifest, rules: RuleSet, policy: LabelPolicy, approved: str | None
) -> dict[str, JsonValue]:
    """What the signature vouches for: digests that lead to everything else, and no words, names or machines."""
    fingerprint = manifest.scene.fingerprint
    return {
        "manifest": manifest.digest(),
        "master": manifest.master,
        "photo": manifest.photo,
        "mask": manifest.mask,
        "generator": manifest.scene.generator,
        "seed": manifest.brief.seed_of(manifest.number),
        "models": {name: value for name, value in fingerprint.items() if _is_digest(value)},
        "rules": {"name": rules.name, "version": rules.version, "digest": rules.digest()},
        "labels": {"name": policy.name, "version": policy.version, "digest": policy.digest()},
        "explicit_label_waived": policy.waiver is not None,
        "approval": approved,
    }


def _is_digest(value: str) -> bool:
    return len(value) == hashlib.sha256().digest_size * 2 and all(
        digit in "0123456789abcdef" for digit in value
    )


def _warnings(manifest: Manifest, policy: LabelPolicy, explicit: Label | None) -> Iterator[str]:
    scale = manifest.placement.scale
    if scale > 1:
        yield f"product: enlarged {scale:.2f} times: it looks softer than its photo"
    if explicit is not None and explicit.covered_px:
        yield f"explicit label: no room beside the product: it covers {explicit.covered_px} of its pixels"
    if policy.waiver is not None:
        yield f"explicit label: left out for {policy.waiver.user}; the record is kept until {policy.waiver.keep_until}"
