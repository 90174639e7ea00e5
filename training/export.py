"""A finished run to a bundle: the ONNX graph, its parity, its int8 form and all that the bundle carries.

Takes a run's folder, gives a `Bundle` on disk, uncertified. Nothing is packed that did not answer like the network
it came from: float32 by parity on real pictures, int8 by its accuracy guard on the tune part.
"""

import contextlib
import datetime
import hashlib
import importlib.metadata
import io
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.metrics import balanced_accuracy_score

from training.certify import fit_temperature
from training.manifest import Item
from training.model import Network, build
from training.run import Run, read_run
from training.score import Scored, score, torch_scorer
from vision.bundle import (
    GOLDEN,
    REFERENCE,
    Bundle,
    Guard,
    Manifest,
    ModelEntry,
    Provenance,
    pack_arrays,
    refuse_other_folder,
    write_bundle,
)
from vision.errors import GuardError, SettingsError, StorageError
from vision.golden import golden_arrays
from vision.image import Pixels, encode_png, load
from vision.inspection.novelty import choose_reference, radius, reference
from vision.inspection.quality import limits_from
from vision.inspection.spec import FileDecision, InspectionSpec
from vision.preprocess import PreprocessSpec, prepare_file
from vision.session import INPUT, Session

FLOAT32: Final = "model.onnx"
INT8: Final = "model.int8.onnx"
OPSET: Final = 20
CALIBRATION_PICTURES: Final = 64
CALIBRATION_PERCENTILE: Final = 99.99
GOLDEN_PICTURES: Final = 4
PARITY_TOLERANCE: Final = (
    1e-2  # |Δlogit|; float32 sums in another order differ by about 1e-5 of the features' size
)
GOLDEN_TOLERANCE: Final = {"float32": 0.05, "int8": 0.5}  # other processors round int8 sums elsewhere
MAX_ACCURACY_DROP: Final = 0.5  # points of balanced accuracy
MAX_VERDICT_CHANGES: Final = 0.01
NOVELTY_FALSE_ALARM: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """torch against ONNX on real pictures."""

    pictures: int
    max_logit_difference: float
    max_cam_difference: float
    label_disagreements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A written bundle and the figures that allowed it. `int8` says in words what became of the int8 file."""

    bundle: Bundle
    parity: Parity
    guard: Guard | None
    int8: str

    def to_json(self) -> dict[str, Any]:
        return {
            "bundle": str(self.bundle.path),
            "digest": self.bundle.digest(),
            "parity": asdict(self.parity),
            "guard": self.guard.model_dump() if self.guard else None,
            "int8": self.int8,
            "files": {name: entry.bytes for name, entry in self.bundle.manifest.files.items()},
        }


def export(
    run_folder: Path,
    out: Path,
    *,
    int8: bool = False,
    name: str = "inspection",
    version: str = "1.0",
    say: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Export, check and pack a finished run.

    Args:
        say: told what is being done, for a person who waits.

    Raises:
        SettingsError: the run is not finished.
        GuardError: the exported graph does not answer like the network.
        StorageError: the disk refused; nothing half-written is left.
    """
    refuse_other_folder(out)
    run, network = read_run(run_folder), load_network(run_folder)
    spec = run.recipe.preprocess
    say("exporting to ONNX")
    files = {FLOAT32: to_onnx(network, spec.size_wh)}
    sessions = {FLOAT32: Session(files[FLOAT32], name=FLOAT32)}
    tune = run.role("tune")
    say("comparing with torch on real pictures")
    scored = {FLOAT32: score(sessions[FLOAT32].run, tune, spec)}
    parity = compare(score(torch_scorer(network), tune[:64], spec), scored[FLOAT32])
    guard, said = None, "not asked for"
    if int8:
        say("quantising to int8")
        candidate = quantise(files[FLOAT32], calibration_pictures(run))
        session = Session(candidate, name=INT8)
        candidate_scored = score(session.run, tune, spec)
        guard = guard_figures(run, scored[FLOAT32], candidate_scored)
        refused = refusal(guard)
        said = refused or "packed"
        if refused is None:
            files[INT8], sessions[INT8], scored[INT8] = candidate, session, candidate_scored
    say("packing")
    bundle = pack(run, out, files, sessions, scored, guard=guard, name=name, version=version)
    return Exported(bundle=bundle, parity=parity, guard=guard, int8=said)


def load_network(run_folder: Path) -> Network:
    """The trained network of a finished run.

    Raises:
        SettingsError: the folder holds no finished run.
    """
    run = read_run(run_folder)
    if run.result is None:
        raise SettingsError(
            f"{run_folder}: expected a finished run, found one that can be resumed with loupe train"
        )
    network = build(run.recipe.backbone, len(run.labels), str(run_folder / "model.safetensors"))
    return network.eval()


