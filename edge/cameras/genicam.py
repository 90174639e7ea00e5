"""A GigE Vision or USB3 Vision camera, opened and configured. The one file that knows Aravis (extra `aravis`, Debian's gir1.2-aravis-0.8).

Takes what is wanted of the camera, gives buffers as they come. It is used by one process for one camera, so that no camera waits for
another; no call waits without a limit, and the library is never shut down as a whole.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from edge.cameras.pixels import PIXEL_FORMATS
from vision.errors import DeviceError, MissingExtraError

_BUFFERS: Final = 8
_CONTROL_REGISTER: Final = 0x0A00  # GigE Vision's control channel privilege
_CONTROLS: Final = 0b11
_COUNTS: Final = {
    "completed": "n_completed_buffers",
    "failures": "n_failures",
    "underruns": "n_underruns",
    "resent": "n_resent_packets",
    "missing": "n_missing_packets",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the camera is to be set to; absent: what it is set to already.

    Attributes:
        device: an IP address, or the id that `arv-tool-0.8` lists.
        trigger: `software`, `hardware` (on `line`) or `free`.
        region_xywh: of the sensor, in pixels.
        packet_size: of a GigE camera, in bytes; absent: as the network allows.
        retention_s: an incomplete frame is given up after so long.
    """

    device: str
    trigger: str
    line: str = "Line0"
    exposure_us: float | None = None
    gain: float | None = None
    frame_rate_hz: float | None = None
    pixel_format: str | None = None
    region_xywh: tuple[int, int, int, int] | None = None
    packet_size: int | None = None
    retention_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grabbed:
    """A buffer as it came; `why` says what is wrong with it.

    Attributes:
        block_id: the camera's own count; none where its first packet was lost.
    """

    data: bytes
    block_id: int | None
    device_ns: int
    why: str = ""


def library(version: str = "0.8") -> Any:
    """Aravis.

    Raises:
        MissingExtraError: PyGObject is not installed.
        DeviceError: Aravis is not.
    """
    try:
        import_module("gi").require_version("Aravis", version)
    except ImportError as error:
        raise MissingExtraError("aravis", "PyGObject") from error
    except ValueError as error:
        raise DeviceError(
            f"expected Debian's package gir1.2-aravis-{version}, found no Aravis {version}"
        ) from error
    return import_module("gi.repository.Aravis")


