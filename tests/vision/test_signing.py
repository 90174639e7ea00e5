"""A signature stands for the exact bytes and for one key; a key pair appears whole or not at all."""

import base64
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from vision.errors import BundleError, SettingsError, StorageError
from vision.signing import Signature, generate, key_id, read_private, read_public, sign, verify

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(32))
PEM: Final = (Encoding.PEM, PrivateFormat.PKCS8)


@given(st.binary(max_size=200))
def test_what_was_signed_is_verified(message: bytes) -> None:
    keys = [OTHER_KEY.public_key(), KEY.public_key()]
    assert verify(message, sign(message, KEY), keys) == key_id(KEY.public_key())


@given(st.binary(min_size=1, max_size=50), st.data())
def test_one_other_bit_and_the_signature_does_not_fit(message: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, 8 * len(message) - 1))
    other = (int.from_bytes(message) ^ 1 << bit).to_bytes(len(message))
    with pytest.raises(BundleError, match="does not fit"):
        verify(other, sign(message, KEY), [KEY.public_key()])


def test_the_signature_is_that_of_rfc_8032() -> None:
    # section 7.1, test 2
    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    expected = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    signed = Signature.model_validate_json(sign(b"\x72", Ed25519PrivateKey.from_private_bytes(secret)))
    assert base64.b64decode(signed.signature).hex() == expected


def test_a_signature_by_a_key_that_is_not_trusted_is_refused() -> None:
    with pytest.raises(BundleError, match=f"found one by {key_id(OTHER_KEY.public_key())}"):
        verify(b"message", sign(b"message", OTHER_KEY), [KEY.public_key()])


def test_a_signature_in_the_name_of_a_trusted_key_is_refused() -> None:
    forged = Signature.model_validate_json(sign(b"message", OTHER_KEY))
    forged = forged.model_copy(update={"key_id": key_id(KEY.public_key())})
    with pytest.raises(BundleError, match="does not fit"):
        verify(b"message", forged.model_dump_json().encode(), [KEY.public_key()])


@pytest.mark.parametrize(
    "signed",
    [
        b"",
        b"\xff",
        b"{}",
        b'{"key_id": "0", "signature": "AAAA", "note": ""}',
        b'{"key_id": "0", "signature": "no base64!"}',
        b'{"key_id": "0", "signature": "\xc3\xa4"}',
    ],
)
def test_something_that_is_no_signature_is_refused(signed: bytes) -> None:
    with pytest.raises(BundleError, match=r"manifest\.sig: expected a signature"):
        verify(b"message", signed, [KEY.public_key()])


@pytest.mark.parametrize("signature", ["", "AAAA", base64.b64encode(bytes(63)).decode()])
def test_a_signature_of_the_wrong_length_does_not_fit(signature: str) -> None:
    signed = Signature(key_id=key_id(KEY.public_key()), signature=signature).model_dump_json().encode()
    with pytest.raises(BundleError, match="does not fit"):
        verify(b"message", signed, [KEY.public_key()])


def test_a_new_pair_signs_and_verifies_and_only_its_owner_reads_the_secret(tmp_path: Path) -> None:
    made = generate(tmp_path / "line.key", tmp_path / "line.pub")
    signed = sign(b"message", read_private(tmp_path / "line.key"))
    assert verify(b"message", signed, [read_public(tmp_path / "line.pub")]) == made
    assert (tmp_path / "line.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("there", ["line.key", "line.pub"])
def test_a_key_that_is_there_is_never_overwritten(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_bytes(b"precious")
    with pytest.raises(StorageError, match=f"{there}: a key exists already"):
        generate(tmp_path / "line.key", tmp_path / "line.pub")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_bytes() == b"precious"


def test_half_a_pair_is_not_left_behind(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        generate(tmp_path / "line.key", tmp_path / "file" / "line.pub")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(StorageError, match="cannot be written"):
        generate(tmp_path / "nowhere" / "line.key", tmp_path / "line.pub")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"no key",
        KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        KEY.private_bytes(*PEM, BestAvailableEncryption(b"password")),
        generate_private_key(SECP256R1()).private_bytes(*PEM, NoEncryption()),
    ],
    ids=["empty", "text", "public", "encrypted", "another kind"],
)
def test_only_a_plain_ed25519_private_key_is_read_as_one(pem: bytes, tmp_path: Path) -> None:
    (tmp_path / "line.key").write_bytes(pem)
    with pytest.raises(SettingsError, match=r"line\.key: expected an Ed25519 private key"):
        read_private(tmp_path / "line.key")


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"no key",
        KEY.private_bytes(*PEM, NoEncryption()),
        generate_private_key(SECP256R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ],
    ids=["empty", "text", "private", "another kind"],
)
def test_only_an_ed25519_public_key_is_read_as_one(pem: bytes, tmp_path: Path) -> None:
    (tmp_path / "line.pub").write_bytes(pem)
    with pytest.raises(SettingsError, match=r"line\.pub: expected an Ed25519 public key"):
        read_public(tmp_path / "line.pub")


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"line\.key: expected"):
        read_private(tmp_path / "line.key")
    with pytest.raises(SettingsError, match=r"line\.pub: expected"):
        read_public(tmp_path / "line.pub")
