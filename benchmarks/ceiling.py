"""What the machine can do without any server: decode and model in one process.

    python -m benchmarks.ceiling --model FILE --spec JSON --image FILE --seconds S --ways 1x2x8,2x1x4 [--latency]

A way is `RUNSxTHREADSxBATCH`: so many runs of the model side by side, each on so many threads, of so many pictures. Prints JSON.
Throughput is that of a good program: a decode pool keeps ahead of the threads that run the model. With `--latency` one picture after
the other instead, in the first way. `benchmarks.served` calls it in turns with the server.
"""

import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from vision.image import Pixels
from vision.machine import this_machine
from vision.preprocess import PreprocessSpec, prepare_bytes
from vision.session import Session

_WARM_SHARE = 0.2  # of the seconds; one second at least


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", type=Path, required=True)
    options.add_argument("--spec", required=True)
    options.add_argument("--image", type=Path, required=True)
    options.add_argument("--seconds", type=float, required=True)
    options.add_argument("--ways", required=True)
    options.add_argument("--latency", action="store_true")
    given = options.parse_args()
    ways = [tuple(map(int, way.split("x"))) for way in given.ways.split(",")]
    data, spec = given.image.read_bytes(), PreprocessSpec.model_validate_json(given.spec)

    def decode() -> Pixels:
        return prepare_bytes(data, spec).image_hwc

    model = given.model.read_bytes()
    sessions = {threads: Session(model, threads=threads) for _, threads, _ in ways}
    found: object
    if given.latency:
        found = latency(sessions[ways[0][1]], decode, given.seconds)
    else:
        found = [
            {"beside": beside, "threads": threads, "batch": batch}
            | throughput(sessions[threads], decode, beside, batch, given.seconds)
            for beside, threads, batch in ways
        ]
    json.dump(found, sys.stdout)


def latency(session: Session, decode: Callable[[], Pixels], seconds: float) -> dict[str, list[float]]:
    """Milliseconds of decoding and of both together, one picture after the other."""
    decoding, whole = [], []
    warm_until = time.perf_counter() + max(1.0, _WARM_SHARE * seconds)
    while (begun := time.perf_counter()) < warm_until + seconds:
        image = decode()
        decoded = time.perf_counter()
        session.run(image[None])
        if begun >= warm_until:
            decoding.append(1e3 * (decoded - begun))
            whole.append(1e3 * (time.perf_counter() - begun))
    return {"decode_ms": decoding, "whole_ms": whole}


def throughput(
    session: Session, decode: Callable[[], Pixels], beside: int, batch: int, seconds: float
) -> dict[str, float]:
    """Pictures a second, and CPU seconds a picture."""
    decoders = this_machine().cores
    with ThreadPoolExecutor(decoders) as pool, ThreadPoolExecutor(beside) as runs:
        ahead = deque(pool.submit(decode) for _ in range(2 * beside * batch + decoders))

        def run_until(end: float) -> int:
            count = 0
            while time.perf_counter() < end:
                pictures = [ahead.popleft().result() for _ in range(batch)]
                ahead.extend(pool.submit(decode) for _ in range(batch))
                session.run(np.stack(pictures))
                count += batch
            return count

        def run_all(for_s: float) -> int:
            return sum(runs.map(run_until, [time.perf_counter() + for_s] * beside))

        run_all(max(1.0, _WARM_SHARE * seconds))
        cpu, start = time.process_time(), time.perf_counter()
        count = run_all(seconds)
        took, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {"images_per_s": count / took, "cpu_s_per_image": cpu / count}


if __name__ == "__main__":
    main()
