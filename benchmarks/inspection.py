"""What judging a part costs beside the model: precision, extra outputs, decoding, memory, start-up.

    python benchmarks/inspection.py [--bundle BUNDLE]

Without --bundle a ResNet-50 from the warm start is exported, which answers nonsense at full speed.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script, this folder comes first and its training.py would hide the package
    sys.path[0] = str(Path(__file__).parents[1])

import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import onnx

from benchmarks.common import Figure, emit, in_turns, parser
from benchmarks.untrained import untrained_bundle
from vision.bundle import Bundle, open_bundle
from vision.image import Pixels, decode
from vision.inspection import quality
from vision.inspection.inspect import Inspector
from vision.machine import this_machine
from vision.preprocess import Prepared, PreprocessSpec, prepare, prepare_bytes
from vision.qualify import Choice
from vision.session import Session


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--bundle", type=Path, help="a bundle with a float32 and an int8 file")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = open_bundle(given.bundle) if given.bundle else untrained_bundle(Path(folder) / "bundle")
        figures = [*precision(bundle), outputs(bundle), *decoding(bundle), memory(bundle), *start_up()]
    emit(figures)


def file_of(bundle: Bundle, precision: str) -> str:
    """The file of one precision."""
    return next(name for name, entry in bundle.manifest.models.items() if entry.precision == precision)


def picture_of(bundle: Bundle) -> Pixels:
    width, height = bundle.manifest.preprocess.size_wh
    return np.random.default_rng(0).integers(0, 255, (1, height, width, 3), np.uint8)


def precision(bundle: Bundle) -> list[Figure]:
    """float32 over int8, batch 1, on one and on all threads."""
    picture, figures = picture_of(bundle), []
    for threads in (1, None):
        sessions = {
            kind: Session(bundle.read(file_of(bundle, kind)), threads=threads) for kind in ("float32", "int8")
        }
        name = "int8_speedup_one_thread" if threads else "int8_speedup"
        figures.append(
            in_turns(
                name,
                partial(sessions["float32"].run, picture),
                partial(sessions["int8"].run, picture),
                target=">= 3.0",
                note=f"{sessions['int8'].threads} threads, batch 1",
            )
        )
    return figures


def outputs(bundle: Bundle) -> Figure:
    """What `cam` and `embedding` cost: the graph with them over the graph cut down to `logits`."""
    whole = bundle.read(file_of(bundle, "float32"))
    with tempfile.TemporaryDirectory() as folder:
        full, cut = Path(folder) / "full.onnx", Path(folder) / "cut.onnx"
        full.write_bytes(whole)
        onnx.utils.extract_model(str(full), str(cut), ["image"], ["logits"])
        alone = Session(cut.read_bytes())
    complete, picture = Session(whole), picture_of(bundle)
    return in_turns(
        "cam_embedding_cost",
        lambda: complete.run(picture),
        lambda: alone.run(picture),
        target="<= 1.03",
        rounds=60,
    )


def photograph(width: int, height: int, *, quality_percent: int) -> bytes:
    """A JPEG with detail like a part's: shapes, gradients and sensor noise."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([(x * 255 / width), (y * 255 / height), ((x + y) % 256)], axis=2)
    for _ in range(120):
        centre, radius = (
            (int(rng.integers(width)), int(rng.integers(height))),
            int(rng.integers(5, width // 8)),
        )
        cv2.circle(image, centre, radius, tuple(float(one) for one in rng.integers(0, 255, 3)), -1)
    noisy = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality_percent])[1].tobytes()


