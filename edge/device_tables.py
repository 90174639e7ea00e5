"""The devices of a station as `line.toml` describes them: a table a kind of trigger, camera and actuator.

Values only; `edge.drivers` makes the drivers. Relative paths are as written until `placed` says which folder they are relative to.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from typing_extensions import override

from vision.address import Address
from vision.inspection.policy import Decision
from vision.toml_file import as_address

Device = Annotated[Address, BeforeValidator(as_address)]
Positive = Annotated[float, Field(gt=0)]
Register = Annotated[int, Field(ge=0, le=65535)]
Unit = Annotated[int, Field(ge=0, le=255)]
Pixel = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=1)]


class Table(BaseModel):
    """A table whose every key is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


class DeviceTable(Table):
    def placed(self, folder: Path) -> Self:  # noqa: ARG002  (most kinds name no file)
        """Itself, with relative paths taken from `folder`."""
        return self


class TimerTable(DeviceTable):
    """Parts at an even pace."""

    kind: Literal["timer"]
    period_s: Positive
    parts: Annotated[int, Field(ge=1)] | None = None


class CounterTable(DeviceTable):
    """A PLC's register that goes up by one a part.

    Attributes:
        words: 16-bit registers that make up the counter, the high one first.
        poll_s: between readings; a part is seen so much late at most.
    """

    kind: Literal["modbus"]
    address: Device
    register_: Annotated[Register, Field(alias="register")]
    table: Literal["holding", "input"] = "holding"
    words: Annotated[int, Field(ge=1, le=2)] = 1
    unit: Unit = 1
    poll_s: Positive = 0.005


class FrameTable(DeviceTable):
    """Every frame of the station's first camera is a part: one that a sensor triggers, or a stream."""

    kind: Literal["camera"]


class FolderTable(DeviceTable):
    """Pictures from a folder, in the order of their names; `again` from the beginning when all were shown."""

    kind: Literal["folder"]
    folder: Path
    again: bool = False

    by_itself: ClassVar[bool] = False  # does it deliver without being asked?

    @override
    def placed(self, folder: Path) -> Self:
        return self.model_copy(update={"folder": folder / self.folder})


class StreamTable(DeviceTable):
    """A camera that streams: `rtsp://…`, `/dev/videoN`, or a video file shown at its own pace.

    Attributes:
        latency_s: from exposure to arrival; the first frame that arrives so long after the trigger is the part's.
        stall_s: without a frame for so long, the stream is opened anew.
        again: show a file from the beginning when it ends.
    """

    kind: Literal["stream"]
    source: Annotated[str, Field(min_length=1, repr=False)]
    latency_s: Annotated[float, Field(ge=0)] = 0.0
    stall_s: Positive = 2.0
    again: bool = False
    by_itself: ClassVar[bool] = True

    @override
    def placed(self, folder: Path) -> Self:
        return self if "://" in self.source else self.model_copy(update={"source": str(folder / self.source)})


class AravisTable(DeviceTable):
    """A GigE Vision or USB3 Vision camera; what is absent stays as it is set in the camera.

    Attributes:
        device: its IP address, or the id that `arv-tool-0.8` lists.
        trigger: `software`: the station has it expose; `hardware`: a sensor on `line` does; `free`: at its own pace.
        region_xywh: of the sensor, in pixels.
        packet_size: in bytes, with a GigE camera; absent: as large as the network lets through.
        latency_s: from exposure to arrival, where the camera exposes by itself.
        timeout_s: without a frame for so long after its trigger, the part has none.
        late_s: a part that was seen longer ago than this is elsewhere, and not photographed any more.
    """

    kind: Literal["aravis"]
    device: Annotated[str, Field(min_length=1)]
    trigger: Literal["software", "hardware", "free"] = "software"
    line: Annotated[str, Field(min_length=1)] = "Line0"
    exposure_us: Positive | None = None
    gain: Annotated[float, Field(ge=0)] | None = None
    frame_rate_hz: Positive | None = None
    pixel_format: Annotated[str, Field(min_length=1)] | None = None
    region_xywh: tuple[Pixel, Pixel, Side, Side] | None = None
    packet_size: Annotated[int, Field(ge=576, le=16000)] | None = None
    latency_s: Annotated[float, Field(ge=0)] = 0.0
    timeout_s: Positive = 0.25
    late_s: Positive = 0.05

    @property
    def by_itself(self) -> bool:
        return self.trigger != "software"


class JournalTable(DeviceTable):
    """Outputs into a file."""

    kind: Literal["journal"]
    path: Path

    @override
    def placed(self, folder: Path) -> Self:
        return self.model_copy(update={"path": folder / self.path})


class CoilTable(DeviceTable):
    """A gate on a PLC's coils; a decision without a coil is the gate at rest.

    Attributes:
        heartbeat: a register that goes up while the station lives.
    """

    kind: Literal["modbus"]
    address: Device
    coils: Annotated[Mapping[Decision, Register], Field(min_length=1)]
    pulse_s: Positive = 0.05
    heartbeat: Register | None = None
    unit: Unit = 1


TriggerTable = Annotated[TimerTable | CounterTable | FrameTable, Field(discriminator="kind")]
CameraTable = Annotated[FolderTable | StreamTable | AravisTable, Field(discriminator="kind")]
ActuatorTable = Annotated[JournalTable | CoilTable, Field(discriminator="kind")]


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
