"""A shop's finished run and its bundle, which take seconds to make."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from training.catalog.run import CatalogRun
from vision.bundle import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Not to be changed."""

    folder: Path
    run: CatalogRun
    bundle: Bundle

    @property
    def manifest(self) -> Path:
        return self.folder / "pictures" / "manifest.csv"


@pytest.fixture(scope="session")
def made_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    from tests.training.catalog.shop import finished_shop
    from training.catalog.export import export_catalog

    folder = tmp_path_factory.mktemp("made")
    run = finished_shop(folder)
    exported = export_catalog(folder / "run", folder / "shop", int8=True, name="shop", version="1.0")
    return Shop(folder=folder, run=run, bundle=exported.bundle)
