"""`FleetService`: boxes at the lines say how they do, and hand over the parts that they account for."""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC
from typing import Final

from google.rpc import status_pb2
from typing_extensions import override

from server.fleet import Fleet
from server.rpc import rules
from server.rpc.calls import Context, current_call
from server.rpc.rules import FieldsError, Violation
from server.rpc.status import status_of
from server.storage.stations import StationResult
from server.storage.tables import PartOutcome
from vision.v1 import fleet_pb2, fleet_pb2_grpc

_OUTCOMES: Final[Mapping[int, PartOutcome]] = {
    getattr(fleet_pb2, f"OUTCOME_{one.name}"): one for one in PartOutcome
}
_MAX_STAGE: Final = 32  # characters of a timing's name
_YEARS: Final = range(
    1970, 10_000
)  # of a trigger: what a clock may say, a box's that was never set too, and every database keeps


class FleetRpc(fleet_pb2_grpc.FleetServiceServicer):
    """Over the stations that report here."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    @override
    async def Register(
        self, request: fleet_pb2.RegisterRequest, context: Context
    ) -> fleet_pb2.RegisterResponse:
        _is(request.station, "Register")
        await self._fleet.register(
            request.station, boot=request.boot, version=request.version, bundle=request.bundle
        )
        return fleet_pb2.RegisterResponse()

    @override
    async def Heartbeat(
        self, request: fleet_pb2.HeartbeatRequest, context: Context
    ) -> fleet_pb2.HeartbeatResponse:
        _is(request.station, "Heartbeat")
        await self._fleet.beat(
            request.station,
            boot=request.boot,
            bundle=request.bundle,
            since_boot={one.value: getattr(request.outcomes, one.value) for one in PartOutcome},
            waiting=request.waiting,
            discarded=request.discarded,
        )
        return fleet_pb2.HeartbeatResponse()

    @override
    async def ReportResults(
        self, request_iterator: AsyncIterator[fleet_pb2.ReportResultsRequest], context: Context
    ) -> AsyncIterator[fleet_pb2.ReportResultsResponse]:
        async for request in request_iterator:
            rules.check(request)
            _is(request.station, "ReportResults")
            yield await self._keep(request.station, request.results)

    async def _keep(
        self, station: str, reported: Sequence[fleet_pb2.PartResult]
    ) -> fleet_pb2.ReportResultsResponse:
        read = [_read(station, number, one) for number, one in enumerate(reported)]
        kept = await self._fleet.keep(station, [one for one in read if isinstance(one, StationResult)])
        response = fleet_pb2.ReportResultsResponse()
        for number, (given, one) in enumerate(zip(reported, read, strict=True)):
            acknowledgement = response.acknowledgements.add(boot=given.boot, part=given.part)
            if isinstance(one, FieldsError):
                acknowledgement.refusal.CopyFrom(_refusal(one))
            elif one.key in kept.conflicts:
                acknowledgement.refusal.CopyFrom(_refusal(_other_content(number, one)))
        self._fleet.refused(station, sum(one.HasField("refusal") for one in response.acknowledgements))
        return response


def _is(station: str, what: str) -> None:
    """Refuse who speaks of another station."""
    current_call().principal.require_station(station, what=what)


def _read(station: str, number: int, given: fleet_pb2.PartResult) -> StationResult | FieldsError:
    """A part as it is kept, or why it cannot be; fields are named by the place of the part in its message."""
    try:
        rules.check(given)
        _check_beyond_rules(given)
    except FieldsError as error:
        placed = (Violation(f"results[{number}].{one.field}", one.description) for one in error.violations)
        return FieldsError(*placed)
    return StationResult(
        station=station,
        boot=given.boot,
        part=given.part,
        triggered_at=given.triggered_at.ToDatetime(tzinfo=UTC),
        outcome=_OUTCOMES[given.outcome],
        reason=given.reason,
        detail=given.detail,
        label=given.label or None,
        probability=given.probability if given.HasField("probability") else None,
        bundle=given.bundle,
        counter=given.counter if given.HasField("counter") else None,
        frame_id=given.frame_id if given.HasField("frame_id") else None,
        timings_ms=dict(sorted(given.timings_ms.items())),
    )


def _check_beyond_rules(given: fleet_pb2.PartResult) -> None:
    """What no rule beside a field says.

    Raises:
        FieldsError: naming the field.
    """
    at, violations = given.triggered_at, []
    try:
        year = at.ToDatetime().year
    except (ValueError, OverflowError):
        year = 0
    if year not in _YEARS:
        violations.append(
            Violation("triggered_at", f"expected a time from {_YEARS.start} on, found {at.seconds} s")
        )
    odd = [
        name
        for name, milliseconds in given.timings_ms.items()
        if not math.isfinite(milliseconds) or len(name) > _MAX_STAGE or "\0" in name
    ]
    if odd:
        violations.append(
            Violation(
                "timings_ms",
                f"expected finite numbers under names of up to {_MAX_STAGE} characters, found {odd[0][:64]!r}",
            )
        )
    if violations:
        raise FieldsError(*violations)


def _other_content(number: int, one: StationResult) -> FieldsError:
    what = (
        f"expected the content that part {one.part} of boot {one.boot} was first reported with, found another"
    )
    return FieldsError(Violation(f"results[{number}]", what))


def _refusal(error: FieldsError) -> status_pb2.Status:
    return status_of(error, request_id=current_call().log_id)
