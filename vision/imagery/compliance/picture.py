"""An encoded image as the checks see it: decoded once, and each thing measured of it once, when a rule first asks."""

from functools import cached_property
from typing import Final

from vision.errors import ImageryError
from vision.image import ImageHeader, ImageLimits, Pixels, decode, read_header
from vision.imagery.compliance import border, metadata, product, text
from vision.imagery.compliance.border import Drawn
from vision.imagery.compliance.colour import Colours, colours, transparent
from vision.imagery.compliance.context import Context
from vision.imagery.compliance.metadata import LIMITS, Metadata
from vision.imagery.compliance.product import Background, Product
from vision.imagery.compliance.text import Line
from vision.imagery.labels.corner import find

_SAME_EDGE_PX: Final = 4


class Picture:
    """One image with what is known of it.

    Args:
        limits: beyond which it is refused rather than measured.

    Raises:
        ImageError: it cannot be decoded whole.
        ImageryError: the alpha handed in is not of its size.
    """

    def __init__(self, data: bytes, context: Context | None = None, *, limits: ImageLimits = LIMITS) -> None:
        self.data = data
        self.context = context or Context()
        self.name = self.context.name or "image"
        self.header: ImageHeader = read_header(data, name=self.name, limits=limits)
        self.image_hwc: Pixels = decode(data, name=self.name, limits=limits).image_hwc
        alpha_hw = self.context.alpha_hw
        if alpha_hw is not None and alpha_hw.shape != self.image_hwc.shape[:2]:
            found = f"{alpha_hw.shape[1]}x{alpha_hw.shape[0]}"
            width, height = self.size_wh
            raise ImageryError(
                f"{self.name}: mask: expected {width}x{height}, the image's size, found {found}"
            )

    @property
    def size_wh(self) -> tuple[int, int]:
        """Upright, in pixels."""
        return self.header.size_wh

    @cached_property
    def metadata(self) -> Metadata:
        return metadata.read_metadata(self.data, self.header.format, name=self.name)

    @property
    def signed(self) -> bool:
        return metadata.signed(self.data)

    @cached_property
    def drawn_label(self) -> bool:
        """Whether the label that people are to see stands in a corner."""
        return find(self.image_hwc) is not None

    @cached_property
    def colours(self) -> Colours:
        return colours(self.metadata.mode, self.metadata.icc)

    @cached_property
    def transparent(self) -> float:
        """Share of pixels that are not opaque, 0 to 1."""
        return transparent(self.data, self.header.format)

    @cached_property
    def border(self) -> Drawn:
        """What was drawn around it; the edge of a product that is known to end there is nothing drawn."""
        found = border.drawn(self.image_hwc)
        return Drawn() if found and self._ends_there(found) else found

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """What can be read in it.

        Raises:
            MissingExtraError: the reader is not installed.
        """
        return text.read(self.image_hwc)

    @cached_property
    def background(self) -> Background:
        return product.background(self._inner())

    @cached_property
    def product(self) -> Product | str:
        """The product, or in words why it is not known where it is."""
        if self.context.alpha_hw is not None:
            return product.from_alpha(self.context.alpha_hw)
        found = product.estimate(self._inner(), self.background)
        if isinstance(found, str) or not self.border:
            return found
        return product.within(found, self.size_wh, left=self.border.left, top=self.border.top)

    def _ends_there(self, found: Drawn) -> bool:
        if self.context.alpha_hw is None or not isinstance(self.product, Product):
            return False
        width, height = self.size_wh
        left, top, right, bottom = self.product.box_xyxy
        sides = (
            (found.left, left),
            (found.top, top),
            (found.right, width - right),
            (found.bottom, height - bottom),
        )
        return all(depth == 0 or abs(depth - side) <= _SAME_EDGE_PX for depth, side in sides)

    def _inner(self) -> Pixels:
        """Within what was drawn around the picture, which is neither product nor background."""
        height, width = self.image_hwc.shape[:2]
        drawn = self.border
        return self.image_hwc[drawn.top : height - drawn.bottom, drawn.left : width - drawn.right]
