import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.bundles import make_bundle
from tests.e2e.lines import furnished
from tests.e2e.serving import Server, inference_of, inspection_of, models_of

Workplace = Callable[..., Path]


@pytest.fixture(scope="session")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`plates-1.0.loupe`, certified; not to be changed."""
    path = tmp_path_factory.mktemp("bundle") / "plates-1.0.loupe"
    make_bundle(path)
    return path


@pytest.fixture(scope="session")
def workplace(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Makes a folder to start a server in, whose `models` holds the bundle."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("server")
        (folder / "models").mkdir()
        shutil.copy(plates, folder / "models")
        return folder

    return make


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A box's folder: a bundle, and pictures that are accepted, rejected and sent to review in turn."""
    return furnished(tmp_path)


# Over the `server` of whichever module asks.


@pytest.fixture
def channel(server: Server) -> Iterator[grpc.Channel]:
    with server.channel() as found:
        yield found


@pytest.fixture
def inspection(channel: grpc.Channel) -> Any:
    return inspection_of(channel)


@pytest.fixture
def models(channel: grpc.Channel) -> Any:
    return models_of(channel)


@pytest.fixture
def inference(channel: grpc.Channel) -> Any:
    return inference_of(channel)
