import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from server.auth import Role
from tests.bundles import make_bundle
from tests.e2e import shops
from tests.e2e.lines import furnished
from tests.e2e.serving import Server, inference_of, inspection_of, models_of, serving, token

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


# One shop for all: tests name their items apart.


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shops.furnished(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def shop_tokens(shop_folder: Path) -> dict[str, str]:
    """Of kim and lee, who work on the catalog; of ada, who reviews as well; and of the line."""
    roles = {
        "kim": {Role.CATALOG},
        "lee": {Role.CATALOG},
        "ada": {Role.CATALOG, Role.REVIEW},
        "line": {Role.INSPECT, Role.STATION},
    }
    return {user: token(shop_folder, user, *its) for user, its in roles.items()}


@pytest.fixture(scope="session")
def shop(shop_folder: Path, shop_tokens: dict[str, str]) -> Iterator[Server]:
    with serving(shop_folder, catalog=shops.BLEMISH) as found:
        yield found


@pytest.fixture(scope="session")
def asker(shop: Server, shop_tokens: dict[str, str]) -> Callable[[str], shops.Asker]:
    """By a user's name."""
    return lambda user: shops.Asker(shop.address, shop_tokens[user])


@pytest.fixture(scope="session")
def kim(asker: Callable[[str], shops.Asker]) -> shops.Asker:
    return asker("kim")


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
