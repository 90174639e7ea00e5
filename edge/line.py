"""What a box at the line is told: one TOML file, `line.toml`, with a table a station.

`read_line` gives one frozen value; it reaches no device. Relative paths are relative to the file's folder. A file under which a dead box
would let parts pass unjudged is refused.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from edge.merging import Merge
from edge.tables.cameras import AravisTable, CameraTable
from edge.tables.common import Device, Positive, Table
from edge.tables.gates import ActuatorTable
from edge.tables.recipes import RecipeSourceTable
from edge.tables.triggers import EncoderTable, FrameTable, TriggerTable
from edge.uplink_table import STATION, UplinkTable
from vision.address import Address
from vision.inspection.inspect import OnDrift
from vision.inspection.policy import Decision
from vision.toml_file import read_model

T = TypeVar("T")


def first_twice(values: Sequence[T]) -> T | None:
    """The first value that stands there again."""
    return next((one for number, one in enumerate(values) if one in values[:number]), None)


def _in_a_list(given: Any) -> Any:
    """One camera may stand without a list around it."""
    return [given] if isinstance(given, dict) else given


class TilesTable(Table):
    """Pictures are cut into so many tiles, which have `overlap` of their sides in common; the model was trained on such."""

    columns: Annotated[int, Field(ge=1, le=16)]
    rows: Annotated[int, Field(ge=1, le=16)]
    overlap: Annotated[float, Field(ge=0, le=0.5)] = 0.1


class RecipeTable(Table):
    """A product. Thresholds and region of interest are its bundle's: a certificate speaks of none but those."""

    code: Annotated[int, Field(ge=0, le=65535)]
    bundle: Path


