"""What a catalog bundle keeps under `decision`, and the tree beside it: how titles and attributes are read, and each file's answers."""

from collections.abc import Sequence
from itertools import product
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from vision.bundle import Bundle, Manifest, decision_of
from vision.catalog.attributes import AttributeSpec
from vision.catalog.certificate import CatalogCertificate
from vision.catalog.framing import FramingLimits
from vision.catalog.outputs import ATTRIBUTES, IMAGE, TEXT
from vision.catalog.taxonomy import Taxonomy
from vision.catalog.text import TextSpec
from vision.errors import BundleError, CatalogError, CertificateError
from vision.inspection.quality import QualityLimits

TAXONOMY: Final = "taxonomy.json"
_TITLE: Final = "title"


class FileReading(BaseModel):
    """How one ONNX file's outputs become categories.

    Attributes:
        temperatures: by subset of the modalities (`subset_name`), what logits are divided by.
        novelty_radius: score of `vision.catalog.novelty` beyond which an item is novel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperatures: dict[str, Annotated[float, Field(gt=0)]]
    novelty_radius: Annotated[float, Field(gt=0)]
    certificate: CatalogCertificate | None = None


class CalibrationOpening(BaseModel):
    """One opening of calibration data: the more there are, the less a certificate is worth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_digest: str
    opened_on: str
    max_risk: float
    confidence: float


class CatalogSpec(BaseModel):
    """The catalog part of a bundle's manifest.

    Attributes:
        title_column: of a manifest, where the titles were that the model learned from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    levels: Annotated[tuple[str, ...], Field(min_length=1)]
    text: TextSpec | None = None
    title_column: str | None = None
    attributes: AttributeSpec | None = None
    quality: QualityLimits
    framing: FramingLimits = FramingLimits()
    files: dict[str, FileReading]
    calibrations: tuple[CalibrationOpening, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the model reads, in the graph's order."""
        return (IMAGE, *([TEXT] if self.text else []), *([ATTRIBUTES] if self.attributes else []))

    @property
    def title_columns(self) -> tuple[str, ...]:
        """What columns of titles are usually called, the likeliest first; none where titles do not count."""
        return () if self.text is None else (*([self.title_column] if self.title_column else []), _TITLE)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Those of the attributes that count."""
        return self.attributes.names if self.attributes else ()

    def into(self, manifest: Manifest) -> Manifest:
        """The manifest with this as its decision part."""
        return manifest.model_copy(update={"decision": self.model_dump(mode="json")})


def subset_name(modalities: Sequence[str]) -> str:
    """How a subset of the modalities is called, such as `image+text`."""
    return "+".join(modalities)


def subsets(modalities: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Every subset that is not empty, counted up in binary as the graph counts them: all together last."""
    masks = product((False, True), repeat=len(modalities))
    found = (tuple(one for one, there in zip(modalities, mask, strict=True) if there) for mask in masks)
    return tuple(one for one in found if one)


def catalog_spec(bundle: Bundle) -> CatalogSpec:
    """Read the catalog part of a bundle and hold its certificates against its files.

    Raises:
        BundleError: it is no catalog bundle, or a field is wrong.
        CertificateError: a certificate was issued for something else.
    """
    manifest, spec = bundle.manifest, decision_of(bundle, "catalog", CatalogSpec)
    if set(spec.files) != set(manifest.models):
        raise BundleError(
            f"{bundle.path}: decision.files: expected {sorted(manifest.models)}, found {sorted(spec.files)}"
        )
    names = {subset_name(one) for one in subsets(spec.modalities)}
    for name, reading in spec.files.items():
        if set(reading.temperatures) != names:
            raise BundleError(
                f"{bundle.path}: decision.files.{name}.temperatures: expected {sorted(names)}, "
                f"found {sorted(reading.temperatures)}"
            )
        if reading.certificate is not None:
            reading.certificate.check(
                model_sha256=manifest.files[name].sha256,
                preprocess_sha256=manifest.preprocess.digest(),
                temperatures=reading.temperatures,
            )
            promised = {
                subset: tuple(one.level for one in promises)
                for subset, promises in reading.certificate.promises.items()
            }
            if promised != dict.fromkeys(names, spec.levels):
                raise CertificateError(
                    f"{bundle.path}: certificate of {name}: expected promises for {', '.join(spec.levels)} "
                    f"with each of {sorted(names)}, found {promised}"
                )
    return spec


def bundled_taxonomy(bundle: Bundle, spec: CatalogSpec) -> Taxonomy:
    """The tree that travels in a bundle.

    Raises:
        BundleError: it is not there, has a fault, or is another than the model's.
    """
    try:
        tree = Taxonomy.from_json(bundle.read(TAXONOMY), source=TAXONOMY)
    except CatalogError as error:
        raise BundleError(f"{bundle.path}: {error}") from error
    if tree.levels != spec.levels or tree.labels(spec.levels[-1]) != bundle.manifest.labels:
        raise BundleError(
            f"{bundle.path}: {TAXONOMY}: expected the levels {spec.levels} and the model's labels at the last, "
            f"found {tree.levels} and {len(tree.labels(tree.levels[-1]))} labels"
        )
    return tree
