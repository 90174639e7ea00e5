"""A box with one station, a configured bundle, and newer ones that are signed by the key that the box trusts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.line import Line, read_line
from edge.slots.store import SlotStore
from tests.bundles import FLOAT32, inspection, make_bundle, onnx_model
from vision import signing
from vision.bundle import Bundle
from vision.settings import Settings

NAME: Final = "plates"


@dataclass
class Box:
    folder: Path

    def __post_init__(self) -> None:
        signing.generate(self.folder / "line.key", self.folder / "line.pub")
        self.bundle("1.0")
        self.configure()

    def configure(
        self, more: str = "", *, stations: tuple[str, ...] = ("infeed",), bundle: str = "plates-1.0.loupe"
    ) -> None:
        tables = [
            f"""
            [[station]]
            name = "{name}"
            bundle = "{bundle}"
            due_s = 0.25
            late_s = 0.1
            trigger = {{ kind = "timer", period_s = 0.1 }}
            camera = {{ kind = "folder", folder = "parts", again = true }}
            actuator = {{ kind = "journal", path = "{name}.jsonl" }}
            """
            for name in stations
        ]
        (self.folder / "line.toml").write_text(more + "\n".join(tables))

    @property
    def line(self) -> Line:
        return read_line(self.folder / "line.toml")

    @property
    def settings(self) -> Settings:
        return Settings(trusted_keys=(self.folder / "line.pub",), cache_dir=self.folder / "cache")

    @property
    def store(self) -> SlotStore:
        return SlotStore(self.folder / "loupe-data", NAME)

    def bundle(
        self, version: str, *, signed_by: str | None = "line.key", file: str = "", **changes: Any
    ) -> Bundle:
        """A bundle of another version; `changes` as `tests.bundles.make_bundle` takes them."""
        key = None if signed_by is None else signing.read_private(self.folder / signed_by)
        path = self.folder / (file or f"{NAME}-{version}.loupe")
        return make_bundle(path, key=key, version=version, **changes)


def with_model(model: bytes) -> dict[str, Any]:
    """What makes a certified bundle of another network, which answers as the usual one does."""
    digest = hashlib.sha256(model).hexdigest()
    spec = inspection()
    one = spec.files[FLOAT32]
    assert one.certificate is not None
    certified = one.model_copy(
        update={"certificate": one.certificate.model_copy(update={"model_sha256": digest})}
    )
    decision = spec.model_copy(update={"files": {FLOAT32: certified}}).model_dump(mode="json")
    return {"contents": {FLOAT32: model}, "decision": decision}


def slow_model() -> bytes:
    """The usual network with a convolution beside it that takes its time and changes nothing: some 1.6 billion multiplications."""
    weights = np.random.default_rng(0).normal(0, 0.01, (64, 64, 7, 7)).astype(np.float32)
    first = np.ones((64, 3, 1, 1), np.float32)
    return _with_useless(
        [
            helper.make_node("Conv", ["chw", "useless_first"], ["wide"]),
            helper.make_node("Conv", ["wide", "useless"], ["slow"], pads=[3, 3, 3, 3]),
            helper.make_node("GlobalAveragePool", ["slow"], ["slow_pooled"]),
            helper.make_node("ReduceMean", ["slow_pooled"], ["one"], keepdims=0),
        ],
        {"useless_first": first, "useless": weights},
    )


def moody_model() -> bytes:
    """The usual network, which fails on a picture that is white all over: it looks for an element that is not there."""
    return _with_useless(
        [
            helper.make_node("ReduceMin", ["chw"], ["darkest"], keepdims=0),
            helper.make_node("Greater", ["darkest", "nearly_white"], ["white"]),
            helper.make_node("Cast", ["white"], ["white_int"], to=TensorProto.INT64),
            helper.make_node("Mul", ["white_int", "hundred"], ["index"]),
            helper.make_node("Gather", ["row", "index"], ["one"]),
        ],
        {
            "nearly_white": np.array(0.95, np.float32),
            "hundred": np.array(100),
            "row": np.zeros(2, np.float32),
        },
    )


def _with_useless(nodes: list[onnx.NodeProto], tensors: dict[str, npt.NDArray[Any]]) -> bytes:
    """The usual network, and nodes that make `one`, which is multiplied by nothing and added to the logits."""
    model = onnx.load_from_string(onnx_model())
    for node in model.graph.node:
        node.output[:] = ["usual" if name == "logits" else name for name in node.output]
    model.graph.node.extend(
        [
            *nodes,
            helper.make_node("Mul", ["one", "nothing"], ["nothing_much"]),
            helper.make_node("Add", ["usual", "nothing_much"], ["logits"]),
        ]
    )
    for name, value in {**tensors, "nothing": np.array(0, np.float32)}.items():
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    return bytes(model.SerializeToString())
