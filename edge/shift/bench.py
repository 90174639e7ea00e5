"""The models for a replay: those that judged in the shift, from the copies in it, or a candidate in the place of one.

Each is opened when its first part comes, with a fresh drift test, and looks at pictures as the station did.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.judging import Looking, judge_with
from edge.parts import Judge
from edge.shift.format import BUNDLES, Header, JudgedLine, Model
from edge.shift.reader import Shift
from edge.tiles import Tiles
from vision.archive import SUFFIX
from vision.errors import NotFoundError, SettingsError
from vision.inspection.inspect import Inspector, open_inspector
from vision.qualify import Choice
from vision.settings import Settings

Bench = Callable[[JudgedLine], Judge | None]
"""The model that judges a part again; none where it is not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A bundle in the place of a recipe's, which needs to be named only where there are several."""

    bundle: Path
    recipe: int | None = None


def recorded(shift: Shift, settings: Settings) -> Bench:
    """The models that judged.

    The bench raises:
        NotFoundError: the shift lacks a bundle that judged in it.
        BundleError: one cannot be used here.
    """
    judges: dict[tuple[int | None, str], Judge] = {}
    last: dict[int | None, str] = {}  # an error tells no bundle: it came of the one that judged before it

    def bench(line: JudgedLine) -> Judge:
        digest = line.bundle or last.get(line.recipe) or _first(shift.header, line.recipe).bundle
        last[line.recipe] = digest
        key = (line.recipe, digest)
        if key not in judges:
            inspector = _open(bundle_in(shift, digest), shift.header, settings, _choice(shift.header, digest))
            judges[key] = judge_with(inspector, _looking(shift.header))
        return judges[key]

    return bench


def standing_in(shift: Shift, settings: Settings, candidate: Candidate) -> Bench:
    """A candidate for one recipe; parts of others are not asked for.

    Raises:
        BundleError: it cannot be used here.
        SettingsError: the recipe is not named where there are several, or is none of the shift's.
    """
    recipe = _recipe(shift.header, candidate)
    judge = judge_with(_open(candidate.bundle, shift.header, settings, None), _looking(shift.header))
    return lambda line: judge if line.recipe == recipe else None


def bundle_in(shift: Shift, digest: str) -> Path:
    """Where the shift keeps a bundle.

    Raises:
        NotFoundError: it does not.
    """
    folder = shift.folder.parent / BUNDLES
    for path in (folder / (digest + SUFFIX), folder / digest):
        if path.exists():
            return path
    raise NotFoundError(f"{folder}: expected the bundle {digest}, which judged in this shift, found none")


def _open(path: Path, header: Header, settings: Settings, choice: Choice | None) -> Inspector:
    keys, required = settings.trust()
    return open_inspector(
        path,
        trusted=keys,
        require_signature=required,
        choice=choice,
        drift_alpha=header.drift_alpha,
        on_drift=header.on_drift,
    )


def _choice(header: Header, digest: str) -> Choice | None:
    """The file and threads that judged; this machine's own where the bundle came during the shift."""
    for model in header.models:
        if model.bundle == digest:
            return Choice(file=model.file, threads=model.threads)
    return None


def _first(header: Header, recipe: int | None) -> Model:
    for model in header.models:
        if model.recipe == recipe:
            return model
    raise NotFoundError(f"{header.station}: expected a model for recipe {recipe}, found none")


def _looking(header: Header) -> Looking:
    tiles = None if header.tiles is None else Tiles(**header.tiles.model_dump())
    return Looking(tiles=tiles, merge=header.merge)


def _recipe(header: Header, candidate: Candidate) -> int | None:
    codes = [model.recipe for model in header.models]
    if candidate.recipe is None and len(codes) == 1:
        return codes[0]
    if candidate.recipe not in codes:
        known = ", ".join(str(code) for code in codes)
        raise SettingsError(
            f"--recipe: expected one of {known}, the recipes of {header.station}, found {candidate.recipe}"
        )
    return candidate.recipe
