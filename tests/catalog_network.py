"""A shop small enough to check by hand: its tree, photos of its products, and a network that tells them apart. For `tests.catalog_bundles`.

A photo shows a product as a coloured square on grey. Each kind has a corner of the RGB cube for itself, so what the network must answer, and
where its activation maps must lie, is known before it is asked; a white product is of no kind. Titles count by one English and one Chinese
word a kind, attributes by season and wearer. The graph is `training.catalog.network.CatalogNetwork`'s, written by hand:

    image uint8 (N, 64, 64, 3) ─ Cast ─ Mul 1/255 ─ Transpose ─ Conv 1x1, Relu ─ AveragePool 16
        features (N, 11, 4, 4)   one a corner of the cube, and R, G, B as they are
        embedding (N, 11)        their mean over the map
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.bundles import frame, serialised
from vision.catalog import text
from vision.catalog.attributes import AttributeColumn, AttributeSpec
from vision.catalog.outputs import ATTRIBUTES, EMBEDDING, IMAGE, NO_IMAGE, TEXT, output_names
from vision.catalog.taxonomy import Category, Taxonomy
from vision.catalog.text import TextSpec
from vision.image import Pixels
from vision.preprocess import Prepared, PreprocessSpec, prepare

SIDE: Final = 64  # of the network's input; photos are twice as large
CELL: Final = 16  # of the activation map, in pixels of the network's input
CELLS: Final = SIDE // CELL
PREPROCESS: Final = PreprocessSpec(size_wh=(SIDE, SIDE))
ALL: Final = (IMAGE, TEXT, ATTRIBUTES)
LEVELS: Final = ("department", "family", "kind")

# Socks have two parents; belts are a family without kinds, hence carried down.
TREE: Final = Taxonomy(
    levels=LEVELS,
    categories=(
        Category(level="department", id="clothing", names={"en": "Clothing", "zh": "服装"}),
        Category(level="department", id="footwear", names={"en": "Footwear", "zh": "鞋类"}),
        Category(level="family", id="tops", parents=("clothing",), names={"zh": "上衣"}),
        Category(level="family", id="belts", parents=("clothing",), names={"zh": "腰带"}),
        Category(level="family", id="socks", parents=("clothing", "footwear"), names={"zh": "袜子"}),
        Category(level="family", id="shoes", parents=("footwear",), names={"zh": "鞋"}),
        Category(level="kind", id="tees", parents=("tops",)),
        Category(level="kind", id="shirts", parents=("tops",)),
        Category(level="kind", id="sport_socks", parents=("socks",)),
        Category(level="kind", id="wool_socks", parents=("socks",)),
        Category(level="kind", id="sneakers", parents=("shoes",), names={"zh": "运动鞋"}),
        Category(level="kind", id="sandals", parents=("shoes",), names={"zh": "凉鞋"}),
    ),
)
KINDS: Final = TREE.labels("kind")
SIZES: Final = tuple(len(TREE.labels(level)) for level in LEVELS)

_CORNERS: Final = np.array([[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)], np.float32)
WHITE: Final = len(_CORNERS) - 1  # the corner that no kind has
DEPTH: Final = len(_CORNERS) + 3
_COLOUR: Final = np.concatenate([2 * (2 * _CORNERS - 1), np.eye(3)]).astype(np.float32)
_COLOUR_BIAS: Final = np.array(
    [-float((2 * corner - 1).sum()) - 1.5 for corner in _CORNERS] + [0, 0, 0], np.float32
)

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "belts": ("belt", "腰带"),
    "sandals": ("sandals", "凉鞋"),
    "shirts": ("shirt", "衬衫"),
    "sneakers": ("sneakers", "跑步"),
    "sport_socks": ("stockings", "球袜"),
    "tees": ("tee", "短袖"),
    "wool_socks": ("woollen", "毛线"),
}
TEXT_SPEC: Final = TextSpec(buckets=4096, words=(1, 2), characters=(3, 3), length=32)
ATTRIBUTE_SPEC: Final = AttributeSpec(
    columns=(
        AttributeColumn(name="season", values=("Summer", "Winter")),
        AttributeColumn(name="wearer", values=("men", "women")),
    )
)
# what each value says for a kind
_SAID: Final = {
    ("season", "Summer"): {"sandals": 6.0, "tees": 3.0},
    ("season", "Winter"): {"wool_socks": 6.0, "shirts": 1.0},
    ("wearer", "men"): {"shirts": 1.0},
    ("wearer", "women"): {"sandals": 1.0, "shirts": -1.0},
}
_GAINS: Final = (20.0, 30.0, 40.0)  # a level's, on what speaks for the kinds below a class
THRESHOLDS: Final = (0.8, 0.7, 0.75)


def photo(kind: str, seed: int = 0, *, cell_xy: tuple[int, int] = (1, 1), side_cells: int = 2) -> Pixels:
    """A product of a kind: uint8 (128, 128, 3), its square from the cell `cell_xy` of the activation map on."""
    return _product(_CORNERS[KINDS.index(kind)], seed, cell_xy, side_cells)


def stranger(seed: int = 0) -> Pixels:
    """A product of no kind in the tree."""
    return _product(_CORNERS[WHITE], seed, (1, 1), 2)


def _product(corner: npt.NDArray[np.float32], seed: int, cell_xy: tuple[int, int], side_cells: int) -> Pixels:
    rng = np.random.default_rng(seed)
    picture = 128 + rng.normal(0, 4, (2 * SIDE, 2 * SIDE, 1)) + rng.uniform(-4, 4, 3)
    (left, top), side = (2 * CELL * place for place in cell_xy), 2 * CELL * side_cells
    picture[top : top + side, left : left + side] = 30 + 195 * corner + rng.uniform(-25, 25, 3)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def prepared(picture: Pixels) -> Prepared:
    return prepare(frame(picture), PREPROCESS)


class _Graph:
    """Nodes and constants of an ONNX graph as they are put down."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: str, outputs: str, **options: Any) -> None:
        """A node; names are separated by blanks."""
        self.nodes.append(helper.make_node(kind, inputs.split(), outputs.split(), **options))

    def keep(self, **values: npt.ArrayLike) -> None:
        self.constants += [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]


