"""Products, their places in the tree and what is kept of them, from and to messages."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from server.cataloguing import Placed, Product
from server.checking import Checked
from server.correcting import Kind, Lesson
from server.items import Entered
from server.rpc.models import reference
from server.rpc.rules import FieldsError, Violation
from server.rpc.verdicts import timings
from server.searching import Found
from server.storage.catalog_items import ItemRow
from server.storage.catalog_tables import FeedbackState
from vision.catalog.categorize import Categorization, Status
from vision.catalog.reasons import Reasons
from vision.catalog.search import duplicates
from vision.catalog.search.kinds import Ranked
from vision.catalog.taxonomy import Taxonomy
from vision.v1 import catalog_pb2, inspection_pb2

_MAX_NAME: Final = 128  # characters of an attribute's name
_MAX_VALUE: Final = 1000
_ENGLISH: Final = "en"
_STATUSES: Final = {one: getattr(catalog_pb2, f"CATEGORY_STATUS_{one.name}") for one in Status}
_DUPLICATES: Final = {one: getattr(catalog_pb2, f"DUPLICATE_KIND_{one.name}") for one in duplicates.Kind}
_STATES: Final = {one: getattr(catalog_pb2, f"FEEDBACK_STATE_{one.name}") for one in FeedbackState}
_KINDS: Final = {one: getattr(catalog_pb2, f"FEEDBACK_KIND_{one.name}") for one in Kind}


def product_from_wire(message: catalog_pb2.Product) -> Product:
    """The product of a message.

    Raises:
        FieldsError: an attribute is too long, or cannot be kept.
    """
    return Product(
        photos=tuple(message.photos),
        title=message.title,
        attributes=attributes_from_wire(message.attributes, "product.attributes"),
    )


def attributes_from_wire(given: Mapping[str, str], field: str) -> dict[str, str]:
    """Names and values, checked as the rules check single fields: these do not reach into maps."""
    _refuse(violation for name, value in given.items() for violation in _faults(field, name, value))
    return dict(given)


def filters_from_wire(
    request: catalog_pb2.SearchSimilarRequest,
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Categories, and values of attributes by name, checked alike: the rules do not reach into lists either."""
    categories = tuple(request.categories)
    attributes = {name: tuple(one.values) for name, one in request.attributes.items()}
    _refuse(
        Violation(f"categories[{place}]", f"expected at most {_MAX_VALUE} characters, found {len(one)}")
        for place, one in enumerate(categories)
        if len(one) > _MAX_VALUE
    )
    _refuse(
        violation
        for name, values in attributes.items()
        for value in values
        for violation in _faults("attributes", name, value)
    )
    return categories, attributes


def _faults(field: str, name: str, value: str) -> Iterator[Violation]:
    place = f"{field}[{name[:_MAX_NAME]!r}]"
    if not 0 < len(name) <= _MAX_NAME:
        yield Violation(place, f"expected a name of 1 to {_MAX_NAME} characters")
    if len(value) > _MAX_VALUE:
        yield Violation(place, f"expected at most {_MAX_VALUE} characters, found {len(value)}")
    if "\0" in name + value:
        yield Violation(place, "expected text without NUL, which not every database can keep")


def _refuse(violations: Iterable[Violation]) -> None:
    found = tuple(dict.fromkeys(violations))
    if found:
        raise FieldsError(*found)


def categorization_to_wire(
    answer: Categorization, taxonomy: Taxonomy, language: str = ""
) -> catalog_pb2.Categorization:
    levels = [
        catalog_pb2.CategoryLevel(
            level=one.level,
            label=one.label,
            name=taxonomy.name(one.level, one.label, language or _ENGLISH),
            probability=one.probability,
            threshold=one.threshold,
            answered=one.answered,
        )
        for one in answer.levels
    ]
    return catalog_pb2.Categorization(
        status=_STATUSES[answer.status],
        levels=levels,
        certified=answer.certified,
        alternatives=[
            catalog_pb2.CategoryPath(labels=one.labels, probability=one.probability)
            for one in answer.alternatives
        ],
        novelty=answer.novelty,
        modalities=answer.modalities,
        quality_faults=answer.quality_faults,
        not_understood=answer.not_understood,
    )


