"""Blemishes in customers' photos: the product's category says by which inspection model it is judged.

Takes a photo, and what is known of the product or the id under which it is kept; gives where the product belongs and what that model found.
It knows nothing of the wire or of what is kept of the answer.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from server.batching import Lane
from server.cataloguing import Cataloguing, Placed, Product
from server.cataloguing import Order as Placing
from server.inspecting import Inspecting, Judged
from server.inspecting import Order as Judging
from server.loading import CatalogModel, InspectionModel
from server.models import Models
from server.storage.catalog_items import CatalogItems, ItemRow
from vision.errors import NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A customer's photo, and what is asked of it; `deadline` in seconds of the monotonic clock."""

    image: bytes
    deadline: float
    lane: Lane = Lane.CATALOG
    heatmap: bool = False
    explain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found.

    Attributes:
        image: the photo without metadata, as it may be kept.
        product: the kept product, or where the photo was placed.
        routed_by: the category that chose the model; empty where it was the default.
    """

    image: bytes
    product: Placed | ItemRow
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
        items: CatalogItems,
        routes: Mapping[str, str],
        default: str,
    ) -> None:
        self._cataloguing, self._inspecting = cataloguing, inspecting
        self._models, self._items = models, items
        self._routes, self._default = routes, default

    async def check(self, model: CatalogModel, photo: Photo, known: Product) -> Checked:
        """Place the product by its photo and what else is known of it, and have the photo judged.

        Raises:
            NotFoundError: no route for it, or the model that it leads to is not served.
            OverloadedError, DeadlineError, ImageError, CatalogError: as `Cataloguing.place` and `Inspecting.judge`.
        """
        image = await self._plain(photo)
        placed = await self._cataloguing.place(
            model,
            Placing(product=replace(known, photos=(image,)), deadline=photo.deadline, lane=photo.lane),
        )
        answered = [one.label for one in placed.answer.answered]
        route = self._routed(answered, f"a product that is {placed.answer.status.value}")
        return await self._judged(photo, image, placed, route)

    async def check_kept(self, photo: Photo, item_id: str) -> Checked:
        """Have the photo of a kept product judged.

        Raises:
            NotFoundError: no such item; else as `check`.
            StorageError: the database does not answer.
            OverloadedError, DeadlineError, ImageError: as `Inspecting.judge`.
        """
        item = await asyncio.to_thread(self._items.find, item_id)
        labels = [item.labels[level] for level in item.said if level in item.labels]
        route = self._routed(labels, "an item that nobody has placed")
        image = await self._plain(photo)
        return await self._judged(photo, image, item, route)

    async def _plain(self, photo: Photo) -> bytes:
        given = {"image": photo.image}
        (image,) = await self._cataloguing.plain(given, deadline=photo.deadline, lane=photo.lane)
        return image

    async def _judged(
        self, photo: Photo, image: bytes, product: Placed | ItemRow, route: tuple[str, InspectionModel]
    ) -> Checked:
        routed_by, inspector = route
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
        return Checked(image=image, product=product, routed_by=routed_by, judged=judged)

    def _routed(self, labels: Sequence[str], unplaced: str) -> tuple[str, InspectionModel]:
        """By the deepest of a product's categories, from the coarsest, that has a route."""
        category = next((label for label in reversed(labels) if label in self._routes), "")
        name = self._routes[category] if category else self._default
        if not name:
            raise NotFoundError(
                f"catalog.blemish: expected a route for {' > '.join(labels) or unplaced}, "
                f"found: {', '.join(sorted(self._routes)) or 'none'}"
            )
        return category, self._models.inspection(name)
