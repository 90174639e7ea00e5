"""Where a server is, how it is reached, and what is shown to it.

Takes an address, TLS files and a token, gives channels and the metadata of calls. A token goes over TLS, or stays on this machine:
anything else is refused before a connection is opened. It makes no calls.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from vision.address import FORMS, Address
from vision.client.status import Failure
from vision.errors import LoupeError, SettingsError, WireError

MAX_MESSAGE_BYTES: Final = 17 * 1024 * 1024  # the largest picture, 16 MiB, and room for all beside it
_OPTIONS: Final = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A server that vanished without a word is noticed even where no deadline does so. More often than every five minutes a server
    # takes for abuse, unless it is told otherwise, and hangs up (https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md).
    ("grpc.keepalive_time_ms", 310_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A server that was started again is found within two seconds; gRPC alone would leave it up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
_NO_PROXY: Final = ("grpc.enable_http_proxy", 0)  # what is meant for this machine must not leave it
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1; and nothing that could end a header

Said = TypeVar("Said")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files.

    Attributes:
        ca: whose certificates prove the server; those that gRPC brings where absent.
        certificate, key: what this client shows, where the server asks for it.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files.

        Raises:
            SettingsError: one cannot be read, holds something else, or certificate and key do not come together.
        """
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise SettingsError(f"TLS: expected certificate and key together, found no {missing}")
        return grpc.ssl_channel_credentials(
            root_certificates=_pem(self.ca, "certificates", x509.load_pem_x509_certificates),
            private_key=_pem(self.key, "a private key", lambda pem: load_pem_private_key(pem, password=None)),
            certificate_chain=_pem(self.certificate, "certificates", x509.load_pem_x509_certificates),
        )


def _pem(path: Path | None, expected: str, check: Callable[[bytes], Any]) -> bytes | None:
    """A file's bytes. gRPC itself would take anything, and then say no more than that it cannot connect."""
    if path is None:
        return None
    try:
        pem = path.read_bytes()
        check(pem)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:  # TypeError: the key asks for a password
        raise SettingsError(f"{path}: expected {expected} in PEM, without a password: {error}") from error
    return pem


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a server is reached.

    Attributes:
        address: `host:port`, `[::1]:port` or `unix:PATH`.
        tls: absent for plain text.
        token: who calls; shown in no message and no `repr`.

    Raises:
        SettingsError: the address is none, the token cannot be sent, or it would leave this machine in plain text.
    """

    address: str
    tls: Tls | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        loopback = self.loopback  # the address is read in any case
        if self.token is None:
            return
        if not _TOKEN.fullmatch(self.token):
            raise SettingsError(
                "token: expected letters, digits and any of . _ ~ + / - =, found something else"
            )
        if self.tls is None and not loopback:
            raise SettingsError(
                f"{self.address}: expected TLS, since a token must not leave this machine in plain text; found none"
            )

    @property
    def loopback(self) -> bool:
        """Whether the address lies on this machine, as `vision.address` sees it."""
        return _reachable(self.address).loopback

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)

    @property
    def _options(self) -> tuple[tuple[str, int], ...]:
        return (*_OPTIONS, _NO_PROXY) if self.loopback else _OPTIONS

    def open(self) -> grpc.Channel:
        """A channel for blocking calls; it connects when first used."""
        if self.tls is None:
            return grpc.insecure_channel(self.address, options=self._options)
        return grpc.secure_channel(self.address, self.tls.credentials(), options=self._options)

    def open_async(self) -> grpc.aio.Channel:
        """A channel for asynchronous calls; it connects when first used."""
        if self.tls is None:
            return grpc.aio.insecure_channel(self.address, options=self._options)
        return grpc.aio.secure_channel(self.address, self.tls.credentials(), options=self._options)

    def understood(self, read: Callable[[Any], Said], message: Any) -> Said:
        """What a message says.

        Raises:
            WireError: as `read`, beginning with the address.
        """
        try:
            return read(message)
        except WireError as error:
            raise WireError(f"{self.address}: {error}") from error

    def error(self, failure: Failure, *, attempts: int = 1) -> LoupeError:
        """The error to raise for a failure; a token that a server repeats is not repeated here."""
        if self.token is not None:
            failure = replace(failure, message=failure.message.replace(self.token, "[token]"))
        return failure.error(self.address, attempts=attempts)


def _reachable(text: str) -> Address:
    """An address that can be called: every interface and any free port are for servers."""
    address = Address.parse(text)
    if address.socket is None and not (address.host and address.port):
        raise SettingsError(f"expected {FORMS}, found '{text}'")
    return address
