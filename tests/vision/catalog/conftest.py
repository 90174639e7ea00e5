from pathlib import Path

import pytest

from tests.catalog_bundles import make_catalog_bundle
from vision.catalog.categorize import Categorizer
from vision.qualify import Choice


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Categorizer:
    """The shop's categorizer with thresholds."""
    return opened(tmp_path_factory.mktemp("certified"))


@pytest.fixture(scope="session")
def uncertified(tmp_path_factory: pytest.TempPathFactory) -> Categorizer:
    return opened(tmp_path_factory.mktemp("uncertified"), certified=False)


def opened(folder: Path, *, certified: bool = True) -> Categorizer:
    bundle = make_catalog_bundle(folder / "shop.loupe", certified=certified)
    return Categorizer(bundle, choice=Choice(file="model.onnx", threads=1))
