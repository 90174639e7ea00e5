"""What tables of devices have in common. Relative paths are as written until `placed` says which folder they are relative to."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from vision.address import Address
from vision.toml_file import as_address

Device = Annotated[Address, BeforeValidator(as_address)]
Positive = Annotated[float, Field(gt=0)]
Register = Annotated[int, Field(ge=0, le=65535)]
Unit = Annotated[int, Field(ge=0, le=255)]
Line = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
Topic = Annotated[str, Field(pattern=r"^[^+#\x00]+$", max_length=512)]  # one, and no pattern of many


class Table(BaseModel):
    """A table whose every key is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


class DeviceTable(Table):
    def placed(self, folder: Path) -> Self:  # noqa: ARG002  (most kinds name no file)
        """Itself, with relative paths taken from `folder`."""
        return self
