"""A finished run to a bundle: the ONNX graph, its parity, its int8 form and all that the bundle carries.

Takes a run's folder, gives a `Bundle` on disk, uncertified. Nothing is packed that did not answer like the network
it came from: float32 by parity on real pictures, int8 by its accuracy guard on the tune part.
"""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from training.model import Network, build
from training.pack import FLOAT32, INT8, pack
from training.quantise import (
    Allowance,
    calibration_pictures,
    guard_figures,
    quantise,
    refusal,
    temporary_folder,
)
from training.run import BaseRun, Run, read_run
from training.score import Scored, score, torch_scorer
from vision.bundle import Bundle, Guard, refuse_other_folder
from vision.errors import GuardError, SettingsError
from vision.session import INPUT, Session

OPSET: Final = 20
OUTPUTS: Final = ("logits", "embedding", "cam")
# |Δlogit|; float32 sums in another order differ by about 1e-5 of the features' size
PARITY_TOLERANCE: Final = 1e-2
_DEFAULTS: Final = Allowance()


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
    allowed: Allowance = _DEFAULTS,
    name: str = "inspection",
    version: str = "1.0",
    say: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Export, check and pack a finished run.

    Args:
        allowed: what the int8 file may change; one that changes more is left out.
        say: told what is being done, for a person who waits.

    Raises:
        SettingsError: the run is not finished.
        GuardError: the exported graph does not answer like the network.
        StorageError: the disk refused; nothing half-written is left.
    """
    refuse_other_folder(out)
    run, network = read_run(run_folder, Run), load_network(run_folder)
    spec = run.recipe.preprocess
    say("exporting to ONNX")
    files = {FLOAT32: to_onnx(network, blank(spec.size_wh), OUTPUTS)}
    sessions = {FLOAT32: Session(files[FLOAT32], name=FLOAT32)}
    tune = run.role("tune")
    say("comparing with torch on real pictures")
    scored = {FLOAT32: score(sessions[FLOAT32].run, tune, spec)}
    parity = compare(score(torch_scorer(network, device="cpu"), tune[:64], spec), scored[FLOAT32])
    guard, said = None, "not asked for"
    if int8:
        say("quantising to int8")
        candidate = quantise(files[FLOAT32], calibration_pictures(run))
        session = Session(candidate, name=INT8)
        candidate_scored = score(session.run, tune, spec)
        guard = guard_figures(run, scored[FLOAT32], candidate_scored)
        refused = refusal(guard, allowed)
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
    run = read_run(run_folder, Run)
    refuse_unfinished(run, run_folder)
    network = build(run.recipe.backbone, len(run.labels), str(run_folder / "model.safetensors"))
    return network.eval()


def refuse_unfinished(run: BaseRun, run_folder: Path) -> None:
    """Stop before half a model is used.

    Raises:
        SettingsError: the run is not finished.
    """
    if run.result is None:
        raise SettingsError(
            f"{run_folder}: expected a finished run, found one that can be resumed with loupe train"
        )


def to_onnx(network: nn.Module, example: Mapping[str, Tensor], outputs: Sequence[str]) -> bytes:
    """A network as one ONNX file with a free batch axis.

    Args:
        example: inputs by name, two rows of each: a batch of one would be specialised.
        outputs: names of what the network gives, in its order.

    Raises:
        StorageError: the temporary folder is full.
    """
    batch = torch.export.Dim("n", min=1, max=64)
    with warnings.catch_warnings(), temporary_folder() as folder:
        warnings.simplefilter("ignore")  # the exporter's own deprecations, nothing a user can act on
        path = folder / "model.onnx"
        torch.onnx.export(
            network,
            tuple(example.values()),
            path,
            dynamo=True,
            input_names=list(example),
            output_names=list(outputs),
            dynamic_shapes=_free_batch(network, len(example), batch),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
        return path.read_bytes()


def _free_batch(network: nn.Module, inputs: int, batch: Any) -> tuple[Any, ...]:
    """The free axis of each input, as `torch.export` wants it: what comes by `*beside` is one tuple."""
    varied = any(
        one.kind is inspect.Parameter.VAR_POSITIONAL
        for one in inspect.signature(network.forward).parameters.values()
    )
    free = {0: batch}
    return (free, (free,) * (inputs - 1)) if varied and inputs > 1 else (free,) * inputs


def blank(size_wh: tuple[int, int]) -> dict[str, Tensor]:
    """Two pictures to export a network with."""
    return {INPUT: torch.zeros((2, size_wh[1], size_wh[0], 3), dtype=torch.uint8)}


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
    return checked(parity)


def checked(parity: Parity) -> Parity:
    """The same, where both answered alike.

    Raises:
        GuardError: they did not.
    """
    within = parity.max_logit_difference <= PARITY_TOLERANCE  # which NaN is not
    if not within or parity.label_disagreements:
        raise GuardError(
            f"ONNX export: expected logits within {PARITY_TOLERANCE} and the same labels on {parity.pictures} pictures, found a "
            f"difference of {parity.max_logit_difference:.3g} and {parity.label_disagreements} other labels"
        )
    return parity
