"""A broker, and what it takes to be let in."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from typing_extensions import override

from edge.tables.common import Device, DeviceTable


class BrokerTable(DeviceTable):
    """Who is at the other end of a connection by MQTT.

    Attributes:
        password_file: its first line.
        ca: whom the broker's certificate must be signed by, as PEM; implies `tls`.
    """

    broker: Device
    user: Annotated[str, Field(min_length=1)] | None = None
    password_file: Path | None = None
    tls: bool = False
    ca: Path | None = None

    @override
    def placed(self, folder: Path) -> Self:
        return self.model_copy(
            update={
                "password_file": None if self.password_file is None else folder / self.password_file,
                "ca": None if self.ca is None else folder / self.ca,
            }
        )

    @model_validator(mode="after")
    def _whose_password(self) -> Self:
        if self.password_file is not None and self.user is None:
            raise ValueError("user: expected whose password password_file holds, found none")
        return self
