"""The open inference protocol on a real server: clients of other model servers get the decisions that `Inspect` gives."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
import pytest

from tests.bundles import BLUE, PREPROCESS, part, prepared_batch, spotted, stranger
from tests.e2e.conftest import Workplace
from tests.e2e.serving import PATIENCE_S, Server, ask, serving, wrong_fields
from vision import wire
from vision.image import encode_png
from vision.preprocess import prepare_bytes
from vision.v1 import open_inference_pb2 as oip

PARTS: Final = [part(7), spotted(8), spotted(9, colour=BLUE), stranger()]
PICTURES: Final = [encode_png(picture) for picture in PARTS]
Tensor = oip.ModelInferRequest.InferInputTensor


@pytest.fixture(scope="module")
def server(workplace: Workplace) -> Iterator[Server]:
    with serving(workplace()) as found:
        yield found


def encoded(pictures: Sequence[bytes]) -> bytes:
    """A BYTES tensor: each element after its length."""
    return b"".join(len(one).to_bytes(4, "little") + one for one in pictures)


def uint8(pictures: int = 1, **changed: Any) -> Any:
    return Tensor(**{"name": "image", "datatype": "UINT8", "shape": [pictures, 64, 64, 3], **changed})


def infer(inference: Any, tensor: Any, *raw: bytes, **changed: Any) -> oip.ModelInferResponse:
    request = oip.ModelInferRequest(
        **{"model_name": "plates", "inputs": [tensor], "raw_input_contents": raw, **changed}
    )
    response: oip.ModelInferResponse = inference.ModelInfer(request, timeout=PATIENCE_S)
    return response


def outputs(response: oip.ModelInferResponse) -> dict[str, Any]:
    """By name: texts, or an array."""
    found: dict[str, Any] = {}
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        if output.datatype == "BYTES":
            texts, rest = [], raw
            while rest:
                end = 4 + int.from_bytes(rest[:4], "little")
                texts.append(rest[4:end].decode())
                rest = rest[end:]
            found[output.name] = texts
        else:
            kind = {"FP32": np.float32, "FP64": np.float64}[output.datatype]
            found[output.name] = np.frombuffer(raw, kind).reshape(output.shape)
    return found


# --- the same decision


def test_encoded_pictures_get_the_decisions_that_inspect_gives(inference: Any, inspection: Any) -> None:
    tensor = Tensor(name="image", datatype="BYTES", shape=[len(PICTURES)])

    found = outputs(infer(inference, tensor, encoded(PICTURES)))

    expected = [wire.verdict_from_wire(ask(inspection, picture).verdict) for picture in PICTURES]
    assert found["decision"] == [verdict.decision for verdict in expected]
    assert found["reason"] == [verdict.reason for verdict in expected]
    assert found["probability"].tolist() == pytest.approx(
        [verdict.probability for verdict in expected], abs=1e-6
    )
    assert set(found["decision"]) == {"accept", "reject", "review"}


@pytest.mark.parametrize("form", ["raw tensor", "tensor of numbers", "raw bytes", "listed bytes"])
def test_a_picture_gets_the_same_answer_in_whatever_form_it_comes(form: str, inference: Any) -> None:
    picture = PICTURES[1]
    pixels = prepare_bytes(picture, PREPROCESS).image_hwc
    whole = Tensor(name="image", datatype="BYTES", shape=[1])
    found = {
        "raw tensor": lambda: infer(inference, uint8(), pixels.tobytes()),
        "tensor of numbers": lambda: infer(
            inference, uint8(contents={"uint_contents": pixels.flatten().tolist()})
        ),
        "raw bytes": lambda: infer(inference, whole, encoded([picture])),
        "listed bytes": lambda: infer(
            inference,
            Tensor(name="image", datatype="BYTES", shape=[1, 1], contents={"bytes_contents": [picture]}),
        ),
    }[form]()

    assert outputs(found)["decision"] == ["reject"]
    reference = outputs(infer(inference, whole, encoded([picture])))
    assert np.array_equal(outputs(found)["logits"], reference["logits"])


def test_the_graphs_outputs_come_with_their_shapes(inference: Any) -> None:
    pixels = prepared_batch(*PARTS)

    response = infer(inference, uint8(len(PARTS)), pixels.tobytes(), id="batch 7")

    found = outputs(response)
    assert (response.model_name, response.model_version, response.id) == ("plates", "1.0", "batch 7")
    assert found["logits"].shape == (4, 3)
    assert found["embedding"].shape == (4, 5)
    assert found["cam"].shape == (4, 3, 4, 4)
    assert found["probability"].shape == (4,)


def test_only_what_is_asked_for_is_sent_and_in_that_order(inference: Any) -> None:
    asked = [oip.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in ("reason", "logits")]

    response = infer(inference, uint8(), prepared_batch(PARTS[0]).tobytes(), outputs=asked)

    assert [output.name for output in response.outputs] == ["reason", "logits"]


# --- what is served


def test_the_server_is_live_and_ready_and_names_itself(inference: Any) -> None:
    assert inference.ServerLive(oip.ServerLiveRequest(), timeout=PATIENCE_S).live
    assert inference.ServerReady(oip.ServerReadyRequest(), timeout=PATIENCE_S).ready
    assert inference.ServerMetadata(oip.ServerMetadataRequest(), timeout=PATIENCE_S).name == "loupe"


@pytest.mark.parametrize(
    ("name", "version", "ready"),
    [("plates", "", True), ("plates", "1.0", True), ("plates", "2.0", False), ("cells", "", False)],
)
def test_a_model_is_ready_in_its_own_version(name: str, version: str, *, ready: bool, inference: Any) -> None:
    asked = oip.ModelReadyRequest(name=name, version=version)

    assert inference.ModelReady(asked, timeout=PATIENCE_S).ready is ready


def test_metadata_describe_what_infer_takes_and_gives(inference: Any) -> None:
    metadata = inference.ModelMetadata(oip.ModelMetadataRequest(name="plates"), timeout=PATIENCE_S)
    response = infer(inference, uint8(2), prepared_batch(*PARTS[:2]).tobytes())

    assert (metadata.name, list(metadata.versions)) == ("plates", ["1.0"])
    (taken,) = metadata.inputs
    assert (taken.name, taken.datatype, list(taken.shape)) == ("image", "UINT8", [-1, 64, 64, 3])
    for described, given in zip(metadata.outputs, response.outputs, strict=True):
        assert (described.name, described.datatype) == (given.name, given.datatype)
        assert len(described.shape) == len(given.shape)
        assert all(told in {-1, found} for told, found in zip(described.shape, given.shape, strict=True))


# --- what is refused


@pytest.mark.parametrize(
    ("tensor", "raw", "field"),
    [
        (uint8(name="picture"), [bytes(12288)], "inputs"),
        (uint8(0), [b""], "inputs[0].shape"),
        (uint8(65), [bytes(65 * 12288)], "inputs[0].shape"),
        (uint8(-1), [bytes(12288)], "inputs[0].shape"),
        (uint8(shape=[]), [bytes(12288)], "inputs[0].shape"),
        (uint8(shape=[1, 3, 64, 64]), [bytes(12288)], "inputs[0]"),
        (uint8(shape=[1, 64, 64, 3, 2**40]), [bytes(12288)], "inputs[0]"),
        (uint8(datatype="FP32"), [bytes(4 * 12288)], "inputs[0]"),
        (uint8(), [bytes(12287)], "raw_input_contents[0]"),
        (uint8(), [], "raw_input_contents[0]"),
        (uint8(contents={"uint_contents": [256] * 12288}), [], "inputs[0].contents.uint_contents"),
        (Tensor(name="image", datatype="BYTES", shape=[2]), [encoded(PICTURES[:1])], "inputs[0].shape"),
        (
            Tensor(name="image", datatype="BYTES", shape=[1]),
            [encoded(PICTURES)[:-1]],
            "raw_input_contents[0]",
        ),
        (Tensor(name="image", datatype="BYTES", shape=[1]), [b"\xff\xff\xff\xff"], "raw_input_contents[0]"),
        (Tensor(name="image", datatype="BYTES", shape=[1]), [encoded([b"no picture"])], "image"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused_by_the_name_of_its_field(
    tensor: Any, raw: list[bytes], field: str, inference: Any
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        infer(inference, tensor, *raw)

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert wrong_fields(refused.value) == [field]


def test_two_inputs_or_none_are_refused(inference: Any) -> None:
    for inputs in ([], [uint8(), uint8()]):
        with pytest.raises(grpc.RpcError) as refused:
            infer(inference, uint8(), bytes(12288), inputs=inputs)
        assert wrong_fields(refused.value) == ["inputs"]


def test_an_unknown_output_priority_model_or_version_is_refused(inference: Any) -> None:
    requested = oip.ModelInferRequest.InferRequestedOutputTensor(name="depth")
    parameter = oip.InferParameter(string_param="urgent")
    cases: list[tuple[dict[str, Any], grpc.StatusCode]] = [
        ({"outputs": [requested]}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"parameters": {"priority": parameter}}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"model_name": "cells"}, grpc.StatusCode.NOT_FOUND),
        ({"model_version": "9"}, grpc.StatusCode.NOT_FOUND),
    ]
    for changed, code in cases:
        with pytest.raises(grpc.RpcError) as refused:
            infer(inference, uint8(), bytes(12288), **changed)
        assert refused.value.code() == code


@pytest.mark.parametrize("priority", ["line", "catalog", "bulk"])
def test_a_priority_may_be_named(priority: str, inference: Any) -> None:
    parameters = {"priority": oip.InferParameter(string_param=priority)}

    assert infer(inference, uint8(), bytes(12288), parameters=parameters).outputs


# --- somebody else's client

CLIENT = """
import sys
import numpy as np
import tritonclient.grpc as triton

address, path = sys.argv[1:]
client = triton.InferenceServerClient(address)
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("plates")
assert client.get_model_metadata("plates").inputs[0].name == "image"
picture = triton.InferInput("image", [1], "BYTES")
picture.set_data_from_numpy(np.array([open(path, "rb").read()], dtype=np.object_))
wanted = [triton.InferRequestedOutput("decision"), triton.InferRequestedOutput("probability")]
answer = client.infer("plates", [picture], outputs=wanted)
assert answer.as_numpy("probability").shape == (1,)
print(answer.as_numpy("decision")[0].decode())
"""


@pytest.fixture(scope="module")
def triton_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with Triton's client, in an environment of its own: it wants an older protobuf than ours."""
    folder = tmp_path_factory.mktemp("triton")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "tritonclient[grpc]==2.73.0"], check=True)
    return python


@pytest.mark.packaging
def test_tritons_own_client_works_unchanged(server: Server, triton_python: Path) -> None:
    picture = server.folder / "red.png"
    picture.write_bytes(PICTURES[1])

    done = subprocess.run(
        [triton_python, "-c", CLIENT, server.address, picture],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["reject"]
