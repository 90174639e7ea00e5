"""BentoML: a service that decodes in threads before a service with the model, the API of which is batchable.

Started as `bentoml serve benchmarks.peers.bentoml_server:Judge`.
"""
# mypy: disable-error-code="import-not-found,misc,untyped-decorator,no-any-unimported"
# BentoML is in an environment of its own

import asyncio
from pathlib import Path
from typing import Annotated

import bentoml
import numpy as np
import numpy.typing as npt
from bentoml.validators import ContentType

from benchmarks.peers.work import MAX_BATCH, Decoder, Model, Work, answer

_WORK = Work.told()  # the decorators below want to know it


@bentoml.service(workers=_WORK.workers)
class Judging:
    def __init__(self) -> None:
        self.model = Model(_WORK)

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH)
    def judge(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.array(self.model(list(pictures)), np.float32)


@bentoml.service(workers=1)
class Judge:
    judging = bentoml.depends(Judging)

    def __init__(self) -> None:
        self.decode = Decoder(_WORK)

    @bentoml.api
    async def predict(self, image: Annotated[Path, ContentType("image/jpeg")], /) -> dict[str, list[float]]:
        picture = await asyncio.to_thread(lambda: self.decode(image.read_bytes()))
        logits = await self.judging.to_async.judge(picture[None])
        return answer(np.asarray(logits)[0].tolist())
