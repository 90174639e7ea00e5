"""Who says which product runs."""

from typing import Annotated, Literal

from pydantic import Field

from edge.tables.brokers import BrokerTable
from edge.tables.common import Device, DeviceTable, Register, Topic, Unit


class RecipeRegisterTable(DeviceTable):
    """A PLC's register that holds the code of the product that runs now."""

    kind: Literal["modbus"]
    address: Device
    register_: Annotated[Register, Field(alias="register")]
    table: Literal["holding", "input"] = "holding"
    unit: Unit = 1


class RecipeTopicTable(BrokerTable):
    """A broker's topic whose retained message is the code of the product that runs now."""

    kind: Literal["mqtt"]
    topic: Topic


class OperatorTable(DeviceTable):
    """The code that `loupe edge recipe` last set."""

    kind: Literal["operator"]


RecipeSourceTable = Annotated[
    RecipeRegisterTable | RecipeTopicTable | OperatorTable, Field(discriminator="kind")
]
