"""A shot to a verdict, with a bundle's model. Called in a station's model thread; it knows nothing of triggers or outputs."""

import time
from collections.abc import Callable

from edge.ports import Shot
from edge.station import Judged
from vision.inspection.inspect import Inspector
from vision.preprocess import prepare_bytes


def judge_with(inspector: Inspector) -> Callable[[Shot], Judged]:
    """Judge each shot as `inspector` does.

    The result raises an ImageError for a picture that cannot be used.
    """
    digest = inspector.bundle.digest()

    def judge(shot: Shot) -> Judged:
        started = time.perf_counter()
        if isinstance(shot.image, bytes):
            prepared = prepare_bytes(shot.image, inspector.bundle.manifest.preprocess, name=shot.name)
        else:
            prepared = inspector.prepare(shot.image)
        inspection = inspector.inspect(prepared, prepare_ms=1e3 * (time.perf_counter() - started))
        timings = inspection.timings
        return Judged(
            verdict=inspection.verdict,
            bundle=digest,
            timings={
                "prepare": timings.prepare_ms,
                "model": timings.model_ms,
                "decide": timings.decide_ms,
            },
        )

    return judge