@cache
def members() -> npt.NDArray[np.float32]:
    """(C, kinds): 1 where a kind can lie under a class; all levels' classes side by side."""
    under = np.zeros((sum(SIZES), len(KINDS)), np.float32)
    first = np.cumsum([0, *SIZES])
    for path in TREE.paths.tolist():
        for level, place in enumerate(path):
            under[first[level] + place, path[-1]] = 1
    return under


def _gains() -> npt.NDArray[np.float32]:
    return np.repeat(np.array(_GAINS, np.float32), SIZES)[:, None]


@cache
def table() -> npt.NDArray[np.float32]:
    """A vector (kinds,) an n-gram: which kinds' words it is a part of; row 0, padding, says nothing."""
    rows = np.zeros((TEXT_SPEC.buckets, len(KINDS)), np.float32)
    for kind, words in WORDS.items():
        for word in words:
            ids = text.tokenise(word, TEXT_SPEC).ids
            rows[ids[ids > 0], KINDS.index(kind)] += 0.5
    return rows


@cache
def values() -> npt.NDArray[np.float32]:
    """What each value of each attribute says for each class, (sum of sizes, C); that of index 0 nothing."""
    rows = np.zeros((sum(ATTRIBUTE_SPEC.sizes), len(KINDS)), np.float32)
    first = dict(zip(ATTRIBUTE_SPEC.names, np.cumsum([0, *ATTRIBUTE_SPEC.sizes]).tolist(), strict=False))
    for (name, value), said in _SAID.items():
        for kind, weight in said.items():
            rows[first[name] + ATTRIBUTE_SPEC.index(name, value), KINDS.index(kind)] = weight
    return np.asarray(rows @ members().T * _gains()[:, 0] / _GAINS[-1], np.float32)


@cache
def onnx_model(modalities: tuple[str, ...] = ALL) -> bytes:
    """The network above, with the branches of `modalities`."""
    graph = _Graph()
    _see(graph)
    _trust(graph, modalities)
    terms = ["image_all"]
    graph.add("Mul", "image_raw trust_image", "image_all")
    graph.add("Reshape", "trust_image as_map", "map_trust")
    graph.add("Mul", "cam_raw map_trust", "cam_all")
    for name, say in ((TEXT, _read_title), (ATTRIBUTES, _read_attributes)):
        if name in modalities:
            say(graph)
            graph.add("Reshape", f"trust_{name} as_rows", f"{name}_trust")
            graph.add("Mul", f"{name}_raw {name}_trust", f"{name}_all")
            graph.add("ReduceSum", f"{name}_raw second", f"{name}_said", keepdims=0)
            graph.add("ReduceSum", f"{name}_all second", f"{name}_term", keepdims=0)
            terms.append(f"{name}_term")
    graph.add("Sum", f"bias_row {' '.join(terms)}", "logits_all")
    for name in modalities:
        graph.add("Unsqueeze", f"{'image_raw' if name == IMAGE else f'{name}_said'} second", f"{name}_one")
    graph.add("Concat", " ".join(f"{name}_one" for name in modalities), "said", axis=1)
    graph.add("MatMul", "trust said", "trusted")  # by each subset
    graph.add("Add", "trusted bias", "subsets_all")
    for kind in ("logits", "subsets", "cam", *modalities):
        axis = 2 if kind in ("subsets", TEXT, ATTRIBUTES) else 1
        graph.add("Split", f"{kind}_all sizes", " ".join(f"{kind}_{level}" for level in LEVELS), axis=axis)
    graph.keep(sizes=np.array(SIZES), as_map=np.array([-1, 1, 1, 1]), as_rows=np.array([-1, 1, 1]))
    graph.keep(second=np.array([1]))
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIDE, SIDE, 3])]
    inputs += [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["N", length])
        for name, length in ((TEXT, TEXT_SPEC.length), (ATTRIBUTES, len(ATTRIBUTE_SPEC.columns)))
        if name in modalities
    ]
    if len(modalities) > 1:
        inputs.append(helper.make_tensor_value_info(NO_IMAGE, TensorProto.FLOAT, ["N"]))
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
        for name, shape in output_shapes(modalities).items()
    ]
    return serialised(helper.make_graph(graph.nodes, "shop", inputs, outputs, graph.constants))


