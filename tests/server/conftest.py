import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.loading import CatalogModel, InspectionModel, Opening
from server.models import Models
from tests.bundles import make_bundle
from tests.catalog_bundles import make_catalog_bundle


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what this machine was configured for, or leaves anything behind."""
    for name in ("LOUPE_TRUSTED_KEYS", "LOUPE_REQUIRE_SIGNATURE", "LOUPE_TOKEN", "LOUPE_CUTOUT_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOUPE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`plates-1.0.loupe`, certified; not to be changed."""
    path = tmp_path_factory.mktemp("bundle") / "plates-1.0.loupe"
    make_bundle(path)
    return path


@pytest_asyncio.fixture
async def models(bundle: Path, tmp_path: Path) -> AsyncIterator[Models]:
    """A folder that holds the bundle alone, and serves it as `plates`."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(bundle, folder)
    found = Models(folder, Opening(max_batch=2))
    await found.load_all()
    yield found
    await found.close()


@pytest.fixture
def model(models: Models) -> InspectionModel:
    return models.inspection("plates")


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[CatalogModel]:
    """The tests' shop, served one photo at a time."""
    folder = tmp_path / "shops"
    folder.mkdir()
    make_catalog_bundle(folder / "shop-1.0.loupe")
    found = Models(folder, Opening(max_batch=1))
    await found.load_all()
    yield found.catalog("shop")
    await found.close()