class GenicamCamera:
    """A camera that exposes as wanted, from now until `close`.

    Raises:
        DeviceError: it cannot be reached, another program holds it, or it cannot be set as wanted; the message names the field.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._aravis = library()
        self.lost = ""
        with _said("device"):
            self._camera = self._aravis.Camera.new(wanted.device)
        self._device = self._camera.get_device()
        self._gige = self._camera.is_gv_device()
        if self._gige and not self._device.is_controller():
            raise DeviceError(
                "another program holds the camera; it is let go a few seconds after that program ended"
            )
        try:
            self._set(wanted)
            self._start(wanted)
        except BaseException:
            self.close()
            raise

    def pop(self, patience_s: float) -> Grabbed | None:
        """The next frame, or none in time; none may be said earlier, too.

        Raises:
            DeviceError: the camera is lost.
        """
        if self.lost:
            raise DeviceError(self.lost)
        buffer = (
            self._stream.timeout_pop_buffer(int(1e6 * patience_s))
            if patience_s
            else self._stream.try_pop_buffer()
        )
        if buffer is None:
            return None
        try:
            cleared = (
                buffer.get_status() == self._aravis.BufferStatus.CLEARED
            )  # it holds no frame of the camera's
            return None if cleared else self._grabbed(buffer)
        finally:
            self._stream.push_buffer(buffer)

    def trigger(self) -> None:
        """Have it expose once; raises DeviceError when it does not take the command."""
        with self._ours(), _said("software trigger"):
            self._camera.software_trigger()

    def restart(self, quiet_s: float) -> None:
        """Stop exposing, wait for what is still on its way, and start again: nothing older comes after this.

        Raises:
            DeviceError: the camera is lost.
        """
        with _said("acquisition"):
            self._camera.stop_acquisition()
        while self.pop(quiet_s) is not None:
            pass
        with _said("acquisition"):
            self._camera.start_acquisition()

    def look(self) -> None:
        """See that the camera is there and ours.

        Raises:
            DeviceError: it is not.
        """
        if self.lost:
            raise DeviceError(self.lost)
        if self._gige:
            with self._ours(), _said("control"):
                if not self._device.read_register(_CONTROL_REGISTER) & _CONTROLS:
                    raise DeviceError(
                        "control was lost: the camera was restarted, or did not hear of us for too long"
                    )

    def counts(self) -> dict[str, int]:
        """Buffers and packets since it was opened; what the transport does not count is left out."""
        return {
            name: self._stream.get_info_uint64_by_name(info)
            for name, info in _COUNTS.items()
            if info in self._infos
        }

    def close(self) -> None:
        """Stop it and let go of it, so that another program may have it at once; a camera that is lost is not asked again."""
        if self.lost:
            return
        with contextlib.suppress(RuntimeError):
            self._camera.stop_acquisition()
        if self._gige:
            with contextlib.suppress(RuntimeError):
                self._device.leave_control()

    def _set(self, wanted: Wanted) -> None:
        camera, auto = self._camera, self._aravis.Auto
        if wanted.region_xywh is not None:
            with _said("region_xywh"):
                camera.set_region(*wanted.region_xywh)
        self._set_format(wanted.pixel_format)
        if wanted.exposure_us is not None:
            with _said("exposure_us"):
                _within("exposure_us", wanted.exposure_us, camera.get_exposure_time_bounds())
                if camera.is_exposure_auto_available():
                    camera.set_exposure_time_auto(auto.OFF)
                camera.set_exposure_time(wanted.exposure_us)
        if wanted.gain is not None:
            with _said("gain"):
                _within("gain", wanted.gain, camera.get_gain_bounds())
                if camera.is_gain_auto_available():
                    camera.set_gain_auto(auto.OFF)
                camera.set_gain(wanted.gain)
        if wanted.frame_rate_hz is not None:  # before the trigger, which Aravis switches off here
            with _said("frame_rate_hz"):
                _within("frame_rate_hz", wanted.frame_rate_hz, camera.get_frame_rate_bounds())
                camera.set_frame_rate(wanted.frame_rate_hz)
        with _said("trigger"):
            camera.set_acquisition_mode(self._aravis.AcquisitionMode.CONTINUOUS)
            if wanted.trigger == "free":
                camera.clear_triggers()
            else:
                camera.set_trigger("Software" if wanted.trigger == "software" else wanted.line)

    def _set_format(self, pixel_format: str | None) -> None:
        with _said("pixel_format"):
            if pixel_format is not None:
                self._camera.set_pixel_format_from_string(pixel_format)
            self.pixel_format: str = self._camera.get_pixel_format_as_string()
        if self.pixel_format not in PIXEL_FORMATS:
            raise DeviceError(
                f"pixel_format: expected one of {', '.join(PIXEL_FORMATS)}, found {self.pixel_format}"
            )

    def _start(self, wanted: Wanted) -> None:
        camera = self._camera
        if self._gige and wanted.packet_size is not None:
            with _said("packet_size"):
                camera.gv_set_packet_size_adjustment(self._aravis.GvPacketSizeAdjustment.NEVER)
                camera.gv_set_packet_size(wanted.packet_size)
        with _said("stream"):
            self._stream = camera.create_stream(None, None)
            payload = camera.get_payload()
        if self._gige:
            self._stream.set_property("packet-resend", self._aravis.GvStreamPacketResend.ALWAYS)
            self._stream.set_property("frame-retention", int(1e6 * wanted.retention_s))
        self._infos = {self._stream.get_info_name(number) for number in range(self._stream.get_n_infos())}
        region = camera.get_region()
        self.size_wh: tuple[int, int] = (region.width, region.height)
        for _ in range(_BUFFERS):
            self._stream.push_buffer(self._aravis.Buffer.new_allocate(payload))
        self._device.connect("control-lost", self._on_lost)
        with _said("acquisition"):
            camera.start_acquisition()

    def _on_lost(self, _device: object) -> None:  # in the library's heartbeat thread
        self.lost = "control was lost: the camera is gone, or another program took it"

    @contextlib.contextmanager
    def _ours(self) -> Iterator[None]:
        """A camera that does not answer here is lost."""
        try:
            yield
        except DeviceError as error:
            self.lost = str(error)
            raise

    def _grabbed(self, buffer: Any) -> Grabbed:
        status = buffer.get_status()
        whole = status == self._aravis.BufferStatus.SUCCESS
        block_id = buffer.get_frame_id()
        return Grabbed(
            data=buffer.get_image_data() if whole else b"",
            block_id=block_id if whole or block_id else None,
            device_ns=buffer.get_timestamp() if whole else 0,
            why="" if whole else f"the picture is not whole ({status.value_nick.replace('-', ' ')})",
        )


def _within(field: str, value: float, bounds: Any) -> None:
    if not bounds.min <= value <= bounds.max:
        raise DeviceError(f"{field}: expected {bounds.min:g} to {bounds.max:g}, found {value:g}")


@contextlib.contextmanager
def _said(what: str) -> Iterator[None]:
    """Aravis' errors as ours."""
    try:
        yield
    except RuntimeError as error:  # GLib's errors are RuntimeErrors
        raise DeviceError(f"{what}: {getattr(error, 'message', error)}") from error
