"""The network: uint8 in, four answers out, the map exact, and no weights taken that are not its own."""

from pathlib import Path

import numpy as np
import pytest

from tests.pictures import rough
from vision.errors import SettingsError

pytest.importorskip("torch", reason="needs the training extra")

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.model import IMAGENET_MEAN, IMAGENET_STD, WARMSTART, Network, build

pytestmark = pytest.mark.torch

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def network() -> Network:
    """Three classes, and biases that are not zero, as in a trained network."""
    built = build("resnet18", 3, "none").eval()
    built.head.bias.data.copy_(torch.tensor([0.5, -2.0, 7.0]))
    return built


def pictures(count: int = 2, side: int = 64) -> Tensor:
    return torch.from_numpy(np.stack([np.roll(rough(side, side), number, axis=0) for number in range(count)]))


@pytest.fixture
def state(network: Network) -> State:
    """A trained network's weights, to be altered."""
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.fixture
def backbone(state: State) -> State:
    """A backbone's weights alone, to be altered."""
    prefix = "backbone."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def saved(state: State, tmp_path: Path) -> str:
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    return str(path)


# --- answers


@torch.inference_mode()
def test_pictures_go_in_as_they_were_prepared_and_answers_come_out(network: Network) -> None:
    outputs = network(pictures())

    assert outputs.logits.shape == (2, 3)
    assert outputs.embedding.shape == (2, 512)
    assert outputs.cam.shape == (2, 3, 2, 2)
    assert {answer.dtype for answer in outputs} == {torch.float32}


@torch.inference_mode()
def test_the_mean_of_the_map_and_the_heads_bias_is_the_logit(network: Network) -> None:
    outputs = network(pictures())
    from_map = outputs.cam.mean((2, 3)) + network.head.bias

    torch.testing.assert_close(from_map, outputs.logits, rtol=0, atol=1e-4)


@torch.inference_mode()
def test_the_logits_for_training_are_those_of_the_whole_pass(network: Network) -> None:
    torch.testing.assert_close(network.logits(pictures()), network(pictures()).logits, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_the_network_itself_makes_of_levels_what_the_weights_expect(network: Network) -> None:
    rgb = np.array([10, 128, 250], np.uint8)
    plain = torch.from_numpy(np.broadcast_to(rgb, (1, 64, 64, 3)).copy())
    scaled = (rgb / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    as_trained = torch.from_numpy(scaled).float().view(1, 3, 1, 1).expand(1, 3, 64, 64)

    torch.testing.assert_close(network.features(plain), network.backbone(as_trained), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_picture_is_judged_alike_alone_and_among_others(network: Network) -> None:
    together = network(pictures(3)).logits
    alone = torch.cat([network(picture[None]).logits for picture in pictures(3)])

    torch.testing.assert_close(alone, together, rtol=0, atol=1e-4)


@torch.inference_mode()
def test_another_convolutional_backbone_is_another_name() -> None:
    outputs = build("mobilenet_v3_small", 2, "none").eval()(pictures(1))

    assert outputs.logits.shape == (1, 2)
    assert outputs.cam.shape == (1, 2, 2, 2)


@torch.inference_mode()
def test_a_head_that_is_wider_than_its_features_is_no_hindrance() -> None:
    outputs = build("vgg11", 2, "none").eval()(pictures(1))

    assert (outputs.logits.shape, outputs.embedding.shape) == ((1, 2), (1, 512))


def test_mean_and_scale_are_not_kept_with_the_weights(state: State) -> None:
    assert {"mean", "scale"}.isdisjoint(state)


# --- weights


@torch.inference_mode()
def test_the_warm_start_loads_whole() -> None:
    stored = load_file(WARMSTART)
    network = build("resnet50", 2, "warmstart").eval()
    loaded = network.backbone.state_dict()

    assert {name for name in stored if not name.endswith(".scale")} == {
        name for name in loaded if not name.endswith("num_batches_tracked")
    }
    name = "layer1.0.conv2.weight"
    assert stored[name].dtype == torch.int8
    assert torch.equal(loaded[name], stored[name].float() * stored[f"{name}.scale"].view(-1, 1, 1, 1))
    assert all(value.isfinite().all() for value in loaded.values())
    one, other = network(torch.stack([torch.zeros(64, 64, 3), pictures(1)[0]]).byte()).embedding
    assert torch.dist(one, other) > 1  # it sees a difference


@torch.inference_mode()
def test_a_trained_network_is_loaded_with_its_head(network: Network, state: State, tmp_path: Path) -> None:
    again = build("resnet18", 3, saved(state, tmp_path)).eval()

    assert torch.equal(again(pictures()).logits, network(pictures()).logits)


@torch.inference_mode()
def test_a_backbone_alone_is_loaded_under_a_new_head(
    network: Network, backbone: State, tmp_path: Path
) -> None:
    again = build("resnet18", 5, saved(backbone, tmp_path)).eval()

    assert torch.equal(again(pictures()).embedding, network(pictures()).embedding)
    assert again.head.out_features == 5


def test_a_backbone_that_lacks_a_tensor_is_refused(backbone: State, tmp_path: Path) -> None:
    del backbone["layer2.0.conv1.weight"]

    with pytest.raises(
        SettingsError, match=r"1 missing \(first: \['layer2.0.conv1.weight'\]\) and 0 unknown"
    ):
        build("resnet18", 3, saved(backbone, tmp_path))


def test_a_backbone_with_a_tensor_too_many_is_refused(backbone: State, tmp_path: Path) -> None:
    backbone["layer9.weight"] = torch.zeros(1)

    with pytest.raises(SettingsError, match=r"0 missing .* and 1 unknown \(first: \['layer9.weight'\]\)"):
        build("resnet18", 3, saved(backbone, tmp_path))


def test_a_tensor_of_another_shape_is_refused(backbone: State, tmp_path: Path) -> None:
    backbone["conv1.weight"] = torch.zeros(64, 1, 7, 7)

    with pytest.raises(SettingsError, match=r"(?s)do not fit this network: .*conv1\.weight"):
        build("resnet18", 3, saved(backbone, tmp_path))


def test_a_trained_network_for_other_classes_is_refused(state: State, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"(?s)do not fit this network: .*head\.weight"):
        build("resnet18", 4, saved(state, tmp_path))


def test_a_trained_network_that_lacks_a_tensor_is_refused(state: State, tmp_path: Path) -> None:
    del state["backbone.bn1.running_var"]

    with pytest.raises(SettingsError, match=r"(?s)do not fit this network: .*backbone\.bn1\.running_var"):
        build("resnet18", 3, saved(state, tmp_path))


def test_weights_of_another_backbone_are_refused() -> None:
    with pytest.raises(SettingsError, match="--weights warmstart: "):
        build("resnet18", 2, "warmstart")


def test_weights_that_are_not_there_are_refused() -> None:
    with pytest.raises(SettingsError, match="expected warmstart, imagenet, none or a file, found 'nowhere'"):
        build("resnet18", 2, "nowhere")


@pytest.mark.parametrize("name", ["resnet19", "", "torchvision.models.resnet18"])
def test_an_unknown_backbone_is_refused(name: str) -> None:
    message = f"backbone: expected a torchvision classification model, found '{name}'"

    with pytest.raises(SettingsError, match=message):
        build(name, 2, "none")


def test_a_network_whose_feature_maps_are_not_known_is_refused() -> None:
    with pytest.raises(SettingsError, match="backbone: expected a convolutional network, found 'mnasnet0_5'"):
        build("mnasnet0_5", 2, "none")
