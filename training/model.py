"""The networks: a torchvision backbone, global average pooling and a linear head, with all answers in one pass.

They take uint8 pictures as `vision.preprocess` makes them. The conversion to float, the mean and the scale are part of the
network, so that they are exported with it. `Network` is the inspection task's; the catalog's (`training.catalog.network`) has
further branches beside the same backbone. Nothing here knows of training or data.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from typing_extensions import override

from vision.errors import SettingsError

# Of ImageNet's training pictures, in 0..1; what torchvision's weights expect.
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
WARMSTART: Final = Path(__file__).parent / "weights" / "resnet50_warmstart.safetensors"
_SCALE: Final = ".scale"
_BACKBONE: Final = "backbone."


class Outputs(NamedTuple):
    """One pass: logits (N, C) before temperature, embedding (N, D), cam (N, C, h, w); all float32."""

    logits: Tensor
    embedding: Tensor
    cam: Tensor


class Seeing(nn.Module):
    """A backbone with its normalisation: `image: uint8 (N, H, W, 3)` RGB to a feature map (N, D, h, w)."""

    mean: Tensor
    scale: Tensor

    def __init__(self, backbone: str) -> None:
        super().__init__()
        self.backbone, self.channels = _features_of(backbone)
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer(
            "scale", 1 / (255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)), persistent=False
        )

    def features(self, image: Tensor) -> Tensor:
        """Feature map (N, D, h, w)."""
        pixels = image.permute(0, 3, 1, 2)  # uint8 NHWC seen as NCHW: channels_last without a copy
        mapped: Tensor = self.backbone((pixels.to(self.mean.dtype) - self.mean) * self.scale)
        return mapped

    def heads(self) -> dict[str, Tensor]:
        """The state of all that reads the features, by its name in the whole state."""
        state = self.state_dict().items()
        return {name: value for name, value in state if not name.startswith(_BACKBONE)}


class Network(Seeing):
    """`image: uint8 (N, H, W, 3)` RGB in, `Outputs` out.

    The class activation map (Zhou et al. 2016, arXiv:1512.04150) is exact here: its mean over the map plus the
    head's bias is the logit, because pooling and head are both linear.
    """

    def __init__(self, backbone: str, classes: int) -> None:
        super().__init__(backbone)
        self.head = nn.Linear(self.channels, classes)

    def logits(self, image: Tensor) -> Tensor:
        """Logits (N, C) alone, for training."""
        scored: Tensor = self.head(self.features(image).mean((2, 3)))
        return scored

    @override
    def forward(self, image: Tensor) -> Outputs:
        features = self.features(image)
        embedding = features.mean((2, 3))
        cam = nn.functional.conv2d(features, self.head.weight[:, :, None, None])
        return Outputs(self.head(embedding), embedding, cam)


def rest_normalisation(network: nn.Module) -> None:
    """Let normalisation use the statistics it came with, as the solved head expects; its scale and shift still learn.

    Statistics of small balanced batches would take over within the first steps and undo the head (decision 7).
    """
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.eval()


def _features_of(backbone: str) -> tuple[nn.Module, int]:
    """A torchvision classifier without its pooling and head, and its number of feature channels."""
    try:
        model = torchvision.models.get_model(backbone, weights=None)
    except ValueError as error:
        raise SettingsError(
            f"backbone: expected a torchvision classification model, found '{backbone}'"
        ) from error
    if hasattr(model, "features"):
        return model.features, _channels(model.features)
    if not hasattr(model, "layer4"):
        raise SettingsError(f"backbone: expected a convolutional network, found '{backbone}'")
    kept = {name: module for name, module in model.named_children() if name not in {"avgpool", "fc"}}
    named = nn.Sequential()
    for name in _pooled_before_relu(list(kept)):
        named.add_module(name, kept[name])
    return named, _channels(named)


@torch.no_grad()
def _channels(features: nn.Module) -> int:
    """How many channels come out; a head's width says it only where pooling leaves one number a channel (not in VGG)."""
    found: Tensor = features.eval()(torch.zeros(1, 3, 64, 64))
    features.train()
    return found.shape[1]