def decoding(bundle: Bundle) -> list[Figure]:
    """Everything but the model over the model, and what reduced decoding brings."""
    file = file_of(bundle, "int8")
    inspector = Inspector(bundle, choice=Choice(file=file, threads=this_machine().cores))
    spec = bundle.manifest.preprocess
    megapixel = photograph(1000, 1000, quality_percent=80)
    kilobytes = photograph(900, 687, quality_percent=88)
    full = spec.model_copy(update={"reduced_decoding": False})
    batch = picture_of(bundle)
    whole = in_turns(
        "inspect_over_model_1mp",
        lambda: judge(inspector, megapixel, spec),
        lambda: inspector.session.run(batch),
        target="<= 1.15",
        note=f"{len(megapixel) // 1000} kB JPEG of 1000x1000, {file}",
    )
    full_decoding = in_turns(
        "inspect_over_model_1mp_full_decoding",
        lambda: judge(inspector, megapixel, full),
        lambda: inspector.session.run(batch),
        target=None,
    )
    reduced = in_turns(
        "reduced_decoding_speedup",
        lambda: judge(inspector, kilobytes, full),
        lambda: judge(inspector, kilobytes, spec),
        target=">= 1.2",
        note=f"{len(kilobytes) // 1000} kB JPEG of 900x687, whole path",
    )
    return [whole, full_decoding, reduced, *_parts(inspector, megapixel, spec)]


def judge(inspector: Inspector, data: bytes, spec: PreprocessSpec) -> object:
    """The whole path of one picture: decode, prepare, run, decide."""
    return inspector.inspect(prepare_bytes(data, spec))


def _parts(inspector: Inspector, data: bytes, spec: PreprocessSpec) -> list[Figure]:
    """Milliseconds of each part, to see where the time goes; no targets."""
    frame = decode(data)
    prepared: Prepared = prepare(frame, spec)
    prediction = inspector.predict([prepared])[0]
    works: dict[str, Callable[[], object]] = {
        "decode_full_ms": lambda: decode(data),
        "decode_and_prepare_ms": lambda: prepare_bytes(data, spec),
        "quality_ms": lambda: quality.measure(prepared.image_hwc),
        "judge_ms": lambda: inspector.judge(prediction, None),
        "model_ms": lambda: inspector.predict([prepared]),
    }
    figures = []
    for name, work in works.items():
        times = []
        for _ in range(30):
            start = time.perf_counter()
            work()
            times.append(1e3 * (time.perf_counter() - start))
        figures.append(Figure(name=name, value=round(float(np.median(times)), 3), unit="ms", runs=30))
    return figures


def memory(bundle: Bundle) -> Figure:
    """Peak memory of a process that inspects with the int8 file."""
    script = (
        "import re, sys; from pathlib import Path; from vision.inspection.inspect import open_inspector; "
        "from vision.preprocess import prepare_bytes; from vision.qualify import Choice; "
        "one = open_inspector(Path(sys.argv[1]), choice=Choice(file=sys.argv[2], threads=2)); "
        "data = sys.stdin.buffer.read(); "
        "[one.inspect(prepare_bytes(data, one.bundle.manifest.preprocess)) for _ in range(20)]; "
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    arguments = [sys.executable, "-c", script, str(bundle.path), file_of(bundle, "int8")]
    data = photograph(1000, 1000, quality_percent=80)
    done = subprocess.run(arguments, input=data, capture_output=True, check=True)
    return Figure(
        name="inspect_peak_memory",
        value=round(int(done.stdout) / 1024, 1),
        unit="MiB",
        target="<= 350",
        note="20 pictures",
    )


def start_up(runs: int = 7) -> list[Figure]:
    """Seconds to import, over those of an interpreter that imports nothing, in turns."""

    def seconds(statement: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        return time.perf_counter() - start

    figures = []
    for name, module, target in (
        ("import_vision", "vision", "<= 0.3"),
        ("import_inspector", "vision.inspection.inspect", None),
    ):
        seconds(f"import {module}")
        times = [seconds(f"import {module}") - seconds("pass") for _ in range(runs)]
        spread = (round(min(times), 3), round(max(times), 3))
        value = round(float(np.median(times)), 3)
        figures.append(Figure(name=name, value=value, unit="s", target=target, runs=runs, spread=spread))
    return figures


if __name__ == "__main__":
    main()
