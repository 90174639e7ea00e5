"""`CatalogService`: products placed, kept, found again, checked, and corrected by people."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

import structlog
from google.protobuf.message import Message
from typing_extensions import override

from server.auth import Role
from server.batching import Lane
from server.cataloguing import Cataloguing, Order, Placed, Product
from server.checking import Checking, Photo
from server.correcting import Correcting, Kind
from server.items import Entering, Items
from server.metrics import Metrics
from server.models import Models
from server.once import Once, Question
from server.rpc import products, rules
from server.rpc.asking import in_order_of_completion, lane_of, question_of
from server.rpc.calls import Context, current_call, log_fault
from server.rpc.models import reference
from server.rpc.rules import FieldsError, Violation
from server.rpc.status import status_of
from server.rpc.verdicts import Verdicts, count_stages
from server.searching import Query, Searching
from server.storage.answers import Answers, KeptAnswer
from server.storage.blobs import Blobs
from vision.errors import NotFoundError, StorageError
from vision.v1 import catalog_pb2, catalog_pb2_grpc, inspection_pb2

_USUAL_HITS: Final = 10
_CATEGORIZE: Final = "Categorize"  # one namespace of request ids for both forms of asking
_LOG: Final = structlog.get_logger("server.catalog")

_Response = TypeVar(
    "_Response",
    catalog_pb2.CategorizeResponse,
    catalog_pb2.IndexItemResponse,
    catalog_pb2.CheckBlemishResponse,
    catalog_pb2.SubmitFeedbackResponse,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogServices:
    """What the calls are carried out by."""

    models: Models
    cataloguing: Cataloguing
    items: Items
    searching: Searching
    checking: Checking
    correcting: Correcting
    verdicts: Verdicts
    answers: Answers
    photos: Blobs
    metrics: Metrics


class CatalogRpc(catalog_pb2_grpc.CatalogServiceServicer):
    """Over the served catalog models and the kept items."""

    def __init__(self, services: CatalogServices) -> None:
        self._do, self._once = services, Once(self._earlier)

    @override
    async def Categorize(
        self, request: catalog_pb2.CategorizeRequest, context: Context
    ) -> catalog_pb2.CategorizeResponse:
        return await self._categorize(request)

    @override
    async def CategorizeStream(
        self, request_iterator: AsyncIterator[catalog_pb2.CategorizeRequest], context: Context
    ) -> AsyncIterator[catalog_pb2.CategorizeStreamResponse]:
        async with aclosing(in_order_of_completion(request_iterator, self._outcome)) as answers:
            async for answer in answers:
                yield answer

    @override
    async def IndexItem(
        self, request: catalog_pb2.IndexItemRequest, context: Context
    ) -> catalog_pb2.IndexItemResponse:
        entering = Entering(
            item_id=request.item_id,
            product=products.product_from_wire(request.product),
            by=current_call().principal.user,
            split=request.split,
            deadline=current_call().deadline,
            lane=lane_of(request.priority, usual=Lane.CATALOG),
        )

        async def answer() -> catalog_pb2.IndexItemResponse:
            entered = await self._do.items.enter(self._do.models.catalog(request.model), entering)
            self._count(entered.placed.model.name, entered.placed.answer.status.value)
            count_stages(self._do.metrics, entered.placed.model.name, entered.placed.stages)
            return products.entered_to_wire(entered, request)

        return await self._answered("IndexItem", request, answer, catalog_pb2.IndexItemResponse)

    @override
    async def RemoveItem(
        self, request: catalog_pb2.RemoveItemRequest, context: Context
    ) -> catalog_pb2.RemoveItemResponse:
        return catalog_pb2.RemoveItemResponse(removed=await self._do.items.remove(request.item_id))

    @override
    async def SearchSimilar(
        self, request: catalog_pb2.SearchSimilarRequest, context: Context
    ) -> catalog_pb2.SearchSimilarResponse:
        if not (request.image or request.item_id or request.text):
            raise FieldsError(Violation("query", "expected one of image, item_id and text, found none"))
        categories, attributes = products.filters_from_wire(request)
        model = self._do.models.catalog(request.model)
        query = Query(
            image=request.image,
            item_id=request.item_id,
            text=request.text,
            categories=categories,
            attributes=attributes,
            limit=request.limit or _USUAL_HITS,
            deadline=current_call().deadline,
        )
        response = products.found_to_wire(await self._do.searching.similar(model, query))
        response.model.CopyFrom(reference(model.identity))
        return response

    @override
    async def CheckBlemish(
        self, request: catalog_pb2.CheckBlemishRequest, context: Context
    ) -> catalog_pb2.CheckBlemishResponse:
        rules.check_alone(request, "item_id", ("model", "title", "attributes"))
        known = Product(
            title=request.title, attributes=products.attributes_from_wire(request.attributes, "attributes")
        )
        photo = Photo(
            image=request.image,
            deadline=current_call().deadline,
            lane=lane_of(request.priority, usual=Lane.CATALOG),
            heatmap=request.heatmap,
            explain=request.explain,
        )

        async def answer() -> catalog_pb2.CheckBlemishResponse:
            return await self._checked(request, photo, known)

        return await self._answered("CheckBlemish", request, answer, catalog_pb2.CheckBlemishResponse)

    @override
    async def SubmitFeedback(
        self, request: catalog_pb2.SubmitFeedbackRequest, context: Context
    ) -> catalog_pb2.SubmitFeedbackResponse:
        principal = current_call().principal
        principal.require_user(Role.CATALOG, Role.REVIEW, what="SubmitFeedback")
        labels = products.attributes_from_wire(request.labels, "labels")

        async def answer() -> catalog_pb2.SubmitFeedbackResponse:
            word = await self._do.correcting.submit(
                request.item_id,
                labels,
                comment=request.comment,
                by=principal.user,
                reviewer=Role.REVIEW in principal.roles,
            )
            return catalog_pb2.SubmitFeedbackResponse(
                request_id=request.request_id,
                by=word.by,
                state=products.state_to_wire(word.state),
                labels=word.labels,
            )

        return await self._answered("SubmitFeedback", request, answer, catalog_pb2.SubmitFeedbackResponse)

    @override
    async def ExportFeedback(
        self, request: catalog_pb2.ExportFeedbackRequest, context: Context
    ) -> AsyncIterator[catalog_pb2.ExportFeedbackResponse]:
        current_call().principal.require_user(Role.REVIEW, what="ExportFeedback")
        taken = await self._do.correcting.take(model=request.model, disputed=request.disputed)
        for lesson in taken.lessons:
            row = products.lesson_to_wire(lesson)
            if request.photos:
                row.photos.extend([await self._photo(one.sha256) for one in lesson.item.photos])
            yield catalog_pb2.ExportFeedbackResponse(feedback=row)
        yield catalog_pb2.ExportFeedbackResponse(
            counts=catalog_pb2.FeedbackCounts(
                corrections=taken.kinds.get(Kind.CORRECTION, 0),
                hard_cases=taken.kinds.get(Kind.HARD_CASE, 0),
                confirmations=taken.kinds.get(Kind.CONFIRMATION, 0),
                frozen=taken.frozen,
                disputed=taken.disputed,
            )
        )

    async def _photo(self, sha256: str) -> bytes:
        """A photo's bytes; none where it went with its item in this moment, or is damaged: there is still to be learned from others."""
        try:
            return await asyncio.to_thread(self._do.photos.get, sha256)
        except NotFoundError:
            return b""
        except StorageError as error:
            _LOG.error("photo not exported", photo=sha256, why=str(error))
            return b""

    async def _outcome(self, request: catalog_pb2.CategorizeRequest) -> catalog_pb2.CategorizeStreamResponse:
        try:
            rules.check(request)
            response = await self._categorize(request)
        except Exception as error:  # noqa: BLE001  (the boundary: one failed product does not end the stream)
            log_fault(error)
            return catalog_pb2.CategorizeStreamResponse(
                request_id=request.request_id, error=status_of(error, request_id=current_call().log_id)
            )
        return catalog_pb2.CategorizeStreamResponse(request_id=request.request_id, response=response)

    async def _categorize(self, request: catalog_pb2.CategorizeRequest) -> catalog_pb2.CategorizeResponse:
        order = Order(
            product=products.product_from_wire(request.product),
            deadline=current_call().deadline,
            lane=lane_of(request.priority, usual=Lane.CATALOG),
            reasons=request.reasons,
            heatmap=request.heatmap,
        )

        async def answer() -> catalog_pb2.CategorizeResponse:
            placed = await self._do.cataloguing.place(self._do.models.catalog(request.model), order)
            self._count(placed.model.name, placed.answer.status.value)
            count_stages(self._do.metrics, placed.model.name, placed.stages)
            return products.placed_to_wire(placed, request)

        return await self._answered(_CATEGORIZE, request, answer, catalog_pb2.CategorizeResponse)

    async def _checked(
        self, request: catalog_pb2.CheckBlemishRequest, photo: Photo, known: Product
    ) -> catalog_pb2.CheckBlemishResponse:
        if request.item_id:
            checked = await self._do.checking.check_kept(photo, request.item_id)
        else:
            checked = await self._do.checking.check(self._do.models.catalog(request.model), photo, known)
        if isinstance(checked.product, Placed):
            self._count(checked.product.model.name, checked.product.answer.status.value)
        # kept as any part is, for people to review; the request's own id stands for the whole answer
        inner = inspection_pb2.InspectRequest(image=checked.image, part=request.part)
        question = Question(
            principal=current_call().principal.user, method="CheckBlemish", request_id="", payload_sha256=""
        )
        inspection = await self._do.verdicts.kept(inner, question, checked.judged.outcome, checked.judged)
        return products.checked_to_wire(checked, request, inspection)

    def _count(self, model: str, status: str) -> None:
        self._do.metrics.placed(model, status)

    async def _answered(
        self,
        method: str,
        request: Message,
        answer: Callable[[], Awaitable[_Response]],
        kind: type[_Response],
    ) -> _Response:
        """The answer to a request, the same one where it was asked before under its id."""
        question = question_of(method, request)
        if not question.request_id:
            return await answer()

        async def kept() -> bytes:
            return await self._kept(question, (await answer()).SerializeToString())

        given, repeated = await self._once.answered(question, kept)
        response = kind.FromString(given)
        response.repeated_answer = repeated
        return response

    async def _kept(self, question: Question, answer: bytes) -> bytes:
        """The answer that holds: this one, or the one that another server has kept in the meantime."""
        given = KeptAnswer(payload_sha256=question.payload_sha256, answer=answer)
        try:
            holds = await asyncio.to_thread(self._do.answers.keep, question.key, given, datetime.now(UTC))
        except StorageError as error:  # the caller need not go without its answer
            _LOG.warning("answer not kept", method=question.method, why=str(error))
            return answer
        question.same(holds.payload_sha256)
        return holds.answer

    async def _earlier(self, question: Question) -> KeptAnswer | None:
        try:
            return await asyncio.to_thread(self._do.answers.find, *question.key)
        except StorageError as error:
            _LOG.warning("earlier answers not read", method=question.method, why=str(error))
            return None