def output_shapes(modalities: Sequence[str] = ALL) -> dict[str, tuple[str | int, ...]]:
    shapes: dict[str, tuple[str | int, ...]] = {}
    for name in output_names(LEVELS, modalities):
        kind, _, level = name.partition("_")
        size = SIZES[LEVELS.index(level)] if level else DEPTH
        shapes[name] = {
            "cam": ("N", size, CELLS, CELLS),
            "subsets": ("N", 2 ** len(modalities), size),
            TEXT: ("N", TEXT_SPEC.length, size),
            ATTRIBUTES: ("N", len(ATTRIBUTE_SPEC.columns), size),
        }.get(kind, ("N", size))
    return shapes


def _see(graph: _Graph) -> None:
    head = np.zeros((sum(SIZES), DEPTH), np.float32)
    head[:, : len(KINDS)] = members() * _gains()
    graph.add("Cast", "image", "levels", to=TensorProto.FLOAT)
    graph.add("Mul", "levels scale", "unit")
    graph.add("Transpose", "unit", "chw", perm=[0, 3, 1, 2])
    graph.add("Conv", "chw colour colour_bias", "coloured")
    graph.add("Relu", "coloured", "positive")
    graph.add("AveragePool", "positive", "features", kernel_shape=[CELL, CELL], strides=[CELL, CELL])
    graph.add("GlobalAveragePool", "features", "pooled")
    graph.add("Flatten", "pooled", EMBEDDING)
    graph.add("MatMul", f"{EMBEDDING} head", "image_raw")
    graph.add("Conv", "features filter", "cam_raw")
    graph.keep(scale=np.float32(1 / 255), colour=_COLOUR[:, :, None, None], colour_bias=_COLOUR_BIAS)
    graph.keep(head=head.T, filter=head[:, :, None, None])


def _trust(graph: _Graph, modalities: Sequence[str]) -> None:
    """Each row's subset of modalities, and through it how far each term is trusted, and the bias."""
    masks = np.array(
        [[place >> bit & 1 for bit in range(len(modalities))][::-1] for place in range(2 ** len(modalities))]
    )
    if len(modalities) == 1:  # a picture is always there
        graph.add("ReduceMin", f"{EMBEDDING} second", "smallest", keepdims=0)
        graph.add("Mul", "smallest nothing", NO_IMAGE)
        graph.keep(nothing=np.float32(0))
    graph.add("Sub", f"one {NO_IMAGE}", "there_0")
    for place, name in enumerate(modalities[1:], start=1):
        graph.add("Greater", f"{name} none", f"{name}_is_told")
        graph.add("Cast", f"{name}_is_told", f"{name}_told", to=TensorProto.FLOAT)
        graph.add("ReduceMax", f"{name}_told second", f"has_{name}", keepdims=0)
        graph.add("Mul", f"there_{place - 1} two", f"doubled_{place}")
        graph.add("Add", f"doubled_{place} has_{name}", f"there_{place}")
    graph.add("Cast", f"there_{len(modalities) - 1}", "subset", to=TensorProto.INT64)
    graph.add("Gather", "trust subset", "trust_row")
    graph.add("Gather", "bias subset", "bias_row")
    graph.add(
        "Split",
        "trust_row",
        " ".join(f"trust_{name}" for name in modalities),
        axis=1,
        num_outputs=len(modalities),
    )
    graph.keep(one=np.float32(1), two=np.float32(2), none=np.int64(0))
    trust = masks * (1.1 - 0.1 * masks.sum(1, keepdims=True))
    bias = 0.3 * np.cos(np.arange(len(masks) * sum(SIZES))).reshape(len(masks), -1)
    graph.keep(trust=trust.astype(np.float32), bias=bias.astype(np.float32))


def _read_title(graph: _Graph) -> None:
    graph.add("Gather", f"table {TEXT}", "found")
    graph.add("MatMul", "found text_head", "spoken")
    graph.add("ReduceSum", f"{TEXT}_told second", "told_count", keepdims=1)
    graph.add("Max", "told_count one", "count")
    graph.add("Sqrt", "count", "root")
    graph.add("Div", f"{TEXT}_told root", "over_root")
    graph.add("Unsqueeze", "over_root third", "each")
    graph.add("Mul", "spoken each", f"{TEXT}_raw")
    graph.keep(table=table(), text_head=(members() * _gains()).T, third=np.array([2]))


def _read_attributes(graph: _Graph) -> None:
    graph.add("Add", f"{ATTRIBUTES} offsets", "rows")
    graph.add("Gather", "values rows", "valued")
    graph.add("Unsqueeze", f"{ATTRIBUTES}_told last", "each_told")
    graph.add("Mul", "valued each_told", f"{ATTRIBUTES}_raw")
    graph.keep(values=values(), last=np.array([2]))
    graph.keep(offsets=np.array([0, *np.cumsum(ATTRIBUTE_SPEC.sizes)[:-1]]))