def _pooled_before_relu(names: list[str]) -> list[str]:
    """`relu, maxpool` the other way round: the same numbers, but ONNX Runtime then keeps the quantiser out of the pooling.

    See docs/decisions/0004.
    """
    if (
        "relu" in names
        and names.index("relu") + 1 < len(names)
        and names[names.index("relu") + 1] == "maxpool"
    ):
        at = names.index("relu")
        return [*names[:at], "maxpool", "relu", *names[at + 2 :]]
    return names


def build(backbone: str, classes: int, weights: str) -> Network:
    """An inspection network with its backbone's weights: `warmstart`, `imagenet`, `none`, or a path to a state dict.

    Raises:
        SettingsError: the weights are not there, or are not this backbone's.
    """
    network = Network(backbone, classes)
    start_from(network, backbone, weights)
    return network


def start_from(network: Seeing, backbone: str, weights: str) -> None:
    """Give a network its backbone's weights, or, where the file holds a whole network's state, all of them.

    Raises:
        SettingsError: the weights are not there, or do not fit.
    """
    path = check_weights(weights)
    if weights == "none":
        return
    state = _imagenet(backbone) if path is None else _read_state(path, weights)
    _load(network, state, weights)


def check_weights(weights: str) -> Path | None:
    """The file that `--weights` names; `imagenet` and `none` name none.

    Raises:
        SettingsError: there is no such file.
    """
    if weights in {"imagenet", "none"}:
        return None
    path = WARMSTART if weights == "warmstart" else Path(weights)
    if not path.is_file():
        raise SettingsError(f"--weights: expected warmstart, imagenet, none or a file, found '{weights}'")
    return path


def _imagenet(backbone: str) -> dict[str, Tensor]:
    """Torchvision's weights without their head, downloaded where they are not there yet."""
    try:
        full = torchvision.models.get_model(backbone, weights="DEFAULT")
    except OSError as error:  # urllib's errors among them
        raise SettingsError(
            f"--weights imagenet: torchvision's weights cannot be downloaded: {error}"
        ) from error
    state = full.state_dict().items()
    kept = {name: value for name, value in state if not name.startswith(("fc.", "classifier."))}
    return {name.removeprefix("features."): value for name, value in kept.items()}


def _read_state(path: Path, weights: str) -> dict[str, Tensor]:
    try:
        return _dequantised(load_file(path))
    except (SafetensorError, OSError) as error:
        raise SettingsError(f"--weights {weights}: expected a safetensors file: {error}") from error


def _load(network: Seeing, state: dict[str, Tensor], weights: str) -> None:
    try:
        if any(name.startswith(_BACKBONE) for name in state):
            network.load_state_dict(state)
            return
        missing, unexpected = network.backbone.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise SettingsError(f"--weights {weights}: do not fit this network: {error}") from error
    lacking = [name for name in missing if not name.endswith("num_batches_tracked")]
    if lacking or unexpected:
        raise SettingsError(
            f"--weights {weights}: expected this backbone's tensors, found {len(lacking)} missing "
            f"(first: {lacking[:1]}) and {len(unexpected)} unknown (first: {unexpected[:1]})"
        )


def _dequantised(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """int8 convolution weights with a `NAME.scale` an output channel, as float32."""
    return {
        name: value.float() * state[name + _SCALE].view(-1, *[1] * (value.dim() - 1))
        if name + _SCALE in state
        else value
        for name, value in state.items()
        if not name.endswith(_SCALE)
    }


def parameter_groups(
    network: Seeing, *, frozen: Collection[str], weight_decay: float, head_pace: float = 1.0
) -> list[dict[str, Any]]:
    """What learns, in groups for an optimizer: no decay on biases, normalisation and the heads.

    Args:
        frozen: children of the backbone whose weights rest.
        head_pace: how much faster than the backbone the heads learn; each group carries its `pace`.
    """
    for name, parameter in network.backbone.named_parameters():
        parameter.requires_grad = name.split(".")[0] not in frozen
    learning = [parameter for parameter in network.backbone.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in learning if parameter.dim() > 1]
    plain = [parameter for parameter in learning if parameter.dim() <= 1]
    heads = [value for name, value in network.named_parameters() if not name.startswith(_BACKBONE)]
    return [
        {"params": decayed, "weight_decay": weight_decay, "pace": 1.0},
        {"params": plain, "weight_decay": 0.0, "pace": 1.0},
        {"params": heads, "weight_decay": 0.0, "pace": head_pace},
    ]
