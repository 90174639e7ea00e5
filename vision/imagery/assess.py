"""What speaks for and against a candidate: what the brief's rule sets find, and what the classifiers take it for."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import JsonValue

from vision.image import decode
from vision.imagery.brief import Brief
from vision.imagery.compliance import Context, Picture, Report, check_picture, rule_set
from vision.imagery.compose.place import product_box
from vision.imagery.create import Candidate, Prepared
from vision.imagery.likeness import Classifiers, Likeness, Seen, likeness
from vision.imagery.style import told


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """What was found of one candidate."""

    reports: tuple[Report, ...]
    facts: Mapping[str, JsonValue]


@dataclass(frozen=True, kw_only=True)
class Assessor:
    """Assesses the candidates of one brief.

    Args:
        classifiers: without any, nothing is said of category, identity and defects.
    """

    prepared: Prepared
    brief: Brief
    classifiers: Classifiers = field(default_factory=Classifiers)

    def rules(self, master_png: bytes) -> tuple[Report, ...]:
        """Of each rule set in the brief's order; as a PNG without labels, which are checked on what is exported.

        Raises:
            ImageError: it is no picture.
        """
        picture = Picture(master_png, Context(name="master.png", alpha_hw=self.prepared.placed.alpha_hw))
        return tuple(check_picture(picture, rule_set(name)) for name in self.brief.rules)

    def likeness(self, master_png: bytes) -> Likeness:
        """To the product in its photo.

        Raises:
            ImageError: it is no picture, or a model's region of interest does not fit.
        """
        if not self.classifiers.present:
            return Likeness()
        image_hwc = decode(master_png, name="master").image_hwc
        seen = self.classifiers.see(image_hwc, self.prepared.placed.box_xyxy, name="master")
        return likeness(self._photo, seen)

    def facts(self, master_png: bytes) -> Mapping[str, JsonValue]:
        """What people should see beside the rules' reports; what no model was given for is left out."""
        cutout = self.prepared.cutout
        return {
            "cutout": cutout.how,
            "quality": cutout.quality,
            "warnings": list(self.prepared.warnings),
            **({} if self.prepared.shown is None else {"style": told(self.prepared.shown.look)}),
            **self.likeness(master_png).model_dump(mode="json", exclude_none=True),
        }

    def assess(self, master_png: bytes) -> "Assessed":
        """Both. Raises ImageError as they do."""
        return Assessed(reports=self.rules(master_png), facts=self.facts(master_png))

    @cached_property
    def _photo(self) -> Seen:
        cutout = self.prepared.cutout
        return self.classifiers.see(cutout.image_hwc, product_box(cutout.alpha_hw), name="product")


def assessed(made: Iterable[Candidate], assessor: Assessor) -> Iterator[tuple[Candidate, Assessed]]:
    """Each candidate once it was assessed, which is done in a thread while the next one is made.

    Raises:
        ImageError: as `Assessor.assess`; and whatever `made` raises.
    """
    before: tuple[Candidate, Future[Assessed]] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="assess") as beside:
        for candidate in made:
            now = candidate, beside.submit(assessor.assess, candidate.master_png)
            if before is not None:
                yield before[0], before[1].result()
            before = now
        if before is not None:
            yield before[0], before[1].result()
