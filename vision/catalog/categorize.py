"""A product in, its place in the shop's tree out: as deep as can be answered for, or the word that it is not known.

`Categorizer` is built once a bundle and keeps no state between items. `rows` and `predict` are apart from `categorize`, so that a server can
batch rows of several callers. What an answer rests on is `vision.catalog.reasons`' to say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vision.bundle import REFERENCE, Bundle, open_bundle
from vision.catalog import framing
from vision.catalog.certificate import LevelPromise
from vision.catalog.decode import (
    Paths,
    best_path_through,
    follows_above,
    level_probabilities,
    path_probabilities,
)
from vision.catalog.item import (
    Item,
    Row,
    check_title,
    given_modalities,
    highest_ids,
    not_understood,
    rows_of,
    stacked,
)
from vision.catalog.novelty import Novelty
from vision.catalog.outputs import EMBEDDING, IMAGE, output_names
from vision.catalog.projection import Projection
from vision.catalog.spec import FileReading, bundled_taxonomy, catalog_spec, subset_name
from vision.errors import BundleError
from vision.golden import check_golden
from vision.image import Frame
from vision.inspection import quality
from vision.preprocess import Prepared, prepare
from vision.qualify import Choice, choose
from vision.session import Session

Floats = npt.NDArray[np.floating]
RowPrediction = Mapping[str, Floats]
ALTERNATIVES: Final = 5
_NOVELTY: Final = "novelty"  # beside the graph's outputs


class Status(StrEnum):
    """What an answer is worth.

    ANSWERED: `depth` levels are answered. UNKNOWN: no level is sure enough. NOVEL: unlike everything that was learned.
    IMAGE_QUALITY: no photo can be judged, and nothing else was given.
    """

    ANSWERED = "answered"
    UNKNOWN = "unknown"
    NOVEL = "novel"
    IMAGE_QUALITY = "image_quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelAnswer:
    """One level of a path.

    Attributes:
        probability: calibrated, 0..1.
        threshold: what it had to reach, where one is certified.
        answered: whether it is answered for: it reached its threshold, or follows from a level below that did.
    """

    level: str
    label: str
    probability: float
    threshold: float | None
    answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A path through the tree with its probability, 0..1."""

    labels: tuple[str, ...]
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Categorization:
    """The answer for one item.

    Attributes:
        levels: the best path from the coarsest level, all of it, whatever `depth` says.
        depth: the deepest level that is answered for, counted from 1; 0 where there is none. Of a category with several parents a level
            above may be open, and is not answered for then.
        certified: whether `depth` rests on certified thresholds; without a certificate the whole path is answered.
        alternatives: the most probable paths, the best first.
        novelty: score of `vision.catalog.novelty` over its radius: above 1 is novel. 0 without a photo.
        modalities: what the answer was made from.
        quality_faults: what is wrong with photos that were left out.
        not_understood: attributes that the model has not learned.
        embedding: float32 (D,), the mean over the photos; absent without one.
    """

    status: Status
    levels: tuple[LevelAnswer, ...]
    depth: int
    certified: bool
    alternatives: tuple[Alternative, ...]
    novelty: float
    modalities: tuple[str, ...]
    quality_faults: tuple[str, ...]
    not_understood: Mapping[str, str]
    embedding: npt.NDArray[np.float32] | None

    @property
    def answered(self) -> tuple[LevelAnswer, ...]:
        """The levels that are answered for."""
        return tuple(one for one in self.levels if one.answered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An item as it is put to the model.

    Attributes:
        item: without the photos that cannot be judged, unless there is nothing else.
        quality_faults: what is wrong with those photos.
        judgeable: whether a photo that can be judged, or anything beside photos, was given.
    """

    item: Item
    rows: tuple[Row, ...]
    modalities: tuple[str, ...]
    quality_faults: tuple[str, ...]
    judgeable: bool


class Categorizer:
    """Places products by one ONNX file of a catalog bundle.

    Args:
        bundle: opened and verified.
        choice: which file, on how many threads; as qualified for this machine by default.

    Raises:
        BundleError: not a catalog bundle, or its golden set does not come out the same here.
        CertificateError: the certificate speaks of another model.
    """

    def __init__(self, bundle: Bundle, *, choice: Choice | None = None) -> None:
        self.bundle, self.spec = bundle, catalog_spec(bundle)
        self.taxonomy = bundled_taxonomy(bundle, self.spec)
        self.choice = choice or choose(bundle)
        self.session = Session(
            bundle.read(self.choice.file), name=self.choice.file, threads=self.choice.threads
        )
        check_golden(bundle, self.choice.file, self.session)
        arrays = bundle.arrays(REFERENCE)
        self.projection, self.novelty = Projection.from_arrays(arrays), Novelty.from_arrays(arrays)
        self.labels = tuple(self.taxonomy.labels(level) for level in self.spec.levels)
        self.sizes = tuple(map(len, self.labels))
        _check_outputs(bundle, self)

    @property
    def reading(self) -> FileReading:
        """How this file's answers are read."""
        return self.spec.files[self.choice.file]

    def prepare(self, frame: Frame) -> Prepared:
        """A photo as the model takes it.

        Raises:
            ImageError: the frame does not hold the region of interest.
        """
        return prepare(frame, self.bundle.manifest.preprocess)

    def ask(self, item: Item) -> Asked:
        """The rows to put to the model; photos that cannot be judged are left out where something else is given.

        Raises:
            CatalogError: the item has nothing that the model reads, or a title that is too long.
        """
        check_title(item.title)
        faults = [self._fault(photo) for photo in item.photos]
        sound = tuple(photo for photo, fault in zip(item.photos, faults, strict=True) if fault is None)
        kept = Item(photos=sound, title=item.title, attributes=item.attributes)
        judgeable = bool(sound) or given_modalities(item, self.spec) != (IMAGE,)
        if not judgeable:
            kept = item
        return Asked(
            item=kept,
            rows=rows_of(kept, self.spec, self.bundle.manifest.preprocess.size_wh),
            modalities=given_modalities(kept, self.spec),
            quality_faults=tuple(fault for fault in faults if fault is not None),
            judgeable=judgeable,
        )

    def _fault(self, photo: Prepared) -> str | None:
        return self.spec.quality.fault(quality.measure(photo.image_hwc)) or self.spec.framing.fault(
            framing.measure(photo.image_hwc)
        )

    def predict(self, rows: Sequence[Row], *, session: Session | None = None) -> list[RowPrediction]:
        """One pass over a batch of rows, of whichever items: each one's outputs by name, and its novelty score.

        That score reads as much memory as the model does, so it is found for all rows at once.

        Args:
            session: of the same file on other threads, instead of the categorizer's own.
        """
        pictures, beside = stacked(rows)
        outputs = (session or self.session).run(pictures, beside=beside)
        scores = self.novelty.scores(self.projection.project(outputs[EMBEDDING]))
        return [
            {name: values[index] for name, values in outputs.items()} | {_NOVELTY: scores[index]}
            for index in range(len(rows))
        ]

    def categorize(self, asked: Asked, predictions: Sequence[RowPrediction]) -> Categorization:
        """The answer, from the predictions for the item's rows."""
        logits = pooled_logits(predictions, self.spec.levels)
        temperature = self.reading.temperatures[subset_name(asked.modalities)]
        by_path = path_probabilities([one[None] for one in logits], self.taxonomy.paths, temperature)
        by_level = [one[0] for one in level_probabilities(by_path, self.taxonomy.paths, self.sizes)]
        promises = self._promises(asked.modalities)
        depth, label = deepest(by_level, promises)
        path = best_path_through(by_path[0], self.taxonomy.paths, max(depth, 1) - 1, label)
        embedding = None
        novelty = 0.0
        if IMAGE in asked.modalities:
            embedding = np.asarray(np.mean([one[EMBEDDING] for one in predictions], axis=0), np.float32)
            novelty = self._novelty(embedding, predictions) / self.reading.novelty_radius
        status = self._status(asked, depth, novelty)
        depth = depth if status is Status.ANSWERED else 0
        return Categorization(
            status=status,
            levels=self._levels(path, by_level, promises, depth),
            depth=depth,
            certified=promises is not None,
            alternatives=self._alternatives(by_path[0]),
            novelty=novelty,
            modalities=asked.modalities,
            quality_faults=asked.quality_faults,
            not_understood=not_understood(asked.item, self.spec),
            embedding=embedding,
        )

    def answer(self, item: Item) -> Categorization:
        """All steps for one item.

        Raises:
            CatalogError: as `ask`.
        """
        asked = self.ask(item)
        return self.categorize(asked, self.predict(asked.rows))

    def _novelty(self, embedding: Floats, predictions: Sequence[RowPrediction]) -> float:
        """The score of an item's embedding, which of one photo is known."""
        if len(predictions) == 1:
            return float(predictions[0][_NOVELTY])
        return float(self.novelty.scores(self.projection.project(embedding[None]))[0])

    def _promises(self, modalities: Sequence[str]) -> tuple[LevelPromise, ...] | None:
        certificate = self.reading.certificate
        return None if certificate is None else certificate.promises[subset_name(modalities)]

    def _status(self, asked: Asked, depth: int, novelty: float) -> Status:
        if not asked.judgeable:
            return Status.IMAGE_QUALITY
        if novelty > 1:
            return Status.NOVEL
        return Status.ANSWERED if depth else Status.UNKNOWN

    def _levels(
        self,
        path: int,
        by_level: Sequence[Floats],
        promises: Sequence[LevelPromise] | None,
        depth: int,
    ) -> tuple[LevelAnswer, ...]:
        places = self.taxonomy.paths[path].tolist()
        vouched = answered_levels(by_level, promises, self.taxonomy.paths, places[:depth])
        return tuple(
            LevelAnswer(
                level=level,
                label=self.labels[index][place],
                probability=float(by_level[index][place]),
                threshold=promises[index].threshold if promises else None,
                answered=index < depth and vouched[index],
            )
            for index, (level, place) in enumerate(zip(self.spec.levels, places, strict=True))
        )

    def _alternatives(self, by_path: Floats) -> tuple[Alternative, ...]:
        best = np.argsort(-by_path, kind="stable")[:ALTERNATIVES]
        return tuple(
            Alternative(
                labels=tuple(
                    labels[place]
                    for labels, place in zip(self.labels, self.taxonomy.paths[one].tolist(), strict=True)
                ),
                probability=float(by_path[one]),
            )
            for one in best
        )


def pooled_logits(predictions: Sequence[RowPrediction], levels: Sequence[str]) -> list[Floats]:
    """Each level's logits (C,) for an item with several photos: the photos' terms averaged, everything else said once."""
    first, count = predictions[0], len(predictions)
    if count == 1:
        return [first[f"logits_{level}"] for level in levels]
    return [
        first[f"logits_{level}"]
        - first[f"image_{level}"]
        + np.mean([one[f"image_{level}"] for one in predictions], axis=0)
        for level in levels
    ]


def deepest(by_level: Sequence[Floats], promises: Sequence[LevelPromise] | None) -> tuple[int, int]:
    """How many levels are answered for, and the most probable label at the last of them (at the first where there is none).

    A level is answered for when its most probable label reaches the certified threshold; without any promises all are.
    """
    for index in reversed(range(len(by_level))):
        label = int(by_level[index].argmax())
        threshold = promises[index].threshold if promises else 0.0
        if threshold is not None and by_level[index][label] >= threshold:
            return index + 1, label
    return 0, int(by_level[0].argmax())


def answered_levels(
    by_level: Sequence[Floats],
    promises: Sequence[LevelPromise] | None,
    paths: Paths,
    answered: Sequence[int],
) -> list[bool]:
    """Which of the levels down to one that is answered for are answered for themselves; without any promises all are.

    With several parents, a class may be certain and the way there open. What is not the same on every way there must have reached the
    threshold of its own level, as the most probable label there; what is the same is right where the class below is.

    Args:
        answered: the path's classes, down to that level.
    """
    if promises is None or not answered:
        return [True] * len(answered)
    level = len(answered) - 1
    follows = follows_above(paths, level, answered[-1]).tolist()
    return [
        follow or deepest(by_level[index : index + 1], promises[index : index + 1]) == (1, label)
        for index, (label, follow) in enumerate(zip(answered, [*follows, True], strict=True))
    ]


def _check_outputs(bundle: Bundle, categorizer: Categorizer) -> None:
    """One blank picture through the model, beside it the highest ids there can be: all must fit, and the answer have all its parts."""
    spec, name = categorizer.spec, categorizer.session.name
    width, height = bundle.manifest.preprocess.size_wh
    found = categorizer.session.run(np.zeros((1, height, width, 3), np.uint8), beside=highest_ids(spec))
    dimension = len(categorizer.projection.axes)
    for one in output_names(spec.levels, spec.modalities):
        kind, _, level = one.partition("_")
        size = categorizer.sizes[spec.levels.index(level)] if level else dimension
        shape = found[one].shape if one in found else ()
        if len(shape) < 2 or shape[1 if kind == "cam" else -1] != size:
            raise BundleError(
                f"{bundle.path}: {name}: expected an output {one} for {size} "
                f"{'classes' if level else 'dimensions'}, found {shape or 'none'}"
            )
    if categorizer.novelty.vectors.shape[1] != categorizer.projection.dimension:
        raise BundleError(
            f"{bundle.path}: {REFERENCE}: expected novelty vectors of {categorizer.projection.dimension} dimensions, "
            f"found {categorizer.novelty.vectors.shape[1]}"
        )


def open_categorizer(
    path: Path,
    *,
    trusted: Iterable[Ed25519PublicKey] = (),
    require_signature: bool = False,
    choice: Choice | None = None,
) -> Categorizer:
    """Open and verify a bundle, load its model as qualified for this machine, and warm it up.

    Raises:
        BundleError: as `vision.bundle.open_bundle` and `Categorizer`.
    """
    bundle = open_bundle(path, trusted=trusted, require_signature=require_signature)
    categorizer = Categorizer(bundle, choice=choice)
    categorizer.session.warm_up(bundle.manifest.preprocess.size_wh)
    return categorizer
