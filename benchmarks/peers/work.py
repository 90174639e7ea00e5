"""The work that every peer does for a picture, and how it is told: decoding and the model, exactly as Loupe does them.

Runs in a peer's environment. Settings come as environment variables, since peers start their workers in ways of their own.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np

from vision.image import Pixels
from vision.preprocess import PreprocessSpec, prepare_bytes
from vision.session import Session

MAX_BATCH = 8
WAIT_S = 0.01  # for a batch to fill, where a peer wants to be told: the default of mosec and of Ray Serve
_VARIABLE = "PEER_WORK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a peer is told.

    Attributes:
        spec: a `PreprocessSpec` as JSON.
        workers: processes that hold the model.
        threads: of one run of the model in each.
        decoders: processes or threads that decode, where a peer separates the two.
    """

    model: str
    spec: str
    threads: int
    workers: int
    decoders: int
    port: int

    @classmethod
    def told(cls) -> Self:
        found: Mapping[str, Any] = json.loads(os.environ[_VARIABLE])
        return cls(**{one.name: found[one.name] for one in fields(cls)})

    def environment(self) -> dict[str, str]:
        return {_VARIABLE: json.dumps(asdict(self))}


class Decoder:
    """Encoded bytes to the model's input."""

    def __init__(self, work: Work) -> None:
        self._spec = PreprocessSpec.model_validate_json(work.spec)

    def __call__(self, data: bytes) -> Pixels:
        return prepare_bytes(data, self._spec).image_hwc


class Model:
    """Pictures to what is answered for each; every batch size is warm from the beginning."""

    def __init__(self, work: Work) -> None:
        self._session = Session(Path(work.model).read_bytes(), threads=work.threads)
        size_wh = PreprocessSpec.model_validate_json(work.spec).size_wh
        self._session.warm_up(size_wh, range(1, MAX_BATCH + 1))

    def __call__(self, pictures: Sequence[Pixels]) -> list[list[float]]:
        """The logits; all outputs are computed, as Loupe does."""
        answers: list[list[float]] = self._session.run(np.stack(pictures))["logits"].tolist()
        return answers


def answer(logits: list[float]) -> dict[str, list[float]]:
    """What is sent back, as JSON."""
    return {"logits": logits}
