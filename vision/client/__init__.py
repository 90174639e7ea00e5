"""A server of Loupe from Python: `Client` for callers that wait, `AsyncClient` for those in an event loop.

    with Client("line-server:50051", token=token, tls=Tls(ca=Path("ca.pem"))) as client:
        answer = client.inspect(Path("part.jpg"))

Law: gRPC is met here alone in `vision`, and nothing in `vision` but commands imports this. Pure parts (`retry`, `flow`, `calls`, `answers`) hold
what both clients share; `blocking` and `asynchronous` wait.
"""

from vision.client.asynchronous import AsyncClient
from vision.client.blocking import Client
from vision.client.catalog_values import Product
from vision.client.connection import Tls
from vision.client.imagery_values import ImageOrder
from vision.client.retry import Backoff
from vision.client.values import Answer, Outcome, Picture

__all__ = ["Answer", "AsyncClient", "Backoff", "Client", "ImageOrder", "Outcome", "Picture", "Product", "Tls"]
