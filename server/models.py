"""The models that are served: loaded beside the old one, warmed up, swapped whole.

Takes names under one folder (bundle folders or `.loupe` files), gives `Loaded` models with their batchers. A load that fails
leaves what was served before. It knows nothing of requests or the wire.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from server.loading import CatalogModel, InspectionModel, Loaded, Opening, open_model
from vision.archive import SUFFIX
from vision.errors import InputError, LoupeError, NotFoundError

_Kind = TypeVar("_Kind", InspectionModel, CatalogModel)
_Model = TypeVar("_Model")


@dataclass(slots=True)
class Models:
    """All models of one folder.

    Attributes:
        folder: what `load` looks names up in.
        changed: called with a name after each change of whether or by what it is served.
        attempted: called after each load with what was wrong, if anything.
        failures: why a bundle of the folder could not be loaded the last time, by its name there.
    """

    folder: Path
    opening: Opening
    changed: Callable[[str], None] = lambda _name: None
    attempted: Callable[[LoupeError | None], None] = lambda _error: None
    failures: dict[str, str] = field(default_factory=dict)
    _served: dict[str, Loaded] = field(default_factory=dict)
    _previous: dict[str, Loaded] = field(default_factory=dict)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __contains__(self, name: str) -> bool:
        return name in self._served

    def served(self) -> list[Loaded]:
        return sorted(self._served.values(), key=lambda model: model.name)

    def get(self, name: str) -> Loaded:
        """The model that answers for a name; for the empty name the only one there is.

        Raises:
            NotFoundError: none, or the empty name where several are served.
        """
        return _chosen(self._served, name, "served")

    @property
    def judging(self) -> bool:
        """Whether any of them judges parts."""
        return bool(self._of(InspectionModel))

    def catalogs(self) -> list[CatalogModel]:
        """Those that place products."""
        return list(self._of(CatalogModel).values())

    def inspection(self, name: str) -> InspectionModel:
        """As `get`, among the models that judge parts."""
        return _chosen(self._of(InspectionModel), name, "served for inspection")

    def catalog(self, name: str) -> CatalogModel:
        """As `get`, among the models that place products."""
        return _chosen(self._of(CatalogModel), name, "served for catalogs")

    def _of(self, kind: type[_Kind]) -> dict[str, _Kind]:
        return {name: model for name, model in self._served.items() if isinstance(model, kind)}

    async def load_all(self) -> None:
        """Load everything in the folder; what fails is in `failures`, the rest is served.

        Of several bundles of one model the last is served, with numbers in their order: `cells-1.10` comes after `cells-1.9`.

        Raises:
            InputError: there is no such folder.
        """
        if not self.folder.is_dir():
            raise InputError(f"--models {self.folder}: expected a folder of bundles, found none")
        found = (p for p in self.folder.iterdir() if p.suffix == SUFFIX or (p / "manifest.json").is_file())
        for path in sorted(found, key=_in_order):
            with suppress(LoupeError):  # kept in `failures`
                await self._load(path)

    async def load(self, name: str) -> Loaded:
        """Load `folder/name` or `folder/name.loupe` beside what is served, and swap when it is warm.

        Raises:
            NotFoundError: no such bundle in the folder.
            BundleError: it cannot be used; what was served before goes on.
        """
        if name == Path(name).name and name not in {"", ".."}:  # a name, and no path
            for path in (self.folder / name, self.folder / f"{name}{SUFFIX}"):
                if path.exists():
                    return await self._load(path)
        raise NotFoundError(f"bundle '{name}': expected one in the model folder, found none")

    async def unload(self, name: str) -> None:
        """Stop serving a name; its memory is free once what is in flight is answered.

        Raises:
            NotFoundError: it is not served.
        """
        name = self.get(name).name
        async with self._one_at_a_time:
            leaving = [group.pop(name) for group in (self._served, self._previous) if name in group]
            self.changed(name)
            await _retire(*leaving)

    async def close(self) -> None:
        """Answer what is in flight and end every batcher's thread."""
        await _retire(*self._served.values(), *self._previous.values())

    async def _load(self, path: Path) -> Loaded:
        async with self._one_at_a_time:
            try:
                loaded = await asyncio.to_thread(open_model, path, self.opening)
            except LoupeError as error:
                self.failures[name_of(path)] = str(error)
                self.attempted(error)
                raise
            self.failures.pop(name_of(path), None)
            self.attempted(None)
            outgoing = self._previous.pop(loaded.name, None)
            if loaded.name in self._served:
                self._previous[loaded.name] = self._served[loaded.name]
            self._served[loaded.name] = loaded
            self.changed(loaded.name)
            await _retire(*([outgoing] if outgoing else []))
            return loaded


def _chosen(served: Mapping[str, _Model], name: str, how: str) -> _Model:
    if name in served:
        return served[name]
    known = ", ".join(sorted(served)) or "none"
    if name:
        raise NotFoundError(f"model '{name}': expected one of those {how}: {known}")
    if len(served) != 1:
        raise NotFoundError(f"model: expected a name, since {len(served)} are {how}: {known}")
    return next(iter(served.values()))


def name_of(bundle: Path) -> str:
    """How a bundle is called in its folder, whatever its manifest calls the model; versions hold dots."""
    return bundle.name.removesuffix(SUFFIX)


def _in_order(bundle: Path) -> list[str | int]:
    """Text and numbers in turn, as the names of versions are ordered."""
    return [int(one) if one.isdecimal() else one for one in re.split(r"([0-9]+)", name_of(bundle))]


async def _retire(*models: Loaded) -> None:
    for model in models:
        await model.batcher.close()
