"""The studio of a worker: product and scene put together by `vision.imagery`, with one scene model in memory at a time.

A generator that needs torch is imported when an order asks for it, in the worker's process alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from server.imagery.ports import Image
from vision.errors import InputError, MissingExtraError, SettingsError
from vision.imagery.assess import Assessor
from vision.imagery.brief import Brief
from vision.imagery.create import (
    GENERATORS,
    UNTRAINED,
    check_machinery,
    generator_named,
    make,
    model_names,
    prepare,
)
from vision.imagery.cutout.saliency import Saliency
from vision.imagery.likeness import Classifiers
from vision.imagery.scenes.scene import OnStep, SceneGenerator
from vision.settings import read_settings


@dataclass(slots=True)
class SceneStudio:
    """Makes candidates with `vision.imagery.create`.

    Attributes:
        models: the folder of scene models; absent: those that Loupe carries.
        device, dtype, offload, threads, allow_hub: how a trained model runs, as `vision.imagery.create.generator_named` takes them.
        classifiers: asked of every image.
        only: the scene models that it is there for; absent: all that it has.
    """

    models: Path | None = None
    device: str = "cpu"
    dtype: str = "float32"
    offload: bool = False
    threads: int = 1
    allow_hub: bool = False
    classifiers: Classifiers = field(default_factory=Classifiers)
    only: Sequence[str] | None = None
    _open: SceneGenerator | None = field(default=None, init=False)
    _unfit: set[str] = field(default_factory=set, init=False)

    @property
    def generators(self) -> Sequence[str]:
        offered = self._offered if self.only is None else self.only
        return tuple(name for name in offered if name not in self._unfit)

    @property
    def _offered(self) -> Sequence[str]:
        return (*GENERATORS, *model_names(self.models))

    def check(self) -> None:
        """See that this machine can do what it is there for, before the first order; no scene model is loaded.

        Where torch is not installed, trained models are left to other workers, unless they were asked for.

        Raises:
            SettingsError: a scene model that was asked for is not here, or device, dtype or the cut-out's network cannot be used.
            ImageryError, BundleError: the cut-out's network gives no map.
            DeviceError: there is no such device.
            MissingExtraError: a trained model was asked for, and torch is not installed.
        """
        for name in self.only or ():
            if name not in self._offered:
                raise SettingsError(f"generator: expected one of {', '.join(self._offered)}, found {name!r}")
        network = Saliency.installed(read_settings())
        if network is not None:
            network.of(np.zeros((64, 64, 3), np.uint8))
        trained = set(self.generators) - UNTRAINED
        if trained:
            try:
                check_machinery(device=self.device, dtype=self.dtype, offload=self.offload)
            except MissingExtraError:
                if self.only is not None:
                    raise
                self._unfit |= trained

    def sit(
        self, photo: bytes, mask: bytes | None, brief: Brief, style: bytes | None = None
    ) -> "SceneSitting":
        if self._open is None or self._open.name != brief.generator:
            self.clear()  # two scene models need not fit into memory
            self._open = self._opened(brief.generator)
        prepared = prepare(photo, mask, brief, style)
        assessor = Assessor(prepared=prepared, brief=brief, classifiers=self.classifiers)
        return SceneSitting(assessor=assessor, generator=self._open)

    def clear(self) -> None:
        self._open = None

    def _opened(self, name: str) -> SceneGenerator:
        try:
            return generator_named(
                name,
                self.models,
                device=self.device,
                dtype=self.dtype,
                offload=self.offload,
                threads=self.threads,
                allow_hub=self.allow_hub,
            )
        except InputError as error:  # a folder's fault and no order's: others may have a good one
            self._unfit.add(name)
            raise SettingsError(f"this worker cannot open the scene model {name}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSitting:
    """One product before one brief."""

    assessor: Assessor
    generator: SceneGenerator

    @property
    def alpha_png(self) -> bytes:
        return self.assessor.prepared.alpha_png

    def make(self, number: int, on_step: OnStep) -> Image:
        return make(self.assessor.prepared, self.assessor.brief, number, self.generator, on_step)

    def facts(self, image: Image) -> Mapping[str, JsonValue]:
        return self.assessor.facts(image.master_png)

    def check(self, master_png: bytes) -> Sequence[Mapping[str, JsonValue]]:
        return [report.model_dump(mode="json") for report in self.assessor.rules(master_png)]