def placed_to_wire(placed: Placed, request: catalog_pb2.CategorizeRequest) -> catalog_pb2.CategorizeResponse:
    answer = placed.answer
    response = catalog_pb2.CategorizeResponse(
        request_id=request.request_id,
        category=categorization_to_wire(answer, placed.model.categorizer.taxonomy, request.language),
        model=reference(placed.model.identity),
        timings=timings(placed.stages),
        heatmaps_png=placed.heatmaps_png,
    )
    if placed.reasons is not None:
        response.reasons.CopyFrom(_reasons_to_wire(placed.reasons))
    if request.embedding and answer.embedding is not None:
        response.embedding.extend(answer.embedding.tolist())
    return response


def _reasons_to_wire(why: Reasons) -> catalog_pb2.CategoryReasons:
    kind = catalog_pb2.CategoryReasons
    return kind(
        level=why.level,
        label=why.label,
        rival=why.rival,
        shares=why.shares,
        words=[kind.Word(word=word, share=share) for word, share in why.words],
        attributes=[
            kind.Attribute(name=name, value=value, share=share) for name, value, share in why.attributes
        ],
    )


def entered_to_wire(entered: Entered, request: catalog_pb2.IndexItemRequest) -> catalog_pb2.IndexItemResponse:
    placed = entered.placed
    return catalog_pb2.IndexItemResponse(
        request_id=request.request_id,
        item_id=request.item_id,
        replaced=entered.replaced,
        category=categorization_to_wire(placed.answer, placed.model.categorizer.taxonomy),
        model=reference(placed.model.identity),
        timings=timings(placed.stages),
        duplicates=[
            catalog_pb2.Duplicate(
                item_id=one.item_id,
                kind=_DUPLICATES[one.kind],
                photo=one.photo,
                uploaded=uploaded,
                similarity=one.similarity,
            )
            for uploaded, one in entered.duplicates
        ],
        photo_sha256s=[photo.sha256 for photo in entered.photos],
    )


def checked_to_wire(
    checked: Checked, request: catalog_pb2.CheckBlemishRequest, inspection: inspection_pb2.InspectResponse
) -> catalog_pb2.CheckBlemishResponse:
    response = catalog_pb2.CheckBlemishResponse(
        request_id=request.request_id, routed_by=checked.routed_by, inspection=inspection
    )
    product = checked.product
    if isinstance(product, Placed):
        taxonomy = product.model.categorizer.taxonomy
        response.category.CopyFrom(categorization_to_wire(product.answer, taxonomy))
        response.category_model.CopyFrom(reference(product.model.identity))
    else:
        response.item.CopyFrom(
            catalog_pb2.KeptCategory(
                item_id=product.id, labels=product.labels, corrected=bool(product.corrected)
            )
        )
    return response


def found_to_wire(found: Found) -> catalog_pb2.SearchSimilarResponse:
    understood = found.understood
    return catalog_pb2.SearchSimilarResponse(
        items=[_similar_to_wire(one, row) for one, row in found.items],
        categories=understood.categories,
        attributes={
            name: catalog_pb2.AttributeValues(values=values) for name, values in understood.attributes.items()
        },
        not_understood=understood.rest,
    )


def _similar_to_wire(one: Ranked, row: ItemRow) -> catalog_pb2.SimilarItem:
    return catalog_pb2.SimilarItem(
        item_id=one.hit.item_id,
        similarity=one.hit.similarity,
        photo=one.hit.photo,
        kind_probability=one.kind,
        title=row.title,
        attributes=row.attributes,
        labels=row.labels.values(),
    )


def state_to_wire(state: FeedbackState) -> catalog_pb2.FeedbackState:
    number: catalog_pb2.FeedbackState = _STATES[state]
    return number


def lesson_to_wire(lesson: Lesson) -> catalog_pb2.Feedback:
    """Without the photos."""
    item, word = lesson.item, lesson.word
    at = Timestamp()
    at.FromDatetime(word.at)
    return catalog_pb2.Feedback(
        item_id=item.id,
        title=item.title,
        attributes=item.attributes,
        photo_sha256s=[photo.sha256 for photo in item.photos],
        labels=lesson.labels,
        said=word.said,
        kind=_KINDS[lesson.kind],
        state=_STATES[word.state],
        by=word.by,
        at=at,
        comment=word.comment,
        split=item.split,
        model=item.model_name,
    )
