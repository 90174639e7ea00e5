"""The drivers that a station's table asks for. A driver's library is imported here, when it is asked for, and nowhere else."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, cast

from edge.actuators.gpio import GpioActuator
from edge.actuators.journal import JournalActuator
from edge.cameras.aravis import AravisCamera
from edge.cameras.folder import FolderCamera
from edge.cameras.stream import StreamCamera
from edge.line import StationTable
from edge.ports import Actuator, Camera, Devices, Encoder, RecipeSource, Trigger
from edge.recipes.operator import OperatorRecipe
from edge.tables.brokers import BrokerTable
from edge.tables.cameras import AravisTable, CameraTable, FolderTable
from edge.tables.gates import CoilTable, JournalTable, LinesTable, MqttTable, RegisterTable
from edge.tables.recipes import OperatorTable, RecipeSourceTable, RecipeTopicTable
from edge.tables.triggers import EdgeTable, FrameTable, InputTable, TimerTable
from edge.triggers.camera import FrameCamera, FrameTrigger
from edge.triggers.gpio import GpioTrigger
from edge.triggers.timer import TimerTrigger
from vision.address import Address
from vision.errors import MissingExtraError

_SETTINGS: Final = {
    "line", "exposure_us", "gain", "frame_rate_hz", "pixel_format", "region_xywh", "packet_size"
}  # fmt: skip


def devices_of(table: StationTable, folder: Path) -> Devices:
    """A station's drivers, none opened.

    Args:
        folder: the station's own, below the line's `data`.

    Raises:
        MissingExtraError: one needs a library that is not installed.
    """
    by_frame = isinstance(table.trigger, FrameTable)
    cameras = tuple(
        _camera(one, each_frame=by_frame and number == 0) for number, one in enumerate(table.camera)
    )
    return Devices(
        trigger=_trigger(table, cameras[0]),
        cameras=cameras,
        actuator=_actuator(table),
        recipe=None if table.changeover is None else _recipe(table.name, table.changeover.source, folder),
        encoder=_encoder(table),
    )


def _trigger(table: StationTable, first: Camera) -> Trigger:
    given = table.trigger
    if isinstance(given, FrameTable):
        return FrameTrigger(cast("FrameCamera", first))  # `line.toml` is refused with any other
    if isinstance(given, TimerTable):
        return TimerTrigger(given.period_s, parts=given.parts)
    if isinstance(given, EdgeTable):
        return GpioTrigger(_driver("edge.gpio").Input(**given.model_dump(exclude={"kind"})).request)
    module, link = _driver("edge.triggers.modbus"), _link(given.address, given.unit)
    trigger: Trigger = (
        module.InputTrigger(link, given.input_, edge=given.edge, stable_s=given.stable_s, poll_s=given.poll_s)
        if isinstance(given, InputTable)
        else module.CounterTrigger(
            link, given.register_, table=given.table, words=given.words, poll_s=given.poll_s
        )
    )
    return trigger


def _camera(given: CameraTable, *, each_frame: bool) -> Camera:
    if isinstance(given, FolderTable):
        return FolderCamera(given.folder, again=given.again)
    if isinstance(given, AravisTable):
        _need("gi", "PyGObject", "aravis")
        settings = given.model_dump(include=_SETTINGS, exclude_none=True)
        return AravisCamera(
            given.device,
            exposes=given.trigger,
            each_frame=each_frame,
            latency_s=given.latency_s,
            timeout_s=given.timeout_s,
            late_s=given.late_s,
            settings=settings,
        )
    _need("av", "av", "rtsp")
    return StreamCamera(
        given.source,
        latency_s=given.latency_s,
        stall_s=given.stall_s,
        again=given.again,
        each_frame=each_frame,
    )


def _need(module: str, library: str, extra: str) -> None:
    """A library that a child process imports; looked for here, so that it is said before the line starts."""
    if find_spec(module) is None:
        raise MissingExtraError(extra, library)


def _actuator(table: StationTable) -> Actuator:
    given = table.actuator
    if isinstance(given, JournalTable):
        return JournalActuator(given.path)
    if isinstance(given, MqttTable):
        return _mqtt(table.name, given)
    return _lines(given) if isinstance(given, LinesTable) else _plc(given)


def _plc(given: CoilTable | RegisterTable) -> Actuator:
    module, link = _driver("edge.actuators.modbus"), _link(given.address, given.unit)
    outputs = (
        {decision: module.Coil(link, coil) for decision, coil in given.coils.items()}
        if isinstance(given, CoilTable)
        else {
            one: module.Value(link, given.register_, value, given.rest) for one, value in given.values.items()
        }
    )
    actuator: Actuator = module.ModbusActuator(
        link, outputs, pulse_s=given.pulse_s, heartbeat=given.heartbeat
    )
    return actuator


def _recipe(station: str, given: RecipeSourceTable, folder: Path) -> RecipeSource:
    if isinstance(given, OperatorTable):
        return OperatorRecipe(folder)
    if isinstance(given, RecipeTopicTable):
        # with a dot, which no station's name has: a broker ends the older of two connections of one name
        login = _login(given, f"loupe-{station}.recipe")
        told: RecipeSource = _driver("edge.recipes.mqtt").TopicRecipe(login, given.topic)
        return told
    recipe: RecipeSource = _driver("edge.recipes.modbus").RegisterRecipe(
        _link(given.address, given.unit), given.register_, table=given.table
    )
    return recipe


def _lines(given: LinesTable) -> Actuator:
    lines = (*given.lines.values(), given.heartbeat)
    outputs = _driver("edge.gpio").Outputs(chip=given.chip, lines=lines, active_low=given.active_low)
    return GpioActuator(outputs.request, given.lines, pulse_s=given.pulse_s, heartbeat=given.heartbeat)


def _mqtt(station: str, given: MqttTable) -> Actuator:
    actuator: Actuator = _driver("edge.actuators.mqtt").MqttActuator(
        _login(given, f"loupe-{station}"),
        station=station,
        topic=given.topic,
        heartbeat=given.heartbeat or f"{given.topic}/alive",
        retain=given.retain,
    )
    return actuator


def _login(given: BrokerTable, client: str) -> Any:
    return _driver("edge.mqtt").Login(
        address=given.broker,
        client=client,
        user=given.user,
        password_file=given.password_file,
        tls=given.tls or given.ca is not None,
        ca=given.ca,
    )


def _encoder(table: StationTable) -> Encoder | None:
    given = table.encoder
    if given is None:
        return None
    encoder: Encoder = _driver("edge.encoders.modbus").RegisterEncoder(
        _link(given.address, given.unit), given.register_, table=given.table, words=given.words
    )
    return encoder


def _link(address: Address, unit: int) -> Any:
    return _driver("edge.modbus").ModbusLink(address, unit=unit)


def _driver(module: str) -> Any:
    """A module that needs a device family's library; its name ends in that of the extra."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(module.rpartition(".")[2], error.name or module) from error
