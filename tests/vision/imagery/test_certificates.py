"""Certificates of one's own: a key that nobody else reads, a root that is never overwritten, and no other key beside them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from vision.errors import SettingsError, StorageError
from vision.imagery.certificates import CHAIN, KEY, ROOT, generate, read_certificates, read_signer


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_three_files_are_written_and_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    fingerprint = generate(tmp_path / "keys", organisation="My Shop")
    assert {path.name for path in (tmp_path / "keys").iterdir()} == {ROOT, KEY, CHAIN}
    assert (tmp_path / "keys" / KEY).stat().st_mode & 0o777 == 0o600
    root = x509.load_pem_x509_certificate((tmp_path / "keys" / ROOT).read_bytes())
    assert root.fingerprint(hashes.SHA256()).hex() == fingerprint


def test_the_chain_leads_from_the_signer_to_the_root(tmp_path: Path) -> None:
    generate(tmp_path, organisation="My Shop")
    first, last = x509.load_pem_x509_certificates(read_certificates(tmp_path / CHAIN))
    first.verify_directly_issued_by(last)
    last.verify_directly_issued_by(last)
    assert last.public_bytes(Encoding.PEM) == (tmp_path / ROOT).read_bytes()
    assert not first.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_certificates_are_valid_now_and_for_ten_years(tmp_path: Path) -> None:
    generate(tmp_path, organisation="My Shop", now=datetime(2026, 1, 1, tzinfo=UTC))
    first = x509.load_pem_x509_certificates(read_certificates(tmp_path / CHAIN))[0]
    assert first.not_valid_before_utc == datetime(2026, 1, 1, tzinfo=UTC)
    assert first.not_valid_after_utc.year == 2035


def test_a_signature_is_two_numbers_of_32_bytes_by_the_certificates_key(tmp_path: Path) -> None:
    generate(tmp_path, organisation="My Shop")
    signer = read_signer(tmp_path / CHAIN, tmp_path / KEY)
    signature = signer.sign(b"message")
    assert len(signature) == 64
    both = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    public = x509.load_pem_x509_certificates(signer.chain)[0].public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(both, b"message", ec.ECDSA(hashes.SHA256()))


def test_a_signer_does_not_show_its_key(tmp_path: Path) -> None:
    generate(tmp_path, organisation="My Shop")
    assert "key" not in repr(read_signer(tmp_path / CHAIN, tmp_path / KEY))


@pytest.mark.parametrize("there", [ROOT, CHAIN, KEY])
def test_what_is_there_is_not_overwritten(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_bytes(b"precious")
    with pytest.raises(StorageError, match=f"{there}: exists already"):
        generate(tmp_path, organisation="My Shop")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_bytes() == b"precious"


@pytest.mark.parametrize("organisation", ["", "x" * 65])
def test_a_name_that_no_certificate_holds_is_refused(organisation: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="organisation: expected 1 to 64 characters"):
        generate(tmp_path / "keys", organisation=organisation)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        (b"", "expected a private key in PEM"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "expected a P-256 private key, found Ed25519PrivateKey"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "expected a P-256 private key"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "expected the key of the first certificate"),
    ],
)
def test_another_key_is_refused(key: bytes, wrong: str, tmp_path: Path) -> None:
    generate(tmp_path, organisation="My Shop")
    (tmp_path / "other.key").write_bytes(key)
    with pytest.raises(SettingsError, match=f"other.key: {wrong}"):
        read_signer(tmp_path / CHAIN, tmp_path / "other.key")


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    generate(tmp_path, organisation="My Shop")
    with pytest.raises(SettingsError, match=f"{KEY}: expected certificates in PEM"):
        read_signer(tmp_path / KEY, tmp_path / KEY)
    with pytest.raises(SettingsError, match=r"missing.pem: expected certificates in PEM"):
        read_certificates(tmp_path / "missing.pem")
