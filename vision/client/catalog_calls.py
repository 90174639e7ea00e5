"""What can be asked of a catalog, as questions in the sense of `vision.client.calls`: blocking and asynchronous clients put the same ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message

from vision.client import catalog_answers as said
from vision.client.calls import PRIORITIES, Many, Question, fresh_id, image_bytes
from vision.client.catalog_values import (
    Blemish,
    Categorized,
    Feedback,
    FeedbackGiven,
    Found,
    Indexed,
    Product,
    ProductOutcome,
)
from vision.client.values import Priority
from vision.errors import ImageError, SettingsError
from vision.image import ImageLimits
from vision.v1 import catalog_pb2, inspection_pb2

_MAX_BYTES: Final = (
    ImageLimits().max_bytes + 64 * 1024
)  # of a message, as a server takes it unless it is told otherwise


def categorize(
    product: Product,
    *,
    model: str = "",
    request_id: str | None = None,
    reasons: bool = False,
    heatmap: bool = False,
    embedding: bool = False,
    language: str = "",
    priority: Priority = "catalog",
) -> Question[Categorized]:
    """One product.

    Raises:
        ImageError: a photo cannot be read, is empty or is too large.
        SettingsError: a text cannot be sent, or the priority is none.
    """
    request = catalog_pb2.CategorizeRequest(
        request_id=fresh_id() if request_id is None else request_id,
        model=model,
        product=_product(product),
        priority=_priority(priority),
        reasons=reasons,
        heatmap=heatmap,
        embedding=embedding,
        language=language,
    )
    return Question(request, said.categorized)


def products(**asked: Any) -> Many[Product, ProductOutcome]:
    """Many products, of each of which the same is asked, as `categorize` has it without `request_id`."""

    def request(product: Product, request_id: str) -> Message:
        message = categorize(product, request_id=request_id, **asked).request
        size = message.ByteSize()
        if size > _MAX_BYTES:  # a server would end the whole stream
            raise ImageError(f"product: expected at most {_MAX_BYTES} bytes together, found {size}")
        return message

    return Many(
        request_id=lambda _: None,
        request=request,
        read=said.categorized,
        outcome=lambda index, _, product, result: ProductOutcome(
            index=index, item_id=product.item_id, result=result
        ),
    )


def index(product: Product, *, model: str = "", priority: Priority = "catalog") -> Question[Indexed]:
    """Keep a product; doing it again comes to the same. Raises as `categorize`."""
    request = catalog_pb2.IndexItemRequest(
        model=model,
        item_id=_sendable(product.item_id),
        product=_product(product),
        priority=_priority(priority),
        split=product.split,
    )
    return Question(request, said.indexed)


def remove(item_id: str) -> Question[bool]:
    request = catalog_pb2.RemoveItemRequest(item_id=_sendable(item_id))
    return Question(request, lambda message: bool(message.removed))


def search(
    *,
    image: bytes | Path | None = None,
    item_id: str = "",
    text: str = "",
    categories: Sequence[str] = (),
    attributes: Mapping[str, Sequence[str]] | None = None,
    limit: int = 10,
    model: str = "",
) -> Question[Found]:
    """Kept products, by one of `image`, `item_id` and `text`.

    Raises:
        SettingsError: none or several of these, a limit out of its range, or a text that cannot be sent.
        ImageError: the picture cannot be read.
    """
    if sum([image is not None, bool(item_id), bool(text)]) != 1:
        raise SettingsError("search: expected one of image, item_id and text")
    if not 1 <= limit <= 1000:
        raise SettingsError(f"limit: expected 1 to 1000, found {limit}")
    request = catalog_pb2.SearchSimilarRequest(
        model=model,
        categories=categories,
        attributes={
            name: catalog_pb2.AttributeValues(values=values) for name, values in (attributes or {}).items()
        },
        limit=limit,
    )
    if image is not None:
        request.image = image_bytes(image)
    elif item_id:
        request.item_id = _sendable(item_id)
    else:
        request.text = _sendable(text)
    return Question(request, said.found)


def check_blemish(
    product: Product,
    *,
    model: str = "",
    request_id: str | None = None,
    heatmap: bool = False,
    explain: bool = False,
    part: str = "",
) -> Question[Blemish]:
    """A customer's photo, the one of the product. With an `item_id`, the product is the kept one, and nothing else is told of it.

    Raises:
        SettingsError: the product has none or several, or something is told beside `item_id`.
        ImageError: as `categorize`.
    """
    if len(product.photos) != 1:
        raise SettingsError(f"photos: expected one, found {len(product.photos)}")
    if product.item_id and (model or product.title or product.attributes):
        raise SettingsError("item_id: expected no model, title or attributes beside it")
    request = catalog_pb2.CheckBlemishRequest(
        request_id=fresh_id() if request_id is None else request_id,
        model=model,
        image=image_bytes(product.photos[0]),
        title=_sendable(product.title),
        attributes=product.attributes,
        heatmap=heatmap,
        explain=explain,
        part=_sendable(part),
        item_id=_sendable(product.item_id),
    )
    return Question(request, said.blemish)


def submit_feedback(
    item_id: str, labels: Mapping[str, str], *, comment: str, request_id: str | None
) -> Question[FeedbackGiven]:
    request = catalog_pb2.SubmitFeedbackRequest(
        request_id=fresh_id() if request_id is None else request_id,
        item_id=_sendable(item_id),
        labels=labels,
        comment=_sendable(comment),
    )
    return Question(request, said.feedback_given)


def export_feedback(*, model: str, disputed: bool, photos: bool) -> Question[Feedback]:
    request = catalog_pb2.ExportFeedbackRequest(model=model, disputed=disputed, photos=photos)
    return Question(request, said.feedback)


def _product(product: Product) -> catalog_pb2.Product:
    return catalog_pb2.Product(
        photos=[image_bytes(one) for one in product.photos],
        title=_sendable(product.title),
        attributes={_sendable(name): _sendable(value) for name, value in product.attributes.items()},
    )


def _priority(priority: Priority) -> inspection_pb2.Priority:
    if priority not in PRIORITIES:
        raise SettingsError(f"priority: expected one of {', '.join(PRIORITIES)}, found '{priority}'")
    number: inspection_pb2.Priority = PRIORITIES[priority]
    return number


def _sendable(text: str) -> str:
    """The text itself.

    Raises:
        SettingsError: it is no Unicode, such as some files' names.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SettingsError(f"expected Unicode text, found {text!r}") from error
    return text