class ChangeoverTable(Table):
    """The products of a station, and who says which one runs now."""

    source: RecipeSourceTable
    recipe: Annotated[tuple[RecipeTable, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _codes_differ(self) -> Self:
        twice = first_twice([one.code for one in self.recipe])
        if twice is not None:
            raise ValueError(f"recipe: expected codes that differ, found {twice} twice")
        return self


class StationTable(Table):
    """The cameras that look at a part, one gate, and the model, or one for each product.

    Attributes:
        name: of its folder below `data`, and of its results.
        merge: how the verdicts of several cameras or tiles become the part's.
        due_s: from the trigger to the gate; with an encoder, the longest that a part may be on its way.
        lead_s: a part that is not decided so long before it is due is a timeout.
        late_s: an output later than this misses its part: a timeout, too.
        fail_safe: what happens to a part that nobody judged in time.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    bundle: Path | None = None
    changeover: ChangeoverTable | None = None
    due_s: Positive
    lead_s: Positive = 0.01
    late_s: Positive = 0.01
    fail_safe: Literal[Decision.REJECT, Decision.REVIEW] = Decision.REJECT
    trigger: TriggerTable
    camera: Annotated[tuple[CameraTable, ...], BeforeValidator(_in_a_list), Field(min_length=1)]
    tiles: TilesTable | None = None
    merge: Merge = "any"
    actuator: ActuatorTable
    encoder: EncoderTable | None = None
    max_parts: Annotated[int, Field(ge=1, le=10_000)] = 64
    drift_alpha: Annotated[float, Field(gt=0, lt=1)] | None = None
    on_drift: OnDrift = "review_all"

    def bundles(self) -> dict[int | None, Path]:
        """Every model's bundle, by its recipe's code; `None` is the key where the line has one product."""
        if self.changeover is not None:
            return {one.code: one.bundle for one in self.changeover.recipe}
        assert self.bundle is not None  # noqa: S101  (validated below)
        return {None: self.bundle}

    def placed(self, folder: Path) -> Self:
        """Itself, with relative paths taken from `folder`."""
        changeover = self.changeover
        if changeover is not None:
            recipes = [one.model_copy(update={"bundle": folder / one.bundle}) for one in changeover.recipe]
            changeover = changeover.model_copy(
                update={"source": changeover.source.placed(folder), "recipe": tuple(recipes)}
            )
        return self.model_copy(
            update={
                "bundle": self.bundle and folder / self.bundle,
                "changeover": changeover,
                "trigger": self.trigger.placed(folder),
                "camera": tuple(one.placed(folder) for one in self.camera),
                "actuator": self.actuator.placed(folder),
            }
        )

    @model_validator(mode="after")
    def _models_are_named_once(self) -> Self:
        if (self.bundle is None) == (self.changeover is None):
            found = "neither" if self.bundle is None else "both"
            raise ValueError(f"bundle: expected either a bundle or a changeover with recipes, found {found}")
        return self

    @model_validator(mode="after")
    def _time_to_decide(self) -> Self:
        if self.lead_s >= self.due_s:
            raise ValueError(f"lead_s: expected less than due_s, {self.due_s}, found {self.lead_s}")
        return self

    @model_validator(mode="after")
    def _who_triggers(self) -> Self:
        by_frame = isinstance(self.trigger, FrameTable)
        first, *others = self.camera
        if by_frame and not first.by_itself:
            raise ValueError(
                "trigger.kind: for 'camera', expected a first camera that delivers by itself (a stream, or aravis with trigger 'hardware' "
                f"or 'free'), found {first.kind}"
            )
        if any(
            isinstance(one, AravisTable) and one.trigger == "hardware"
            for one in (others if by_frame else self.camera)
        ):
            raise ValueError(
                "camera.trigger: expected 'hardware' with the first camera and trigger.kind 'camera' alone, since each frame of a camera that a "
                f"sensor triggers is a part; found it with '{self.trigger.kind}'"
            )
        return self


class PicturesTable(Table):
    """Pictures that are kept on the box: of parts that were not accepted, and of a sample of those that were.

    Attributes:
        budget_mib: of disk, for each station; with 0 none are kept.
        keep_free_mib: of the disk, which pictures leave to others, beside the ledgers' reserves.
        accept_share: of the accepted parts, chosen at random.
    """

    budget_mib: Annotated[int, Field(ge=0)] = 1024
    keep_free_mib: Annotated[int, Field(ge=1)] = 256
    accept_share: Annotated[float, Field(ge=0, le=1)] = 0.01


def _only_this_machine(address: Address) -> Address:
    if address.socket is not None or not address.loopback:
        raise ValueError(
            f"expected a loopback address such as 127.0.0.1:8090, since the view has neither logins nor TLS; found {address}. "
            "From elsewhere, reach it through an SSH tunnel or a proxy that has both"
        )
    return address


class ViewTable(Table):
    """The operator's view."""

    listen: Annotated[Device, AfterValidator(_only_this_machine)]


class TrialTable(Table):
    """What a bundle that was installed must keep before it is confirmed; else what ran before it runs again.

    Attributes:
        parts: so many, that had their pictures.
        minutes: end the trial as well, where at least 20 parts passed.
        more_faults: the share of timeouts and faults may be so much above the old model's.
        latency_ratio: the model's median time may be so many times the old one's.
        starts: the program may be started so often within the trial after it ended badly.
    """

    parts: Annotated[int, Field(ge=1, le=100_000)] = 100
    minutes: Positive = 60.0
    more_faults: Annotated[float, Field(ge=0, lt=1)] = 0.02
    latency_ratio: Annotated[float, Field(ge=1)] = 1.5
    starts: Annotated[int, Field(ge=1, le=100)] = 2


class Line(Table):
    """The whole box.

    Attributes:
        data: where ledgers and pictures are kept, a folder a station.
        reserve_mib: of disk, allocated for each ledger in advance.
        view: for people and for Prometheus; none unless it is asked for.
        uplink: the server that parts are reported to; absent: none, and every row stays in its ledger.
        trial: of bundles that are installed while the line runs.
    """

    data: Path = Path("loupe-data")
    reserve_mib: Annotated[int, Field(ge=1, le=4096)] = 16
    pictures: PicturesTable = PicturesTable()
    view: ViewTable | None = None
    uplink: UplinkTable | None = None
    trial: TrialTable = TrialTable()
    station: Annotated[tuple[StationTable, ...], Field(min_length=1)]

    @property
    def reserves_mib(self) -> int:
        """Of all ledgers: what one of them gives up on a full disk is not for pictures to take."""
        return self.reserve_mib * len(self.station)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        twice = first_twice([one.name for one in self.station])
        if twice is not None:
            raise ValueError(f"station: expected names that differ, found '{twice}' twice")
        return self

    @model_validator(mode="after")
    def _each_station_shows_its_own_token(self) -> Self:
        token = self.uplink.token if self.uplink is not None else None
        if token is not None and len(self.station) > 1 and STATION not in str(token):
            raise ValueError(
                f"uplink.token: expected {STATION} in it, since a token speaks for one station and here are {len(self.station)}; "
                f"found '{token}'"
            )
        return self


def read_line(path: Path) -> Line:
    """Read a line's file.

    Raises:
        SettingsError: naming the file, the field, what was expected and what was found.
    """
    line = read_model(Line, path, {})
    folder = path.absolute().parent
    return line.model_copy(
        update={
            "data": folder / line.data,
            "uplink": line.uplink and line.uplink.placed(folder),
            "station": tuple(one.placed(folder) for one in line.station),
        }
    )
