"""Certificates of one's own to sign images with: a root to trust, and a signer under it.

The profile is that of C2PA 2.2, §14.5 (X.509 v3, ES256, `digitalSignature` alone, `emailProtection`). Nobody but those who are handed the root
trusts it: public verifiers show such an image as signed by somebody unknown. For them a certificate of a certification authority on the C2PA trust
list is needed, which is used in the same way. Signing is done offline, without a time stamp, so a signature is believed no longer than its certificate lasts.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vision.errors import SettingsError, StorageError
from vision.files import write_bytes, write_new_secret

ROOT, CHAIN, KEY = "root.pem", "signer.pem", "signer.key"
_DAYS: Final = 3650
_COORDINATE: Final = 32  # bytes of P-256


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signs images.

    Attributes:
        chain: PEM, the signer's own certificate first.
    """

    chain: bytes
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """ES256 as COSE has it (RFC 9053, §2.1): r and s, 32 bytes each."""
        r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE)


def generate(folder: Path, *, organisation: str, now: datetime | None = None) -> str:
    """Write `root.pem`, `signer.pem` (the signer's certificate and the root's) and `signer.key`, readable by its owner alone.

    The root's own key is forgotten: nothing else can ever be signed in its name.

    Args:
        now: from when the certificates are valid; a day before this moment by default, as clocks differ.

    Returns:
        The SHA-256 of the root certificate, to compare by telephone.

    Raises:
        StorageError: one of the files exists, or cannot be written.
        SettingsError: the organisation's name cannot stand in a certificate.
    """
    paths = {name: folder / name for name in (ROOT, CHAIN, KEY)}
    for path in paths.values():
        if path.exists():
            raise StorageError(f"{path}: exists already and is not overwritten")
    start = now or datetime.now(UTC) - timedelta(days=1)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = _name(organisation, "image signing root"), _name(organisation, "image signer")
    root = _root(root_name, root_key, start)
    signer = _signer(name, key, root_name, root_key, start)
    pem = root.public_bytes(Encoding.PEM)
    folder.mkdir(parents=True, exist_ok=True)
    write_new_secret(paths[KEY], key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    write_bytes(paths[CHAIN], signer.public_bytes(Encoding.PEM) + pem)
    write_bytes(paths[ROOT], pem)
    return root.fingerprint(hashes.SHA256()).hex()


def _name(organisation: str, role: str) -> x509.Name:
    if not 1 <= len(organisation.strip()) <= 64:  # X.520's upper bound
        raise SettingsError(f"organisation: expected 1 to 64 characters, found {organisation!r}")
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, role),
        ]
    )


def _root(name: x509.Name, key: ec.EllipticCurvePrivateKey, start: datetime) -> x509.Certificate:
    usage = _usage(signs_certificates=True)
    return (
        _builder(name, name, key, start)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _signer(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    root: x509.Name,
    root_key: ec.EllipticCurvePrivateKey,
    start: datetime,
) -> x509.Certificate:
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    return (
        _builder(name, root, key, start)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(root_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, start: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def read_signer(chain: Path, key: Path) -> Signer:
    """Read a signer's certificates and key.

    Raises:
        SettingsError: a file cannot be read, is not what it should be, or the key is not the certificate's.
    """
    certificates = read_certificates(chain)
    first = x509.load_pem_x509_certificates(certificates)[0]
    try:
        secret = load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"{key}: expected a private key in PEM: {error}") from error
    if not isinstance(secret, ec.EllipticCurvePrivateKey) or not isinstance(secret.curve, ec.SECP256R1):
        raise SettingsError(f"{key}: expected a P-256 private key, found {type(secret).__name__}")
    if first.public_key() != secret.public_key():
        raise SettingsError(f"{key}: expected the key of the first certificate in {chain}, found another's")
    return Signer(chain=certificates, key=secret)


def read_certificates(path: Path) -> bytes:
    """PEM certificates, one or more.

    Raises:
        SettingsError: the file holds none.
    """
    try:
        data = path.read_bytes()
        x509.load_pem_x509_certificates(data)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: expected certificates in PEM: {error}") from error
    return data
