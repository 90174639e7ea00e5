"""Small networks of U²-Net's kind, made in code, and where the real one is had from."""

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.bundles import serialised
from vision.imagery.cutout.saliency import PACKAGE, Saliency
from vision.settings import Settings


def dark_is_product(
    side: int = 64, *, shape: tuple[int | str, ...] | None = None, flat: bool = False
) -> bytes:
    """Sees a product wherever a picture is darker than the middle; gives its mean instead of a map where `flat`."""
    given = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, shape or (1, 3, side, side))
    answer = helper.make_tensor_value_info("1959", TensorProto.FLOAT, None)
    weight = numpy_helper.from_array(np.full((1, 3, 1, 1), -4, np.float32), "weight")
    nodes = [
        helper.make_node("Conv", ["input.1", "weight"], ["dark"]),
        helper.make_node("Sigmoid", ["dark"], ["map" if flat else "1959"]),
    ]
    if flat:
        nodes.append(helper.make_node("GlobalAveragePool", ["map"], ["pooled"]))
        nodes.append(helper.make_node("Flatten", ["pooled"], ["1959"]))
    return serialised(helper.make_graph(nodes, "dark", [given], [answer], [weight]))


def always_sees(seen_hw: npt.NDArray[np.float32]) -> bytes:
    """Gives the same map for every picture."""
    given = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, (1, 3, *seen_hw.shape))
    answer = helper.make_tensor_value_info("1959", TensorProto.FLOAT, None)
    constants = [
        numpy_helper.from_array(np.zeros((1, 3, 1, 1), np.float32), "nothing"),
        numpy_helper.from_array(seen_hw[None, None], "seen"),
    ]
    nodes = [
        helper.make_node("Conv", ["input.1", "nothing"], ["blank"]),
        helper.make_node("Add", ["blank", "seen"], ["1959"]),
    ]
    return serialised(helper.make_graph(nodes, "constant", [given], [answer], constants))


def u2netp() -> Saliency:
    """The real one; skips the test where its package is not installed."""
    found = Saliency.installed(Settings())
    if found is None:
        pytest.skip(f"{PACKAGE} is not installed (`make setup` does)")
    return found
