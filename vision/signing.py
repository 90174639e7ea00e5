"""Ed25519 signatures (RFC 8032) over a bundle's manifest, and the keys for them.

Trusted keys are given by the caller, from configuration; a key that travels with a bundle is worth nothing.
"""

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import BaseModel, ConfigDict, ValidationError

from vision.errors import BundleError, SettingsError, StorageError
from vision.files import write_bytes, write_new_secret


class Signature(BaseModel):
    """`manifest.sig`: which key signed (first 16 hex digits of its SHA-256), and the signature in base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_id: str
    signature: str


def key_id(key: Ed25519PublicKey) -> str:
    """Short name of a public key."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def generate(private_path: Path, public_path: Path) -> str:
    """Write a new key pair in PEM, the private key readable by its owner alone; returns the key's id.

    Raises:
        StorageError: a file exists already, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if public_path.exists():
        raise StorageError(f"{public_path}: a key exists already and is not overwritten")
    write_new_secret(private_path, secret)
    try:
        write_bytes(public_path, public)
    except StorageError:  # half a pair is of no use, and would be in the way of the next try
        private_path.unlink()
        raise
    return key_id(key.public_key())


def read_private(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        SettingsError: the file holds no Ed25519 private key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"{path}: expected an Ed25519 private key in PEM: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path}: expected an Ed25519 private key, found {type(key).__name__}")
    return key


def read_public(path: Path) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        SettingsError: the file holds no Ed25519 public key.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"{path}: expected an Ed25519 public key in PEM: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"{path}: expected an Ed25519 public key, found {type(key).__name__}")
    return key


def sign(message: bytes, key: Ed25519PrivateKey) -> bytes:
    """The contents of `manifest.sig` for a manifest's exact bytes."""
    signature = base64.b64encode(key.sign(message)).decode()
    return Signature(key_id=key_id(key.public_key()), signature=signature).model_dump_json().encode()


def verify(message: bytes, signed: bytes, trusted: Iterable[Ed25519PublicKey]) -> str:
    """The id of the trusted key that signed `message`.

    Raises:
        BundleError: none of them did.
    """
    try:
        signature = Signature.model_validate_json(signed)
        raw = base64.b64decode(signature.signature, validate=True)
    except (ValidationError, ValueError) as error:
        raise BundleError(f"manifest.sig: expected a signature: {error}") from error
    keys = {key_id(key): key for key in trusted}
    key = keys.get(signature.key_id)
    if key is None:
        raise BundleError(
            f"manifest.sig: expected a signature by {', '.join(sorted(keys))}, found one by {signature.key_id}"
        )
    try:
        key.verify(raw, message)
    except InvalidSignature:
        raise BundleError(
            f"manifest.sig: the signature by {signature.key_id} does not fit manifest.json"
        ) from None
    return signature.key_id
