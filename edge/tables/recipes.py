"""Who says which product runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from typing_extensions import override

from edge.tables.common import Device, DeviceTable, Line, Positive, Register, Table, Topic, Unit



class RecipeRegisterTable(DeviceTable):
    """A PLC's register that holds the code of the product that runs now."""

    kind: Literal["modbus"]
    address: Device
    register_: Annotated[Register, Field(alias="register")]
    table: Literal["holding", "input"] = "holding"
    unit: Unit = 1


class OperatorTable(DeviceTable):
    """The code that `loupe edge recipe` last set."""

    kind: Literal["operator"]


RecipeSourceTable = Annotated[RecipeRegisterTable | OperatorTable, Field(discriminator="kind")]