def to_onnx(network: Network, size_wh: tuple[int, int]) -> bytes:
    """The network as one ONNX file with a free batch axis: `image` in; `logits`, `embedding`, `cam` out.

    Raises:
        StorageError: the temporary folder is full.
    """
    example = torch.zeros(
        (2, size_wh[1], size_wh[0], 3), dtype=torch.uint8
    )  # a batch of one would be specialised
    with warnings.catch_warnings(), _temporary_folder() as folder:
        warnings.simplefilter("ignore")  # the exporter's own deprecations, nothing a user can act on
        path = folder / "model.onnx"
        torch.onnx.export(
            network,
            (example,),
            path,
            dynamo=True,
            input_names=[INPUT],
            output_names=["logits", "embedding", "cam"],
            dynamic_shapes={INPUT: {0: torch.export.Dim("n", min=1, max=64)}},
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
        return path.read_bytes()


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    except OSError as error:
        raise StorageError(
            f"{tempfile.gettempdir()}: cannot be written: {error.strerror or error}"
        ) from error


def compare(torch_scored: Scored, onnx_scored: Scored) -> Parity:
    """Compare the two on the pictures that both scored.

    Raises:
        GuardError: they answer differently.
    """
    count = len(torch_scored.items)
    ours, theirs = torch_scored.logits, onnx_scored.logits[:count]
    cams = [
        float(np.abs(one.cam - other.cam).max())
        for one, other in zip(torch_scored.predictions, onnx_scored.predictions[:count], strict=True)
    ]
    parity = Parity(
        pictures=count,
        max_logit_difference=float(np.abs(ours - theirs).max()),
        max_cam_difference=max(cams),
        label_disagreements=int((ours.argmax(1) != theirs.argmax(1)).sum()),
    )
    within = parity.max_logit_difference <= PARITY_TOLERANCE  # which NaN is not
    if not within or parity.label_disagreements:
        raise GuardError(
            f"ONNX export: expected logits within {PARITY_TOLERANCE} and the same labels on {count} pictures, found a "
            f"difference of {parity.max_logit_difference:.3g} and {parity.label_disagreements} other labels"
        )
    return parity


def calibration_pictures(run: Run) -> list[Pixels]:
    """Training pictures in class balance, whose activations fix the int8 ranges."""
    train = run.role("train")
    index = {label: position for position, label in enumerate(run.labels)}
    labels = np.array([index[item.label] for item in train], np.int64)
    order = choose_reference(labels, seed=run.seed)
    chosen = np.random.default_rng(run.seed).permutation(order)[:CALIBRATION_PICTURES]
    return [prepare_file(train[int(one)].path, run.recipe.preprocess).image_hwc for one in chosen]


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Calibration pictures one by one, as the quantiser asks for them."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self._batches: Iterator[dict[str, Pixels]] = iter([{INPUT: picture[None]} for picture in pictures])

    def get_next(self) -> dict[str, Pixels] | None:
        return next(self._batches, None)


def quantise(model: bytes, pictures: Sequence[Pixels]) -> bytes:
    """Static int8: QDQ, unsigned activations, signed weights a channel, ranges at the 99.99th percentile.

    The first convolution, the head and the map stay float32: pixels that were uint8 already would be rounded to another
    grid, which moved logits more than all other layers together (docs/log.md).

    Raises:
        StorageError: the temporary folder is full.
    """
    with _temporary_folder() as folder:
        prepared, done = folder / "prepared.onnx", folder / "int8.onnx"
        original = folder / "model.onnx"
        original.write_bytes(model)
        quant_pre_process(original, prepared)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it is at; stdout belongs to results
            quantize_static(
                prepared,
                done,
                _Pictures(pictures),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                calibrate_method=CalibrationMethod.Percentile,
                nodes_to_exclude=_kept_in_float(onnx.load(prepared)),
                extra_options={"CalibPercentile": CALIBRATION_PERCENTILE},
            )
        return done.read_bytes()


def _kept_in_float(model: onnx.ModelProto) -> list[str]:
    """The input's normalisation, the first convolution, and what makes the outputs."""
    first = next(node.name for node in model.graph.node if node.op_type == "Conv")
    makers = {output: node.name for node in model.graph.node for output in node.output}
    normalising = [
        node.name for node in model.graph.node if node.op_type in {"Cast", "Sub", "Mul", "Transpose"}
    ]
    return sorted({first, *normalising, *(makers[name] for name in ("logits", "embedding", "cam"))})


def guard_figures(run: Run, reference_scored: Scored, candidate: Scored) -> Guard:
    """What another file changes on the same pictures."""
    truth = reference_scored.classes(run.labels)
    before, after = reference_scored.logits.argmax(1), candidate.logits.argmax(1)
    drop = balanced_accuracy_score(truth, before) - balanced_accuracy_score(truth, after)
    return Guard(
        pictures=len(truth),
        balanced_accuracy_drop=round(100 * float(drop), 4),
        verdict_changes=round(float((before != after).mean()), 6),
        max_logit_difference=round(float(np.abs(reference_scored.logits - candidate.logits).max()), 4),
    )


def refusal(guard: Guard) -> str | None:
    """Why a quantised file is not packed; nothing if it may be."""
    if guard.balanced_accuracy_drop > MAX_ACCURACY_DROP:
        return (
            f"refused: balanced accuracy drops by {guard.balanced_accuracy_drop:.2f} points, "
            f"at most {MAX_ACCURACY_DROP} allowed"
        )
    if guard.verdict_changes > MAX_VERDICT_CHANGES:
        return f"refused: {guard.verdict_changes:.2%} of verdicts change, at most {MAX_VERDICT_CHANGES:.0%} allowed"
    return None


def pack(
    run: Run,
    out: Path,
    files: dict[str, bytes],
    sessions: dict[str, Session],
    scored: dict[str, Scored],
    *,
    guard: Guard | None,
    name: str,
    version: str,
) -> Bundle:
    """Write the bundle: models, golden set, reference and manifest.

    Raises:
        StorageError: the disk refused; nothing half-written is left.
    """
    train, spec = run.role("train"), run.recipe.preprocess
    labels = np.array([run.labels.index(item.label) for item in train], np.int64)
    known = score(
        sessions[FLOAT32].run, [train[int(one)] for one in choose_reference(labels, seed=run.seed)], spec
    )
    reference_arrays: dict[str, Any] = {
        "embeddings": known.embeddings.astype(np.float16),
        "seen": np.array(_seen(train) + _seen(run.role("tune")), np.uint64),
        "tune_classes": scored[FLOAT32].classes(run.labels),
    }
    near, decisions = reference(reference_arrays["embeddings"]), {}
    for file, one in scored.items():
        distances = near.distances(one.embeddings)
        reference_arrays |= {f"tune_logits_{file}": one.logits, f"tune_distances_{file}": distances}
        decisions[file] = FileDecision(
            temperature=fit_temperature(one.logits, reference_arrays["tune_classes"]),
            novelty_radius=round(radius(distances, false_alarm=NOVELTY_FALSE_ALARM), 6),
        )
    spec_of_decision = InspectionSpec(
        good=run.good, quality=limits_from([*known.qualities, *scored[FLOAT32].qualities]), files=decisions
    )
    golden = [
        _golden(item, spec) for item in run.role("tune")[:: max(1, len(run.role("tune")) // GOLDEN_PICTURES)]
    ]
    contents = {
        **files,
        GOLDEN: pack_arrays(golden_arrays(golden[:GOLDEN_PICTURES], spec, sessions)),
        REFERENCE: pack_arrays(reference_arrays),
    }
    manifest = _manifest(run, files, scored[FLOAT32], guard, name=name, version=version)
    return write_bundle(out, spec_of_decision.into(manifest), contents)


def _seen(items: Sequence[Item]) -> list[int]:
    """The first 8 bytes of each picture's SHA-256: enough to know it again, too little to rebuild it."""
    return [int.from_bytes(hashlib.sha256(item.path.read_bytes()).digest()[:8], "big") for item in items]


def _golden(item: Item, spec: PreprocessSpec) -> bytes:
    """A tune picture losslessly; small where no region of interest needs its full size."""
    if spec.roi_xyxy is None:
        larger = (
            7 * spec.size_wh[0] // 4 + 1,
            7 * spec.size_wh[1] // 4 + 1,
        )  # no whole factor: resizing must show
        return encode_png(prepare_file(item.path, spec.resized(larger)).image_hwc)
    return encode_png(load(item.path).image_hwc)


def _manifest(
    run: Run, files: dict[str, bytes], scored: Scored, guard: Guard | None, *, name: str, version: str
) -> Manifest:
    prediction = scored.predictions[0]
    assert run.result is not None, "load_network refuses unfinished runs"  # noqa: S101
    return Manifest(
        name=name,
        version=version,
        task="inspection",
        labels=run.labels,
        preprocess=run.recipe.preprocess,
        outputs={
            "logits": ("N", *prediction.logits.shape),
            "embedding": ("N", *prediction.embedding.shape),
            "cam": ("N", *prediction.cam.shape),
        },
        models={
            file: ModelEntry(
                precision="int8" if file == INT8 else "float32",
                golden_tolerance=GOLDEN_TOLERANCE["int8" if file == INT8 else "float32"],
                guard=guard if file == INT8 else None,
            )
            for file in files
        },
        decision={},
        metrics={"tune_auroc": run.result.tune_auroc, "tune_pictures": len(scored.items)},
        provenance=Provenance(
            created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            data_digest=run.data_digest,
            split=run.split_column,
            recipe=run.recipe.model_dump(mode="json"),
            weights=run.weights,
            seed=run.seed,
            code_version=importlib.metadata.version("loupe"),
            libraries={
                one: importlib.metadata.version(one)
                for one in ("torch", "torchvision", "onnx", "onnxruntime")
            },
        ),
    )
