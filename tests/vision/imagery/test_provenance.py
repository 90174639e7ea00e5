"""Content credentials: they hold for the bytes that were signed, by whom they were signed, and for nothing else."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.pictures import encoded, png_chunk, smooth
from tests.vision.imagery.signers import signer
from vision.errors import ImageError, ImageryError
from vision.image import decode
from vision.imagery.certificates import Signer
from vision.imagery.labels.aigc import Aigc
from vision.imagery.labels.carriers import FORMATS, encode, read_metadata
from vision.imagery.labels.policy import Labels
from vision.imagery.labels.source import SourceType
from vision.imagery.provenance import Claim, Credentials, Trust, read, sign

PICTURE = smooth(240, 200)
PHOTO = encoded(smooth(90, 80), "JPEG")
LABELS = Labels(source=SourceType.COMPOSITE_TRAINED, aigc=Aigc.of("shop", "number-1"))
CLAIM = Claim(
    title="mug.jpg",
    source=LABELS.source,
    generation={"manifest": "a" * 64, "seed": 7, "models": {"unet": "b" * 64}},
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, bytes]:
    """A signer and its root."""
    by, root = signer(tmp_path_factory.mktemp("keys"))
    return by, root.read_bytes()


def signed(image_format: str, by: Signer, *, photo: bytes = PHOTO) -> bytes:
    return sign(encode(PICTURE, image_format, LABELS), CLAIM, by, photo=photo)


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_signed_file_is_trusted_by_those_who_trust_its_root(
    image_format: str, house: tuple[Signer, bytes]
) -> None:
    found = read(signed(image_format, house[0]), anchors=house[1])
    assert found == Credentials(
        trust=Trust.TRUSTED,
        signed_by="Test House",
        source=LABELS.source,
        generation=CLAIM.generation,
        ingredients=("product photo",),
    )


@pytest.mark.parametrize("image_format", FORMATS)
def test_it_is_whole_and_by_somebody_unknown_to_everybody_else(
    image_format: str, house: tuple[Signer, bytes]
) -> None:
    found = read(signed(image_format, house[0]))
    assert found.trust is Trust.VALID
    assert [problem.split(":")[0] for problem in found.problems] == ["signingCredential.untrusted"]


def test_another_houses_root_does_not_make_it_trusted(house: tuple[Signer, bytes], tmp_path: Path) -> None:
    _, root = signer(tmp_path, organisation="Other House")
    assert read(signed("JPEG", house[0]), anchors=root.read_bytes()).trust is Trust.VALID


@pytest.mark.parametrize("image_format", FORMATS)
def test_signing_changes_neither_pixels_nor_labels(image_format: str, house: tuple[Signer, bytes]) -> None:
    before = encode(PICTURE, image_format, LABELS)
    after = signed(image_format, house[0])
    np.testing.assert_array_equal(decode(before).image_hwc, decode(after).image_hwc)
    assert read_metadata(after) == read_metadata(before)


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_signature_adds_no_thumbnail(image_format: str, house: tuple[Signer, bytes]) -> None:
    before = encode(PICTURE, image_format, LABELS)
    assert len(signed(image_format, house[0])) - len(before) < 24_000


@pytest.mark.parametrize("image_format", FORMATS)
def test_one_flipped_bit_of_the_picture_makes_it_invalid(
    image_format: str, house: tuple[Signer, bytes]
) -> None:
    data = bytearray(signed(image_format, house[0]))
    data[picture_byte(bytes(data), image_format)] ^= 1
    found = read(bytes(data), anchors=house[1])
    assert found.trust is Trust.INVALID
    assert any("assertion.dataHash.mismatch" in problem for problem in found.problems)


def picture_byte(data: bytes, image_format: str) -> int:
    """Where in a file compressed pixels lie."""
    if image_format == "TIFF":
        with Image.open(io.BytesIO(data)) as picture:
            return int(picture.tag_v2[273][0]) + 40  # type: ignore[attr-defined]  # of a TIFF: StripOffsets
    marker = {"JPEG": b"\xff\xda", "PNG": b"IDAT", "WEBP": b"VP8L"}[image_format]
    return data.rindex(marker) + 60


def with_text(data: bytes) -> bytes:
    return data[:-12] + png_chunk(b"tEXt", b"Comment\0hello") + data[-12:]


def with_comment(data: bytes) -> bytes:
    return data[:-2] + b"\xff\xfe\0\x07hello" + data[-2:]


def with_chunk(data: bytes) -> bytes:
    longer = data + b"EXIF\4\0\0\0MM\0*"
    return longer[:4] + (len(longer) - 8).to_bytes(4, "little") + longer[8:]


@pytest.mark.parametrize(
    ("image_format", "add"),
    [
        ("PNG", with_text),
        ("JPEG", with_comment),
        ("WEBP", with_chunk),
        ("TIFF", lambda data: data + b"hello"),
    ],
)
def test_metadata_added_after_signing_makes_it_invalid(
    image_format: str, add: object, house: tuple[Signer, bytes]
) -> None:
    assert callable(add)
    found = read(add(signed(image_format, house[0])), anchors=house[1])
    assert found.trust is Trust.INVALID


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_file_that_was_saved_again_has_no_credentials(
    image_format: str, house: tuple[Signer, bytes]
) -> None:
    with Image.open(io.BytesIO(signed(image_format, house[0]))) as picture:
        picture.load()
        again = encoded(Image.fromarray(np.asarray(picture)), image_format)
    assert read(again, anchors=house[1]) == Credentials(trust=Trust.ABSENT)


def test_credentials_moved_to_another_picture_are_invalid(house: tuple[Signer, bytes]) -> None:
    data = signed("PNG", house[0])
    at = data.index(b"caBX") - 4
    chunk = data[at : at + 12 + int.from_bytes(data[at : at + 4])]
    other = encoded(smooth(240, 199), "PNG", pnginfo=PngInfo())
    assert read(other[:33] + chunk + other[33:], anchors=house[1]).trust is Trust.INVALID


def test_damaged_credentials_are_invalid_and_no_crash(house: tuple[Signer, bytes]) -> None:
    data = bytearray(signed("JPEG", house[0]))
    at = data.index(b"jumb") + 600
    data[at : at + 40] = bytes(40)
    found = read(bytes(data), anchors=house[1])
    assert found.trust is Trust.INVALID
    assert found.problems


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "BMP"])
def test_a_photo_of_any_format_that_is_taken_becomes_an_ingredient(
    image_format: str, house: tuple[Signer, bytes]
) -> None:
    data = signed("JPEG", house[0], photo=encoded(smooth(90, 80), image_format))
    assert read(data, anchors=house[1]).ingredients == ("product photo",)


def test_a_photos_own_credentials_are_carried_along(house: tuple[Signer, bytes]) -> None:
    photo = signed("PNG", house[0])
    found = read(signed("JPEG", house[0], photo=photo), anchors=house[1])
    assert (found.trust, found.ingredients) == (Trust.TRUSTED, ("product photo",))


def test_a_certificate_that_signed_itself_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Nobody")])
    now = datetime.now(UTC)
    own = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    with pytest.raises(ImageryError, match=r"mug.jpg: cannot be signed: .*certificate"):
        signed("JPEG", Signer(chain=own.public_bytes(Encoding.PEM), key=key))


def test_a_key_that_is_not_the_certificates_does_not_sign(house: tuple[Signer, bytes]) -> None:
    with pytest.raises(ImageryError, match="cannot be signed"):
        signed("JPEG", Signer(chain=house[0].chain, key=ec.generate_private_key(ec.SECP256R1())))


def test_what_is_no_picture_is_refused(house: tuple[Signer, bytes]) -> None:
    with pytest.raises(ImageError, match="image: expected one of"):
        sign(b"%PDF-1.7", CLAIM, house[0], photo=PHOTO)
    with pytest.raises(ImageError, match="image: expected one of"):
        read(b"%PDF-1.7")
    with pytest.raises(ImageryError, match="for content credentials, found BMP"):
        read(encoded(PICTURE, "BMP"))
