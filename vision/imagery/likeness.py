"""Does the finished image still show that product, sound as it was? Asked of the classifiers that catalog and line use.

The product's pixels are locked, so this is not about them: it is about what the scene makes of them. A bottle in a scene that is taken for
a lamp will not be found by those who look for bottles, and a shadow that is taken for a crack brings complaints.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field

from vision.catalog.categorize import Categorizer, open_categorizer
from vision.catalog.item import Item
from vision.cosine import Floats, cosines, unit
from vision.image import Frame, Pixels
from vision.inspection.inspect import Inspector, open_inspector

_MARGIN = 0.05  # of the product's box, left around it when it is looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the classifiers make of a picture.

    Attributes:
        category: its path in the tree as far as it is answered for, from the coarsest level; none without a catalog model.
        embedding: float32 (D,), of the product's box.
        defect: probability of defect in the product's box; none without an inspection model.
        rejected: whether that would be rejected at the line.
    """

    category: tuple[str, ...] | None = None
    embedding: Floats | None = None
    defect: float | None = None
    rejected: bool = False


class Likeness(BaseModel):
    """A finished image beside the product's photo; what no model was given for is absent.

    Attributes:
        category, image_category: of the photo and of the image.
        same_category: whether the image falls into the photo's category, as far down as both are answered for; absent where the photo is taken for nothing.
        identity: cosine of the two embeddings, -1 to 1.
        defect, image_defect: probabilities of defect.
        new_defect: whether the image shows one that the photo does not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    category: tuple[str, ...] | None = None
    image_category: tuple[str, ...] | None = None
    same_category: bool | None = None
    identity: float | None = Field(default=None, ge=-1.001, le=1.001)
    defect: float | None = None
    image_defect: float | None = None
    new_defect: bool | None = None


def open_classifiers(
    catalog: Path | None,
    inspection: Path | None,
    *,
    trusted: Iterable[Ed25519PublicKey] = (),
    require_signature: bool = False,
) -> "Classifiers":
    """From bundles, each of which may be absent.

    Raises:
        BundleError: one cannot be used here, or is not of its kind.
    """
    keys = tuple(trusted)
    categorizer = inspector = None
    if catalog is not None:
        categorizer = open_categorizer(catalog, trusted=keys, require_signature=require_signature)
    if inspection is not None:
        inspector = open_inspector(inspection, trusted=keys, require_signature=require_signature)
    return Classifiers(categorizer=categorizer, inspector=inspector)


class Classifiers:
    """What is asked. Each may be absent, and the questions it would answer are then left open."""

    def __init__(self, *, categorizer: Categorizer | None = None, inspector: Inspector | None = None) -> None:
        self._categorizer, self._inspector = categorizer, inspector

    @property
    def present(self) -> bool:
        """Whether there is anybody to ask."""
        return self._categorizer is not None or self._inspector is not None

    def see(self, image_hwc: Pixels, box_xyxy: tuple[int, int, int, int], *, name: str) -> Seen:
        """Look at a picture uint8 (H, W, 3) whose product lies in a box.

        Raises:
            ImageError: a model's region of interest does not fit.
        """
        product = _frame(_around(image_hwc, box_xyxy), name)
        category = embedding = defect = None
        rejected = False
        if self._categorizer is not None:
            whole, near = (
                self._categorizer.answer(Item(photos=(self._categorizer.prepare(one),)))
                for one in (_frame(image_hwc, name), product)
            )
            category, embedding = tuple(level.label for level in whole.answered), near.embedding
        if self._inspector is not None:
            prediction = self._inspector.predict([self._inspector.prepare(product)])[0]
            defect = self._inspector.judge(prediction, None, watch=False).probability
            reject_at = self._inspector.decision.policy.reject_at
            rejected = defect is not None and reject_at is not None and defect >= reject_at
        return Seen(category=category, embedding=embedding, defect=defect, rejected=rejected)


def likeness(photo: Seen, image: Seen) -> Likeness:
    """The image beside the photo."""
    identity = same = new = None
    if photo.embedding is not None and image.embedding is not None:
        identity = float(cosines(unit(photo.embedding[None]), unit(image.embedding[None]))[0, 0])
    if photo.category and image.category is not None:  # one taken for nothing has no category to fall into
        depth = min(len(photo.category), len(image.category))
        same = depth > 0 and photo.category[:depth] == image.category[:depth]
    if photo.defect is not None and image.defect is not None:
        new = image.rejected and not photo.rejected
    return Likeness(
        category=photo.category,
        image_category=image.category,
        same_category=same,
        identity=identity,
        defect=photo.defect,
        image_defect=image.defect,
        new_defect=new,
    )


def _around(image_hwc: Pixels, box_xyxy: tuple[int, int, int, int]) -> Pixels:
    left, top, right, bottom = box_xyxy
    margin = round(_MARGIN * max(right - left, bottom - top))
    return image_hwc[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]


def _frame(image_hwc: Pixels, name: str) -> Frame:
    height, width = image_hwc.shape[:2]
    return Frame(image_hwc=image_hwc, size_wh=(width, height), name=name)
