"""What photographs a part."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field
from typing_extensions import override

from edge.tables.common import DeviceTable, Positive

Pixel = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=1)]


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


CameraTable = Annotated[FolderTable | StreamTable | AravisTable, Field(discriminator="kind")]
