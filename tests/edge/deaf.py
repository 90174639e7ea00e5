"""A server that takes connections and never says a word."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vision.address import Address


@contextmanager
def deaf() -> Iterator[Address]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    held.append(listening.accept()[0])
                except OSError:
                    return

        taking = threading.Thread(target=take)
        taking.start()
        try:
            yield Address(host="127.0.0.1", port=listening.getsockname()[1])
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            taking.join()
            for one in held:
                one.close()
