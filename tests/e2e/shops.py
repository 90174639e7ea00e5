"""A shop served by real processes: its bundle beside the line's, photos of its products, and requests."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from PIL import Image

from tests.bundles import make_bundle
from tests.catalog_bundles import make_catalog_bundle, photo
from tests.e2e.serving import PATIENCE_S, catalog_of, opened, shown
from vision.image import encode_png
from vision.v1 import catalog_pb2

SECRET = b"kim's phone"
BLEMISH = {"blemish": {"shoes": "plates"}}


def furnished(folder: Path) -> Path:
    """A folder to start a server in, whose `models` holds `shop` and `plates`."""
    (folder / "models").mkdir()
    make_catalog_bundle(folder / "models" / "shop-1.0.loupe")
    make_bundle(folder / "models" / "plates-1.0.loupe")
    return folder


def png(kind: str, seed: int = 0) -> bytes:
    return encode_png(photo(kind, seed))


def product(*photos: bytes, title: str = "", **attributes: str) -> catalog_pb2.Product:
    return catalog_pb2.Product(photos=photos, title=title, attributes=attributes)


class Asker:
    """The calls of somebody with a token, or of nobody in particular, with as much time as a busy machine may need."""

    def __init__(self, address: str, shown_token: str | None = None, *, timeout: float = PATIENCE_S) -> None:
        self.channel = opened(address)
        self._stub = catalog_of(self.channel)
        self._options: dict[str, Any] = {"timeout": timeout}
        if shown_token is not None:
            self._options["metadata"] = shown(shown_token)

    def categorize(self, of: catalog_pb2.Product, **asked: Any) -> catalog_pb2.CategorizeResponse:
        request = catalog_pb2.CategorizeRequest(product=of, **asked)
        response: catalog_pb2.CategorizeResponse = self._stub.Categorize(request, **self._options)
        return response

    def stream(
        self, requests: list[catalog_pb2.CategorizeRequest]
    ) -> list[catalog_pb2.CategorizeStreamResponse]:
        return list(self._stub.CategorizeStream(iter(requests), **self._options))

    def index(self, item_id: str, of: catalog_pb2.Product, **asked: Any) -> catalog_pb2.IndexItemResponse:
        request = catalog_pb2.IndexItemRequest(item_id=item_id, product=of, **asked)
        response: catalog_pb2.IndexItemResponse = self._stub.IndexItem(request, **self._options)
        return response

    def index_later(self, item_id: str, of: catalog_pb2.Product) -> Any:
        """The call's future."""
        return self._stub.IndexItem.future(
            catalog_pb2.IndexItemRequest(item_id=item_id, product=of), **self._options
        )

    def remove(self, item_id: str) -> bool:
        request = catalog_pb2.RemoveItemRequest(item_id=item_id)
        return bool(self._stub.RemoveItem(request, **self._options).removed)

    def search(self, **asked: Any) -> catalog_pb2.SearchSimilarResponse:
        request = catalog_pb2.SearchSimilarRequest(**asked)
        response: catalog_pb2.SearchSimilarResponse = self._stub.SearchSimilar(request, **self._options)
        return response

    def found(self, **asked: Any) -> list[str]:
        return [one.item_id for one in self.search(**asked).items]

    def check(self, image: bytes, **asked: Any) -> catalog_pb2.CheckBlemishResponse:
        request = catalog_pb2.CheckBlemishRequest(image=image, **asked)
        response: catalog_pb2.CheckBlemishResponse = self._stub.CheckBlemish(request, **self._options)
        return response

    def say(
        self, item_id: str, labels: Mapping[str, str], **asked: Any
    ) -> catalog_pb2.SubmitFeedbackResponse:
        request = catalog_pb2.SubmitFeedbackRequest(item_id=item_id, labels=labels, **asked)
        response: catalog_pb2.SubmitFeedbackResponse = self._stub.SubmitFeedback(request, **self._options)
        return response

    def export(self, **asked: Any) -> list[catalog_pb2.ExportFeedbackResponse]:
        return list(self._stub.ExportFeedback(catalog_pb2.ExportFeedbackRequest(**asked), **self._options))


def refusal(call: Callable[[], Any]) -> grpc.RpcError:
    """Of a call that must be refused."""
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value


def said(error: grpc.RpcError) -> str:
    return str(error.details())


def private(kind: str) -> bytes:
    """A phone's photo that says where it was taken."""
    told = Image.Exif()
    told[0x010F] = SECRET.decode()
    told.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 1.25)})
    file = io.BytesIO()
    Image.fromarray(photo(kind, 3)).save(file, "JPEG", exif=told.tobytes(), comment=SECRET, quality=95)
    return file.getvalue()
