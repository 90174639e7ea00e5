"""Where a server listens or is reached: a host and port, or a Unix socket.

Takes text, gives an `Address` that knows whether others than this machine can reach it. It resolves no names: of all host names
only `localhost` counts as loopback, since what another one resolves to may change after the check.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from typing_extensions import override

from vision.errors import SettingsError

FORMS: Final = "host:port, [::1]:port or unix:PATH"
_TCP: Final = re.compile(r"(?:\[(?P<six>[^\[\]]*)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A socket's path, or else a host and port.

    Attributes:
        host: empty for every interface.
        port: 0..65535; 0 takes a free one.
    """

    host: str = ""
    port: int = 0
    socket: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `127.0.0.1:50051`, `[::1]:50051`, `localhost:0`, `:50051` (every interface) or `unix:/run/loupe.sock`.

        Raises:
            SettingsError: it is none of these.
        """
        if text.startswith("unix:"):
            path = text.removeprefix("unix:")
            if not path or "\0" in path or (path.startswith("//") and not path.startswith("///")):
                raise SettingsError(f"expected {FORMS}, found '{text}'")
            return cls(socket=Path("/" + path.lstrip("/")) if path.startswith("/") else Path(path))
        found = _TCP.fullmatch(text)
        if found is None or int(found["port"]) > 65535:
            raise SettingsError(f"expected {FORMS}, found '{text}'")
        if found["six"] is None:
            return cls(host=found["host"], port=int(found["port"]))
        try:
            ipaddress.IPv6Address(found["six"])
        except ValueError as error:
            raise SettingsError(f"expected {FORMS}, found '{text}': {error}") from error
        return cls(host=found["six"], port=int(found["port"]))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it; false for every interface and for names other than localhost."""
        if self.socket is not None or self.host.lower() == "localhost":
            return True
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return (mapped or address).is_loopback

    @override
    def __str__(self) -> str:
        """As `parse` and gRPC read it."""
        if self.socket is not None:
            return f"unix:{self.socket}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
