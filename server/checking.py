"""Blemishes in customers' photos: the product's category says by which inspection model it is judged.

Takes a photo, gives where the product belongs and what that model found. It knows nothing of the wire or of what is kept.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from server.batching import Lane
from server.cataloguing import Cataloguing, Placed, Product
from server.cataloguing import Order as Placing
from server.inspecting import Inspecting, Judged
from server.inspecting import Order as Judging
from server.loading import CatalogModel, InspectionModel
from server.models import Models
from vision.catalog.categorize import Categorization
from vision.errors import NotFoundError
from vision.privacy import without_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A customer's photo, and what else is known of the product."""

    image: bytes
    title: str
    attributes: Mapping[str, str]
    deadline: float
    lane: Lane = Lane.CATALOG
    heatmap: bool = False
    explain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found.

    Attributes:
        image: the photo without metadata, as it may be kept.
        routed_by: the category that chose the model; empty where it was the default.
    """

    image: bytes
    placed: Placed
    routed_by: str
    judged: Judged


class Checking:
    """By routes.

    Args:
        routes: by a category's id at any level: the name of an inspection model.
        default: where no category of the product has one; empty: none.
    """

    def __init__(
        self,
        cataloguing: Cataloguing,
        inspecting: Inspecting,
        models: Models,
        routes: Mapping[str, str],
        default: str,
    ) -> None:
        self._cataloguing, self._inspecting, self._models = cataloguing, inspecting, models
        self._routes, self._default = routes, default

    async def check(self, model: CatalogModel, photo: Photo) -> Checked:
        """Place the product and have its photo judged.

        Raises:
            NotFoundError: no route for it, or the model that it leads to is not served.
            OverloadedError, DeadlineError, ImageError, CatalogError: as `Cataloguing.place` and `Inspecting.judge`.
        """
        image = await asyncio.to_thread(without_metadata, photo.image)
        product = Product(photos=(image,), title=photo.title, attributes=photo.attributes)
        placed = await self._cataloguing.place(
            model, Placing(product=product, deadline=photo.deadline, lane=photo.lane)
        )
        routed_by, inspector = self._routed(placed.answer)
        judged = await self._inspecting.judge(
            inspector,
            Judging(
                image=image,
                deadline=photo.deadline,
                lane=photo.lane,
                heatmap=photo.heatmap,
                explain=photo.explain,
            ),
        )
        return Checked(image=image, placed=placed, routed_by=routed_by, judged=judged)

    def _routed(self, answer: Categorization) -> tuple[str, InspectionModel]:
        """By the deepest answered category that has a route."""
        answered = [one.label for one in answer.answered]
        category = next((label for label in reversed(answered) if label in self._routes), "")
        name = self._routes[category] if category else self._default
        if not name:
            where = " > ".join(answered) or f"a product that is {answer.status.value}"
            raise NotFoundError(
                f"catalog.blemish: expected a route for {where}, found: {', '.join(sorted(self._routes)) or 'none'}"
            )
        return category, self._models.inspection(name)
