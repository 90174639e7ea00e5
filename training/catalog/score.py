"""Run catalog items through a model, whichever form it is in, and keep what it said by every subset of the modalities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from training.catalog.lesson import allowed_paths, beside
from training.catalog.network import CatalogNetwork
from training.catalog.run import TitleColumn
from training.data import digest_and_prepare
from training.manifest import Item
from training.processor import kind_here
from vision.bundle import Bundle
from vision.catalog import framing
from vision.catalog.attributes import AttributeSpec
from vision.catalog.decode import level_probabilities, path_probabilities
from vision.catalog.framing import Framing
from vision.catalog.outputs import ATTRIBUTES, EMBEDDING, IMAGE, TEXT
from vision.catalog.spec import bundled_taxonomy, catalog_spec, subsets
from vision.catalog.taxonomy import Taxonomy
from vision.image import Pixels
from vision.inspection.quality import Quality, measure
from vision.preprocess import PreprocessSpec
from vision.qualify import Choice
from vision.session import Beside, Outputs, Session

Scorer = Callable[[Pixels, Beside], Outputs]
BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a model tells apart, and what it reads of an item: known to a run and to a bundle alike."""

    taxonomy: Taxonomy
    title: TitleColumn | None
    attributes: AttributeSpec | None
    preprocess: PreprocessSpec

    @property
    def modalities(self) -> tuple[str, ...]:
        return (IMAGE, *([TEXT] if self.title else []), *([ATTRIBUTES] if self.attributes else []))

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self:
        """As a catalog bundle has it.

        Raises:
            BundleError: it is none, or its tree is another than its model's.
        """
        spec = catalog_spec(bundle)
        return cls(
            taxonomy=bundled_taxonomy(bundle, spec),
            title=TitleColumn(column=spec.title_column or "title", spec=spec.text) if spec.text else None,
            attributes=spec.attributes,
            preprocess=bundle.manifest.preprocess,
        )


@dataclass(frozen=True, kw_only=True)
class CatalogScored:
    """Items with what a model said of each.

    Attributes:
        logits: for each level (N, S, C), the subsets of the modalities as the graph counts them.
        allowed: bool (N, P), the paths that the items' labels leave open.
    """

    items: tuple[Item, ...]
    reading: Reading
    logits: tuple[npt.NDArray[np.float32], ...]
    embeddings: npt.NDArray[np.float32]
    qualities: tuple[Quality, ...]
    framings: tuple[Framing | None, ...]
    digests: tuple[str, ...]
    allowed: npt.NDArray[np.bool_]

    def by_path(self, subset: Sequence[str], temperature: float = 1.0) -> npt.NDArray[np.float64]:
        """Probabilities (N, P) of the paths by a subset of the modalities."""
        place = 1 + subsets(self.reading.modalities).index(tuple(subset))  # after the empty one
        return path_probabilities(
            [level[:, place] for level in self.logits], self.reading.taxonomy.paths, temperature
        )

    def by_level(self, subset: Sequence[str], temperature: float = 1.0) -> list[npt.NDArray[np.float64]]:
        """For each level, probabilities (N, C) by a subset of the modalities."""
        sizes = [level.shape[2] for level in self.logits]
        return level_probabilities(self.by_path(subset, temperature), self.reading.taxonomy.paths, sizes)

    def truth(self, level: int) -> npt.NDArray[np.bool_]:
        """Which labels of a level are right, (N, C): one, or several where an item's labels leave it open."""
        sizes = [one.shape[2] for one in self.logits]
        through = level_probabilities(self.allowed.astype(np.float64), self.reading.taxonomy.paths, sizes)
        return np.asarray(through[level] > 0)


def score(
    scorer: Scorer,
    items: Sequence[Item],
    reading: Reading,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> CatalogScored:
    """Prepare and score every item, each picture read once.

    Raises:
        ImageError: a picture cannot be read; the file is named.
        CatalogError: a label is not the taxonomy's.
    """
    allowed = allowed_paths(items, reading.taxonomy).numpy()
    ids = told(items, reading)
    outputs: list[Outputs] = []
    qualities: list[Quality] = []
    framings: list[Framing | None] = []
    digests: list[str] = []
    wanted = [EMBEDDING, *(f"subsets_{level}" for level in reading.taxonomy.levels)]
    for start in range(0, len(items), BATCH):
        batch = []
        for item in items[start : start + BATCH]:
            digest, image_hwc = digest_and_prepare(item.path, reading.preprocess)
            digests.append(digest)
            qualities.append(measure(image_hwc))
            framings.append(framing.measure(image_hwc))
            batch.append(image_hwc)
        rows = {name: values[start : start + BATCH] for name, values in ids.items()}
        found = scorer(np.stack(batch), rows)
        outputs.append({name: found[name] for name in wanted})
        advance(len(batch))
    together = {name: np.concatenate([one[name] for one in outputs]) for name in wanted}
    return CatalogScored(
        items=tuple(items),
        reading=reading,
        logits=tuple(together[name] for name in wanted[1:]),
        embeddings=together[EMBEDDING],
        qualities=tuple(qualities),
        framings=tuple(framings),
        digests=tuple(digests),
        allowed=allowed,
    )


def told(items: Sequence[Item], reading: Reading) -> dict[str, npt.NDArray[np.int64]]:
    """What the model is given beside the items' pictures, by the graph's names.

    Raises:
        CatalogError: the items lack a column.
    """
    ids = beside(items, reading.title, reading.attributes)
    return dict(zip(reading.modalities[1:], (one.numpy() for one in ids), strict=True))


def session_scorer(session: Session) -> Scorer:
    """A session as a scorer."""
    return lambda pictures, rows: session.run(pictures, beside=rows)


def score_bundle(
    bundle: Bundle, choice: Choice, items: Sequence[Item], *, advance: Callable[[int], None] = lambda _: None
) -> CatalogScored:
    """What a bundle's file says of items.

    Raises:
        ImageError, CatalogError: as `score`.
        BundleError: the bundle cannot be used.
    """
    session = Session(bundle.read(choice.file), name=choice.file, threads=choice.threads)
    return score(session_scorer(session), items, Reading.of_bundle(bundle), advance=advance)


def torch_scorer(network: CatalogNetwork, *, device: str | None = None) -> Scorer:
    """A network as a scorer, in float32; it is moved to `device`, a GPU by default where there is one."""
    device = device or kind_here()
    network.eval().to(device)
    names = network.output_names

    @torch.inference_mode()
    def run(images_nhwc: Pixels, rows: Beside) -> Outputs:
        given = [
            torch.from_numpy(images_nhwc),
            *(torch.from_numpy(np.ascontiguousarray(one)) for one in rows.values()),
        ]
        values = network(*(one.to(device) for one in given))
        return {name: value.cpu().numpy() for name, value in zip(names, values, strict=True)}

    return run
