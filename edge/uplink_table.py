"""Where a box reports its parts, as `line.toml` says it. Values only; `edge.uplink` connects."""

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from edge.tables.common import Device, Positive, Table

STATION: Final = "{station}"


class UplinkTls(Table):
    """PEM files; without `ca`, the authorities that gRPC brings prove the server."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def placed(self, folder: Path) -> Self:
        """Itself, with relative paths taken from `folder`."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return self.model_copy(update={name: path and folder / path for name, path in given.items()})

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ValueError(f"expected certificate and key together, found no {missing}")
        return self


class UplinkTable(Table):
    """A server, and how much waits for it.

    Attributes:
        token: a file that holds a token alone; `{station}` in its path stands for the station's name.
        tls: absent: plain text, and then a token stays on this machine.
        keep_rows: the newest rows of a ledger, which stay also when the server has them.
        max_rows: of a ledger; beyond that the oldest go, whether the server has them or not.
        away_alarm_s: a server that is away for so long is worth an alarm.
    """

    server: Device
    token: Path | None = None
    tls: UplinkTls | None = None
    keep_rows: Annotated[int, Field(ge=100)] = 100_000
    max_rows: Annotated[int, Field(ge=100)] = 2_000_000
    away_alarm_s: Positive = 60.0

    def placed(self, folder: Path) -> Self:
        """Itself, with relative paths taken from `folder`."""
        return self.model_copy(
            update={"token": self.token and folder / self.token, "tls": self.tls and self.tls.placed(folder)}
        )

    def token_of(self, station: str) -> Path | None:
        return self.token and Path(str(self.token).replace(STATION, station))

    @model_validator(mode="after")
    def _token_stays_secret(self) -> Self:
        if self.token is not None and self.tls is None and not self.server.loopback:
            raise ValueError(
                f"tls: expected a table, since a token must not leave this machine in plain text; found none for {self.server}"
            )
        return self

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.max_rows < self.keep_rows:
            raise ValueError(
                f"max_rows: expected at least keep_rows, {self.keep_rows}, found {self.max_rows}"
            )
        return self
