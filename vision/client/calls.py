"""What can be asked, as pairs: the message to send, and how its answer is read.

Takes plain arguments, gives a `Question`; blocking and asynchronous clients put the same ones. Reading raises `WireError` where an
answer is incomplete or of a newer server. It sends nothing.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, get_args

from google.protobuf.message import Message

from vision.client import answers
from vision.client.values import (
    Answer,
    Dispositions,
    Outcome,
    PendingReview,
    Picture,
    Priority,
    ServedModel,
)
from vision.errors import ImageError, LoupeError, SettingsError
from vision.image import ImageLimits, read_bytes
from vision.v1 import inspection_pb2, models_pb2

PRIORITIES: Final = {name: getattr(inspection_pb2, f"PRIORITY_{name.upper()}") for name in get_args(Priority)}
_MAX_IMAGE_BYTES: Final = ImageLimits().max_bytes

Said = TypeVar("Said")
Given = TypeVar("Given")
Became = TypeVar("Became")


@dataclass(frozen=True, slots=True)
class Question(Generic[Said]):
    """A request, and the value of its response (for a stream: of its responses)."""

    request: Message
    read: Callable[[Any], Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class Many(Generic[Given, Became]):
    """How a stream asks about many things, each in a message of its own.

    Attributes:
        request_id: the caller's own for a thing, where it has one.
        request: the message for a thing under an id; it may read files. Raises `LoupeError` where there is none that could be sent.
        read: the value of a response.
        outcome: what became of a thing, from its place, its id, itself, and the value or why there is none.
    """

    request_id: Callable[[Given], str | None]
    request: Callable[[Given, str], Message]
    read: Callable[[Any], Any]
    outcome: Callable[[int, str, Given, Any], Became]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted of every picture of a call.

    Raises:
        SettingsError: the priority is none.
    """

    model: str = ""
    heatmap: bool = False
    embedding: bool = False
    explain: bool = False
    priority: Priority = "line"

    def __post_init__(self) -> None:
        if self.priority not in PRIORITIES:
            raise SettingsError(f"priority: expected one of {', '.join(PRIORITIES)}, found '{self.priority}'")

    def request(self, image: bytes, *, request_id: str, part: str) -> inspection_pb2.InspectRequest:
        """The message for one picture.

        Raises:
            SettingsError: a text cannot be sent, such as a file's name that is no Unicode.
        """
        try:
            return inspection_pb2.InspectRequest(
                request_id=request_id,
                model=self.model,
                image=image,
                priority=PRIORITIES[self.priority],
                heatmap=self.heatmap,
                embedding=self.embedding,
                explain=self.explain,
                part=part,
            )
        except UnicodeEncodeError as error:
            raise SettingsError(f"expected Unicode text, found {error.object!r}") from error


def image_bytes(image: bytes | Path) -> bytes:
    """The picture as it is sent.

    Raises:
        ImageError: the file cannot be read, or no server would take what it holds.
    """
    data = read_bytes(image) if isinstance(image, Path) else image
    if not 0 < len(data) <= _MAX_IMAGE_BYTES:
        name = str(image) if isinstance(image, Path) else "image"
        raise ImageError(f"{name}: expected 1 to {_MAX_IMAGE_BYTES} bytes, found {len(data)}")
    return data


def fresh_id() -> str:
    """An id that no other request has, so that a repeated one is known for what it is."""
    return uuid.uuid4().hex


def pictures(wanted: Wanted) -> Many[bytes | Path | Picture, Outcome]:
    """Many pictures, of each of which the same is wanted."""

    def request(given: bytes | Path | Picture, request_id: str) -> Message:
        picture = _as_picture(given)
        return wanted.request(image_bytes(picture.image), request_id=request_id, part=picture.part)

    def outcome(
        index: int, request_id: str, given: bytes | Path | Picture, result: Answer | LoupeError
    ) -> Outcome:
        return Outcome(index=index, request_id=request_id, part=_as_picture(given).part, result=result)

    return Many(
        request_id=lambda given: _as_picture(given).request_id,
        request=request,
        read=answers.answer,
        outcome=outcome,
    )


def _as_picture(given: bytes | Path | Picture) -> Picture:
    return given if isinstance(given, Picture) else Picture(image=given)


def inspect(wanted: Wanted, picture: Picture) -> Question[Answer]:
    """One picture.

    Raises:
        ImageError: as `image_bytes`.
    """
    request_id = fresh_id() if picture.request_id is None else picture.request_id
    request = wanted.request(image_bytes(picture.image), request_id=request_id, part=picture.part)
    return Question(request, answers.answer)


def models() -> Question[tuple[ServedModel, ...]]:
    return Question(models_pb2.ListModelsRequest(), lambda message: tuple(map(answers.model, message.models)))


def load_model(name: str) -> Question[ServedModel]:
    return Question(models_pb2.LoadModelRequest(name=name), lambda message: answers.model(message.model))


def unload_model(name: str) -> Question[None]:
    return Question(models_pb2.UnloadModelRequest(name=name), lambda _: None)


def submit_disposition(result_id: str, label: str, note: str) -> Question[str]:
    """Who is recorded to have said so."""
    request = inspection_pb2.SubmitDispositionRequest(result_id=result_id, label=label, note=note)
    return Question(request, lambda message: str(message.by))


def reviews(model: str, limit: int) -> Question[tuple[PendingReview, ...]]:
    """Those that wait.

    Raises:
        SettingsError: the limit does not fit its field.
    """
    if not 0 <= limit < 1 << 32:
        raise SettingsError(f"limit: expected 0 or more, found {limit}")
    request = inspection_pb2.ListReviewsRequest(model=model, limit=limit)
    return Question(request, lambda message: tuple(map(answers.review, message.reviews)))


def dispositions(model: str) -> Question[Dispositions]:
    return Question(inspection_pb2.ExportDispositionsRequest(model=model), answers.dispositions)
