"""From a finished run to a bundle that answers like the network, or to none at all."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from tests.limits import files_of_at_most
from tests.training.runs import LABELS, SIDE, finished_run, plates
from training.data import group_fingerprints
from training.export import PARITY_TOLERANCE, Exported, compare, export, load_network
from training.manifest import Item
from training.pack import FLOAT32, GOLDEN_PICTURES, INT8, pack
from training.quantise import Allowance, calibration_pictures, guard_figures, quantise, refusal
from training.run import Run, read_run
from training.score import Scored, score
from vision.bundle import GOLDEN, MANIFEST, REFERENCE, Guard, open_bundle
from vision.errors import GuardError, SettingsError, StorageError
from vision.golden import check_golden
from vision.image import load
from vision.inspection.inspect import Inspector
from vision.inspection.policy import Decision
from vision.inspection.prediction import Prediction
from vision.inspection.quality import Quality
from vision.inspection.spec import inspection_spec
from vision.preprocess import prepare_file
from vision.qualify import Choice
from vision.session import Session

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def run(finished: Path) -> Run:
    return read_run(finished, Run)


def graph_of(exported: Exported, file: str) -> onnx.GraphProto:
    return onnx.load_from_string(exported.bundle.read(file)).graph


def makers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """The node that makes each value."""
    return {output: node for node in graph.node for output in node.output}


# --- the bundle


def test_the_bundle_opens_and_says_what_it_is(exported: Exported, run: Run) -> None:
    manifest = open_bundle(exported.bundle.path).manifest
    assert manifest == exported.bundle.manifest
    assert (manifest.name, manifest.version, manifest.task) == ("plates", "2.1", "inspection")
    assert manifest.labels == LABELS
    assert manifest.preprocess == run.recipe.preprocess
    assert manifest.outputs == {"logits": ("N", 2), "embedding": ("N", 512), "cam": ("N", 2, 2, 2)}
    assert set(manifest.models) == {FLOAT32, INT8}
    assert set(manifest.files) == {FLOAT32, INT8, GOLDEN, REFERENCE}
    assert manifest.provenance.recipe["backbone"] == "resnet18"
    assert manifest.provenance.libraries["torch"] == torch.__version__.split("+")[0]
    assert manifest.metrics["tune_pictures"] == 20
    low, high = manifest.metrics["tune_auroc_interval"]  # type: ignore[misc, str-unpack]
    assert 0 <= low <= manifest.metrics["tune_auroc"] <= high <= 1  # type: ignore[operator]


def test_golden_pictures_come_out_the_same_in_either_file(exported: Exported) -> None:
    bundle = exported.bundle
    arrays = bundle.arrays(GOLDEN)
    assert sum(name.startswith("encoded_") for name in arrays) == GOLDEN_PICTURES
    for file in (FLOAT32, INT8):
        session = Session(bundle.read(file), name=file, threads=1)
        assert check_golden(bundle, file, session) <= 1e-3


def test_an_exported_bundle_judges_and_accepts_nothing_before_it_is_certified(
    exported: Exported, tmp_path: Path
) -> None:
    inspector = Inspector(exported.bundle, choice=Choice(file=FLOAT32, threads=1))
    for item in plates(tmp_path, 6, seed=9):
        verdict = inspector.inspect(inspector.prepare(load(item.path))).verdict
        assert verdict.label == item.label
        assert verdict.decision is Decision.REVIEW
        assert not verdict.certified
    assert inspection_spec(exported.bundle).good == "good"


def test_the_reference_knows_every_picture_of_the_run(exported: Exported, run: Run) -> None:
    arrays = exported.bundle.arrays(REFERENCE)
    assert len(arrays["seen"]) == len(set(arrays["seen"].tolist())) == 60
    assert arrays["seen_groups"].tolist() == sorted(
        group_fingerprints([*run.role("train"), *run.role("tune")])
    )
    assert arrays["embeddings"].shape == (40, 512)
    assert arrays["tune_classes"].tolist() == [LABELS.index(item.label) for item in run.role("tune")]
    for file in (FLOAT32, INT8):
        assert arrays[f"tune_logits_{file}"].shape == (20, 2)
        assert arrays[f"tune_distances_{file}"].shape == (20,)


def test_what_was_done_is_plain_json(exported: Exported) -> None:
    facts = json.loads(json.dumps(exported.to_json(), allow_nan=False))
    assert facts["int8"] == "packed"
    assert facts["digest"] == exported.bundle.digest()
    assert set(facts["files"]) == {FLOAT32, INT8, GOLDEN, REFERENCE}


# --- the graph


@pytest.mark.parametrize("file", [FLOAT32, INT8])
def test_the_graph_takes_bytes_and_prepares_them_in_plain_sight(exported: Exported, file: str) -> None:
    """Never folded into the first convolution, whose zero padding would then no longer be the mean."""
    graph = graph_of(exported, file)
    (image,) = graph.input
    dimensions = [one.dim_param or one.dim_value for one in image.type.tensor_type.shape.dim]
    assert (image.name, image.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    assert dimensions == [dimensions[0], SIDE, SIDE, 3]
    assert isinstance(dimensions[0], str)
    first = next(node for node in graph.node if node.op_type == "Conv")
    steps, value = [], first.input[0]
    while value != "image":
        steps.append(makers(graph)[value].op_type)
        value = makers(graph)[value].input[0]
    assert steps in (["Mul", "Sub", "Cast", "Transpose"], ["Mul", "Sub", "Transpose", "Cast"])


@pytest.mark.parametrize("file", [FLOAT32, INT8])
def test_the_graph_holds_no_custom_operators_and_nothing_outside_the_file(
    exported: Exported, file: str
) -> None:
    graph = graph_of(exported, file)
    assert {node.domain for node in graph.node} == {""}
    assert not any(tensor.external_data for tensor in graph.initializer)


@pytest.mark.parametrize("file", [FLOAT32, INT8])
def test_a_batch_of_any_size_gives_the_same_answers(exported: Exported, run: Run, file: str) -> None:
    session = Session(exported.bundle.read(file), name=file, threads=1)
    pictures = np.stack(
        [prepare_file(item.path, run.recipe.preprocess).image_hwc for item in run.role("tune")[:5]]
    )
    whole = session.run(pictures)
    for size in (1, 2):
        some = session.run(pictures[:size])
        for name in ("logits", "embedding", "cam"):
            difference = float(np.abs(some[name] - whole[name][:size]).max())
            assert difference < 1e-3, f"{name} of a batch of {size}: {difference}"


def test_the_map_of_a_label_averages_to_its_logit_less_the_bias(
    exported: Exported, finished: Path, run: Run
) -> None:
    session = Session(exported.bundle.read(FLOAT32), name=FLOAT32, threads=1)
    picture = prepare_file(run.role("tune")[0].path, run.recipe.preprocess).image_hwc
    outputs = session.run(picture[None])
    bias = load_network(finished).head.bias.detach().numpy()
    np.testing.assert_allclose(outputs["cam"].mean((2, 3)) + bias, outputs["logits"], atol=1e-4)


def test_the_int8_file_quantises_all_but_the_first_convolution_the_head_and_the_map(
    exported: Exported,
) -> None:
    graph = graph_of(exported, INT8)
    made = makers(graph)
    operators = {node.op_type for node in graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    assert not {"QLinearConv", "ConvInteger", "MatMulInteger"} & operators
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    in_float = [node for node in convolutions if node.input[1] not in made]
    assert [node.name for node in in_float] == [convolutions[0].name, made["cam"].name]
    assert made["logits"].input[1] not in made  # its weights are stored as they are
    assert len(exported.bundle.read(INT8)) < 0.3 * len(exported.bundle.read(FLOAT32))


# --- parity


def test_torch_and_onnx_answer_alike_on_real_pictures(exported: Exported) -> None:
    assert exported.parity.pictures == 20
    assert exported.parity.max_logit_difference < 1e-3
    assert exported.parity.max_cam_difference < 1e-3
    assert exported.parity.label_disagreements == 0


def said(logits: Sequence[Sequence[float]], truth: Sequence[str] = ()) -> Scored:
    """What a model said of pictures that need not be looked at."""
    nothing = np.zeros((1, 1, 1), np.float32)
    items = tuple(
        Item(path=Path(f"{index}.png"), label=label, split="train", group=str(index), columns={})
        for index, label in enumerate(truth or ["good"] * len(logits))
    )
    return Scored(
        items=items,
        predictions=tuple(
            Prediction(logits=np.array(row, np.float32), embedding=nothing[0, 0], cam=nothing)
            for row in logits
        ),
        qualities=(Quality(sharpness=1, brightness=1, contrast=1, clipped=0),) * len(items),
        digests=("",) * len(items),
    )


def test_parity_is_the_largest_difference_over_the_pictures_both_have_seen() -> None:
    ours, theirs = said([[1, 0], [0, 2]]), said([[1.001, 0], [0, 1.996], [9, 9]])
    found = compare(ours, theirs)
    assert found.max_logit_difference == pytest.approx(0.004, abs=1e-6)
    assert (found.pictures, found.max_cam_difference, found.label_disagreements) == (2, 0, 0)


@pytest.mark.parametrize(
    "theirs",
    [
        [[1 + 2 * PARITY_TOLERANCE, 0], [0, 0.001]],  # too far off
        [[1, 0], [0.002, 0.001]],  # near, but another label
        [[float("nan"), 0], [0, 0.001]],  # no number at all, though the same label
    ],
)
def test_an_export_that_answers_otherwise_is_refused(theirs: list[list[float]]) -> None:
    with pytest.raises(GuardError, match=r"ONNX export: expected logits within 0\.01 and the same labels"):
        compare(said([[1, 0], [0, 0.001]]), said(theirs))


# --- the guard


def test_the_guard_counts_what_quantising_changed(run: Run) -> None:
    truth = ["defective", "defective", "good", "good", "good"]
    before = said([[2, 0], [2, 0], [0, 2], [0, 2], [0, 2]], truth)
    after = said([[2, 0], [1.5, 0], [0, 2], [0, 2], [2.25, 2]], truth)
    assert guard_figures(run, before, after) == Guard(
        pictures=5,
        balanced_accuracy_drop=round(100 * (1 - (1 + 2 / 3) / 2), 4),
        verdict_changes=0.2,
        max_logit_difference=2.25,
    )


@pytest.mark.parametrize(
    ("drop", "changes", "why"),
    [
        (0.0, 0.0, None),
        (0.5, 0.01, None),  # just within both
        (-3.0, 0.01, None),  # better than before
        (0.51, 0.0, "refused: balanced accuracy drops by 0.51 points, at most 0.5 allowed"),
        (0.0, 0.0125, "refused: 1.25% of verdicts change, at most 1.00% allowed"),
        (
            -3.0,
            0.05,
            "refused: 5.00% of verdicts change, at most 1.00% allowed",
        ),  # other verdicts, if better ones
    ],
)
def test_a_file_that_changes_too_much_is_refused_with_the_reason(
    drop: float, changes: float, why: str | None
) -> None:
    figures = Guard(pictures=80, balanced_accuracy_drop=drop, verdict_changes=changes, max_logit_difference=1)
    assert refusal(figures, Allowance()) == why


def test_an_int8_file_within_its_guard_is_packed_with_the_figures(exported: Exported) -> None:
    assert exported.int8 == "packed"
    assert exported.guard is not None
    assert exported.bundle.manifest.models[INT8].guard == exported.guard
    assert exported.bundle.manifest.models[INT8].precision == "int8"
    assert exported.bundle.manifest.models[FLOAT32].guard is None
    assert exported.guard.pictures == 20
    assert 0 < exported.guard.max_logit_difference < 2


def test_an_int8_file_that_fails_its_guard_is_left_out(tmp_path: Path) -> None:
    finished_run(tmp_path / "run", tune=60, hairs=True)
    found = export(tmp_path / "run", tmp_path / "bundle", int8=True)
    assert found.int8.startswith("refused: ")
    assert found.guard is not None
    assert found.int8 == refusal(found.guard, Allowance())
    assert set(found.bundle.manifest.models) == {FLOAT32}
    assert set(open_bundle(tmp_path / "bundle").manifest.files) == {FLOAT32, GOLDEN, REFERENCE}
    assert not any(INT8 in name for name in found.bundle.arrays(REFERENCE))

    anything = Allowance(accuracy_drop=100, verdict_changes=1)
    taken = export(tmp_path / "run", tmp_path / "taken", int8=True, allowed=anything)
    assert taken.int8 == "packed"
    assert taken.guard == found.guard, "the figures stay in the manifest"


def test_calibration_pictures_are_training_pictures_of_all_labels(run: Run) -> None:
    pictures = {picture.tobytes() for picture in calibration_pictures(run)}
    train = {
        prepare_file(item.path, run.recipe.preprocess).image_hwc.tobytes(): item.label
        for item in run.role("train")
    }
    assert pictures <= set(train)
    assert {train[picture] for picture in pictures} == set(LABELS)


# --- what is refused


def test_a_run_that_is_not_finished_is_refused(finished: Path, tmp_path: Path) -> None:
    read_run(finished, Run).model_copy(update={"result": None}).write(tmp_path)
    with pytest.raises(SettingsError, match="expected a finished run, found one that can be resumed"):
        export(tmp_path, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"expected a training run with run\.json, found none"):
        export(tmp_path, tmp_path / "bundle")


@pytest.mark.parametrize("form", ["bundle", "plates-2.1.loupe"])
def test_nothing_half_written_is_left_where_the_disk_is_full(
    exported: Exported, run: Run, tmp_path: Path, form: str
) -> None:
    files = {FLOAT32: exported.bundle.read(FLOAT32)}
    sessions = {FLOAT32: Session(files[FLOAT32], name=FLOAT32)}
    scored = {FLOAT32: score(sessions[FLOAT32].run, run.role("tune"), run.recipe.preprocess)}
    with (
        files_of_at_most(1024**2),
        pytest.raises(StorageError, match=f"{form}: cannot be written: File too large"),
    ):
        pack(run, tmp_path / form, files, sessions, scored, guard=None, name="plates", version="2.1")
    assert list(tmp_path.iterdir()) == []
    packed = pack(run, tmp_path / form, files, sessions, scored, guard=None, name="plates", version="2.1")
    assert open_bundle(tmp_path / form).manifest == packed.manifest


def test_a_temporary_folder_that_is_full_is_said_to_be(exported: Exported, run: Run) -> None:
    model = exported.bundle.read(FLOAT32)
    with files_of_at_most(1024**2), pytest.raises(StorageError, match="cannot be written: File too large"):
        quantise(model, calibration_pictures(run))


def test_a_folder_of_other_files_is_never_replaced(exported: Exported, run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    files = {FLOAT32: exported.bundle.read(FLOAT32)}
    sessions = {FLOAT32: Session(files[FLOAT32], name=FLOAT32)}
    scored = {FLOAT32: score(sessions[FLOAT32].run, run.role("tune"), run.recipe.preprocess)}
    with pytest.raises(StorageError, match="found a folder of other files"):
        pack(run, tmp_path, files, sessions, scored, guard=None, name="plates", version="2.1")
    assert [child.name for child in tmp_path.iterdir()] == ["thesis.txt"]
    assert not (tmp_path / MANIFEST).exists()
