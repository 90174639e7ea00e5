"""Content credentials (C2PA 2.2): who made an image, from what and how, signed into its file, and read back.

Signing is the last thing that is done to a file: whatever is written into it afterwards, a pixel or a comment, makes the signature void. Nothing
here reaches for a network: no time stamp, no revocation list, no manifest fetched from elsewhere.
"""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import JsonValue

from vision.errors import ImageryError, MissingExtraError
from vision.image import ImageLimits, decode, encode_png, read_header
from vision.imagery.certificates import Signer
from vision.imagery.labels.source import SourceType

GENERATION: Final = "loupe.generation"  # our assertion's label
_MEDIA_TYPES: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff"}
_PRODUCT: Final = "product"
_LIMITS: Final = ImageLimits(max_bytes=64 * 1024 * 1024, max_pixels=64_000_000, min_side_px=1)
_UNTRUSTED: Final = "signingCredential.untrusted"
# Thumbnails would add up to megabytes to a file that is its own best thumbnail.
_SETTINGS: Final[dict[str, JsonValue]] = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}


class Trust(StrEnum):
    """What a file's content credentials are worth."""

    TRUSTED = "trusted"  # whole, by a signer under a root that is trusted here
    VALID = "valid"  # whole, by somebody unknown
    INVALID = "invalid"  # the file, or the credentials, were changed
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is said of an image.

    Attributes:
        title: of the image.
        generation: how it was made: digests, seed, versions. JSON.
    """

    title: str
    source: SourceType
    generation: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What was read.

    Attributes:
        problems: why they are invalid, or not trusted; in the words of C2PA's status codes.
        signed_by: the organisation in the signer's certificate.
        generation: as in `Claim`; nothing where the image is not ours.
        ingredients: titles of what the image was made from.
    """

    trust: Trust
    problems: tuple[str, ...] = ()
    signed_by: str | None = None
    source: SourceType | None = None
    generation: Mapping[str, JsonValue] | None = None
    ingredients: tuple[str, ...] = ()


def sign(data: bytes, claim: Claim, signer: Signer, *, photo: bytes) -> bytes:
    """The file with content credentials in it; its pixels are the same.

    Args:
        photo: of the product, which becomes an ingredient; credentials of its own are carried along. A BMP, which can hold none, goes in as a PNG
            of the same pixels.

    Raises:
        ImageryError: the signer is refused (such as a certificate that signed itself), or the file cannot hold credentials.
        ImageError: the file or the photo is no picture.
        MissingExtraError: c2pa-python is not installed.
    """
    c2pa = _library()
    media_type = _media_type(data, "image")
    photo = _as_ingredient(photo)
    photo_type = _media_type(photo, "product photo")
    signed = io.BytesIO()
    try:
        with (
            c2pa.Context.from_dict(_SETTINGS) as context,
            c2pa.Builder(_definition(claim), context=context) as builder,
            c2pa.Signer.from_callback(signer.sign, c2pa.C2paSigningAlg.ES256, signer.chain.decode()) as by,
        ):
            ingredient = {"title": "product photo", "relationship": "componentOf", "label": _PRODUCT}
            builder.add_ingredient(json.dumps(ingredient), photo_type, io.BytesIO(photo))
            builder.sign(by, media_type, io.BytesIO(data), signed)
    except c2pa.C2paError as error:
        raise ImageryError(f"{claim.title}: cannot be signed: {error}") from error
    return signed.getvalue()


def _as_ingredient(photo: bytes) -> bytes:
    if read_header(photo, name="product photo", limits=_LIMITS).format != "BMP":
        return photo
    return encode_png(decode(photo, name="product photo", limits=_LIMITS).image_hwc)


def _definition(claim: Claim) -> dict[str, Any]:
    actions = [
        {"action": "c2pa.created", "digitalSourceType": claim.source.uri},
        {"action": "c2pa.placed", "parameters": {"ingredientIds": [_PRODUCT]}},
    ]
    return {
        "claim_generator_info": [{"name": "Loupe"}],
        "title": claim.title,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": GENERATION, "data": dict(claim.generation)},
        ],
    }


def read(data: bytes, *, anchors: bytes | None = None, name: str = "image") -> Credentials:
    """Read and validate a file's content credentials.

    Args:
        anchors: PEM, the roots that are trusted beside those of the library.

    Raises:
        ImageError: no picture.
        MissingExtraError: c2pa-python is not installed.
    """
    c2pa = _library()
    media_type = _media_type(data, name)
    trust = {"trust": {"user_anchors": anchors.decode()}} if anchors else {}
    try:
        with c2pa.Context.from_dict(_SETTINGS | trust) as context:
            reader = c2pa.Reader.try_create(media_type, io.BytesIO(data), context=context)
            if reader is None:
                return Credentials(trust=Trust.ABSENT)
            with reader:
                return _credentials(json.loads(reader.json()))
    except c2pa.C2paError as error:
        return Credentials(trust=Trust.INVALID, problems=(str(error),))


def _credentials(store: dict[str, Any]) -> Credentials:
    """From the library's report (https://opensource.contentauthenticity.org/docs/manifest/json-ref/reader-schema)."""
    manifest = store["manifests"][store["active_manifest"]]
    failures = store.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    problems = tuple(f"{one['code']}: {one.get('explanation', '')}".rstrip(": ") for one in failures)
    trust = {"Trusted": Trust.TRUSTED, "Valid": Trust.VALID}.get(
        store.get("validation_state", ""), Trust.INVALID
    )
    return Credentials(
        trust=trust,
        problems=problems,
        signed_by=manifest.get("signature_info", {}).get("issuer"),
        source=_source(manifest),
        generation=next(iter(_assertions(manifest, GENERATION)), None),
        ingredients=tuple(one.get("title", "") for one in manifest.get("ingredients", [])),
    )


def _assertions(manifest: dict[str, Any], label: str) -> Iterator[dict[str, Any]]:
    return (one["data"] for one in manifest.get("assertions", []) if one["label"] == label)


def _source(manifest: dict[str, Any]) -> SourceType | None:
    for data in _assertions(manifest, "c2pa.actions.v2"):
        for action in data.get("actions", []):
            try:
                return SourceType.from_uri(action["digitalSourceType"])
            except (KeyError, ValueError):
                continue
    return None


def _media_type(data: bytes, name: str) -> str:
    found = read_header(data, name=name, limits=_LIMITS).format
    if found not in _MEDIA_TYPES:
        raise ImageryError(
            f"{name}: expected one of {', '.join(_MEDIA_TYPES)} for content credentials, found {found}"
        )
    return _MEDIA_TYPES[found]


def _library() -> Any:
    try:
        import c2pa  # noqa: PLC0415  (an optional part)
    except ImportError as error:
        raise MissingExtraError("imagery", "c2pa-python") from error
    return c2pa
