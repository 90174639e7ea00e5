"""One product from bytes to its place in the tree: admitted, decoded in the pool, put to the model in batches, answered whole.

Takes an `Order`, gives a `Placed`; the rim (server/rpc) turns these from and to messages. A product's photos may go through the model in
different batches; its answer waits for all of them. It knows nothing of the wire, of who asks, or of what is kept.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from server.batching import Lane, Served
from server.decoding import DecodePool
from server.inspecting import ANSWERING_S, Stages
from server.loading import CatalogModel
from server.tracing import TRACER
from vision.catalog.categorize import Asked, Categorization, RowPrediction
from vision.catalog.item import Item, Row
from vision.catalog.outputs import EMBEDDING, IMAGE
from vision.catalog.reasons import Reasons, reasons
from vision.errors import ImageError
from vision.image import ImageLimits, encode_png
from vision.inspection.heatmap import overlay
from vision.preprocess import Prepared, prepare_bytes
from vision.privacy import without_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What was handed in of a product: encoded photos, or photos as the model takes them, a title and attributes."""

    photos: tuple[bytes | Prepared, ...] = ()
    title: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for one product; `deadline` in seconds of the monotonic clock."""

    product: Product
    deadline: float
    lane: Lane = Lane.CATALOG
    reasons: bool = False
    heatmap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An answer: which model gave it, and what was asked for beside it.

    Attributes:
        judged: which of the product's photos the answer rests on, by their places.
        heatmaps_png: one for each of these, where they were asked for.
    """

    model: CatalogModel
    asked: Asked
    judged: tuple[int, ...]
    predictions: Sequence[RowPrediction]
    answer: Categorization
    stages: Stages
    reasons: Reasons | None = None
    heatmaps_png: tuple[bytes, ...] = ()

    def vectors(self) -> npt.NDArray[np.float32]:
        """What search compares, float32 (P, d): a unit vector for each photo that was judged."""
        projection = self.model.categorizer.projection
        if IMAGE not in self.asked.modalities:
            return np.empty((0, projection.dimension), np.float32)
        return projection.project(np.stack([one[EMBEDDING] for one in self.predictions]))


@dataclass(frozen=True, slots=True)
class _Decoded:
    asked: Asked
    judged: tuple[int, ...]
    started: float
    took_s: float


class Cataloguing:
    """The path of a product through the server.

    Args:
        limits: what is refused before decoding.
        clock: monotonic seconds.
    """

    def __init__(
        self, pool: DecodePool, limits: ImageLimits, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool, self._limits, self._clock = pool, limits, clock

    async def place(self, model: CatalogModel, order: Order) -> Placed:
        """Place one product.

        Raises:
            OverloadedError: the deadline cannot be kept behind the work that is already inside.
            DeadlineError: the deadline passed on the way.
            ImageError: a photo cannot be used; its place is named.
            CatalogError: the product has nothing that the model reads, or a title that is too long.
        """
        arrived = self._clock()
        order = replace(order, deadline=order.deadline - ANSWERING_S)
        in_turn = partial(self._pool.run, deadline=order.deadline, lane=order.lane)
        rows = max(1, len(order.product.photos))
        with model.batcher.admitted(deadline=order.deadline, lane=order.lane, items=rows):
            with TRACER.start_as_current_span("decode"):
                decoded = await in_turn(lambda: self._decode(model, order.product))
            with TRACER.start_as_current_span("model", attributes={"loupe.model": model.name}) as span:
                served = await _all(model, decoded.asked.rows, order)
                span.set_attribute("loupe.batch", max(one.batch for one in served))
            with TRACER.start_as_current_span("place"):
                placed: Placed = await in_turn(lambda: _placed(model, decoded, served, order))
        return replace(
            placed,
            stages=Stages(
                queue_ms=1e3 * (decoded.started - arrived + max(one.queue_s for one in served)),
                decode_ms=1e3 * decoded.took_s,
                model_ms=1e3 * max(one.run_s for one in served),
                total_ms=1e3 * (self._clock() - arrived),
                batch=max(one.batch for one in served),
            ),
        )

    async def plain(self, photos: Mapping[str, bytes], *, deadline: float, lane: Lane) -> list[bytes]:
        """Photos as they may be kept, without metadata (`vision.privacy`), made in the pool in their turn.

        Args:
            photos: by the names that an error calls them.

        Raises:
            DeadlineError: the deadline passed before their turn came.
            ImageError: one is no picture within the limits, and its name is told; or they are more together than a message holds,
                so that they could not be handed out again.
        """

        def made() -> list[bytes]:
            plain = [without_metadata(data, name=name, limits=self._limits) for name, data in photos.items()]
            size, most = sum(map(len, plain)), self._limits.max_bytes
            if size > most:
                raise ImageError(
                    f"{', '.join(photos)}: expected at most {most} bytes together as they are kept, found {size}"
                )
            return plain

        return await self._pool.run(made, deadline=deadline, lane=lane)

    def _decode(self, model: CatalogModel, product: Product) -> _Decoded:
        started = self._clock()
        spec = model.bundle.manifest.preprocess
        photos = tuple(
            photo
            if isinstance(photo, Prepared)
            else prepare_bytes(photo, spec, name=f"photos[{place}]", limits=self._limits)
            for place, photo in enumerate(product.photos)
        )
        asked = model.categorizer.ask(Item(photos=photos, title=product.title, attributes=product.attributes))
        kept = {id(photo) for photo in asked.item.photos}
        judged = tuple(place for place, photo in enumerate(photos) if id(photo) in kept)
        return _Decoded(asked, judged, started, self._clock() - started)


async def _all(model: CatalogModel, rows: Sequence[Row], order: Order) -> list[Served[RowPrediction]]:
    """The model's answers to all rows, in their order; where one fails the others leave the queue, and its error is raised."""
    submit = partial(model.batcher.submit, deadline=order.deadline, lane=order.lane)
    if len(rows) == 1:
        return [await submit(rows[0])]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(submit(row)) for row in rows]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [task.result() for task in tasks]


def _placed(
    model: CatalogModel, decoded: _Decoded, served: Sequence[Served[RowPrediction]], order: Order
) -> Placed:
    """The answer, still without its times."""
    asked, predictions = decoded.asked, [one.answer for one in served]
    answer = model.categorizer.categorize(asked, predictions)
    why, heatmaps = None, tuple[bytes, ...]()
    if order.reasons or order.heatmap:
        why = reasons(model.categorizer, asked, predictions, answer)
    if why is not None and order.heatmap:
        pictured = zip(asked.item.photos, why.evidence_hw, strict=bool(why.evidence_hw))
        heatmaps = tuple(encode_png(overlay(photo, evidence)) for photo, evidence in pictured)
    return Placed(
        model=model,
        asked=asked,
        judged=decoded.judged,
        predictions=predictions,
        answer=answer,
        stages=Stages(queue_ms=0, decode_ms=0, model_ms=0, total_ms=0, batch=0),
        reasons=why if order.reasons else None,
        heatmaps_png=heatmaps,
    )
