"""Which models a line has, by the name that their bundles carry, and where each one judges. Reads manifests; loads nothing."""

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from edge.line import Line, StationTable
from vision.bundle import Manifest, describe
from vision.errors import NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A place where a model judges: a station, or one product of it.

    Attributes:
        code: the recipe's; none where the station has one product.
        bundle: the configured one.
    """

    station: StationTable
    code: int | None
    bundle: Path

    @override
    def __str__(self) -> str:
        return self.station.name if self.code is None else f"{self.station.name} recipe {self.code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """All seats of one name.

    Attributes:
        manifest: of the configured bundle, or of the first of them.
        digest: of the configured bundle; none where bundles that differ carry the name, which then has no slots.
    """

    manifest: Manifest
    digest: str | None
    seats: tuple[Seat, ...]


def named(line: Line) -> dict[str, Named]:
    """A line's models by name, in the order of the file.

    Raises:
        BundleError: a configured bundle is not there, or its manifest is not understood.
    """
    seats = [
        Seat(station=one, code=code, bundle=path)
        for one in line.station
        for code, path in one.bundles().items()
    ]
    described = {path: describe(path) for path in {seat.bundle for seat in seats}}
    found: dict[str, Named] = {}
    for seat in seats:
        manifest, digest = described[seat.bundle]
        known = found.get(manifest.name)
        found[manifest.name] = Named(
            manifest=known.manifest if known else manifest,
            digest=digest if known is None or known.digest == digest else None,
            seats=(*(known.seats if known else ()), seat),
        )
    return found


def only(models: dict[str, Named], name: str) -> tuple[Named, str]:
    """The seats of a name, and the one configured bundle's digest.

    Raises:
        NotFoundError: no station has a model of that name, or the configured bundles of that name differ.
    """
    found = models.get(name)
    if found is None:
        raise NotFoundError(
            f"name: expected that of a model of this line, {', '.join(models)}, found '{name}'"
        )
    if found.digest is None:
        where = ", ".join(f"{one}: {one.bundle}" for one in found.seats)
        raise NotFoundError(
            f"{name}: expected one configured bundle of that name, found several that differ ({where})"
        )
    return found, found.digest
