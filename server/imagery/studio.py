"""The studio of a worker: product and scene put together by `vision.imagery`, with one scene model in memory at a time.

A generator that needs torch is imported when an order asks for it, in the worker's process alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from server.imagery.ports import Image
from vision.imagery.assess import Assessor
from vision.imagery.brief import Brief
from vision.imagery.create import generator_named, make, prepare
from vision.imagery.likeness import Classifiers
from vision.imagery.scenes.scene import OnStep, SceneGenerator


@dataclass(slots=True)
class SceneStudio:
    """Makes candidates with `vision.imagery.create`.

    Attributes:
        models: the folder of scene models; absent: those that Loupe carries.
        device, dtype, offload, threads, allow_hub: how a trained model runs, as `vision.imagery.create.generator_named` takes them.
        classifiers: asked of every image.
    """

    models: Path | None = None
    device: str = "cpu"
    dtype: str = "float32"
    offload: bool = False
    threads: int = 1
    allow_hub: bool = False
    classifiers: Classifiers = field(default_factory=Classifiers)
    _open: SceneGenerator | None = field(default=None, init=False)

    def sit(self, photo: bytes, mask: bytes | None, brief: Brief) -> "SceneSitting":
        if self._open is None or self._open.name != brief.generator:
            self.clear()  # two scene models need not fit into memory
            self._open = generator_named(
                brief.generator,
                self.models,
                device=self.device,
                dtype=self.dtype,
                offload=self.offload,
                threads=self.threads,
                allow_hub=self.allow_hub,
            )
        assessor = Assessor(prepared=prepare(photo, mask, brief), brief=brief, classifiers=self.classifiers)
        return SceneSitting(assessor=assessor, generator=self._open)

    def clear(self) -> None:
        self._open = None


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
