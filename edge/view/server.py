"""The view in a thread and an event loop of its own, apart from every station's."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Final

import uvicorn

from edge.view.pictures import Pictures
from edge.view.site import site
from edge.view.watch import Watch
from vision.address import Address
from vision.errors import SettingsError

_BACKLOG: Final = 16
_MOST_CONNECTIONS: Final = 64  # one more is told to come again; a browser takes six at most
_GRACE_S: Final = 1  # for answers on their way when the line ends


def listen(address: Address) -> socket.socket:
    """A socket that takes connections from now on.

    Raises:
        SettingsError: the address is taken, or is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(f"cannot listen on {address}: {error.strerror or error}") from error


class ViewServer:
    """The view of a line, from its making until `stop`.

    Args:
        listening: taken over, and closed by `stop`.
    """

    def __init__(self, listening: socket.socket, watches: Sequence[Watch], *, boot: str) -> None:
        host, port = listening.getsockname()[:2]
        self.address = Address(host=host, port=port)
        self._pictures, self._listening = Pictures(), listening
        named = f"[{host}]" if ":" in host else host
        config = uvicorn.Config(
            site(watches, self._pictures, boot=boot, host=named),
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="view", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it, whoever still looks."""
        self._server.should_exit = True
        self._thread.join(2 * _GRACE_S + 1)
        self._pictures.close()

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listening]))
