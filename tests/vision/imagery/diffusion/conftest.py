"""Tiny checkpoints, each made once. Without the extra `diffusion` the tests here are passed over."""

from pathlib import Path

import pytest

pytest.importorskip("diffusers", reason="needs the extra diffusion: pip install 'loupe[diffusion]'")

from tests.vision.imagery.diffusion.checkpoints import stable_diffusion


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.torch)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches for a hub."""
    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_OFFLINE", True
    )  # it reads the variable once, when imported


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Stable Diffusion; not to be changed."""
    return stable_diffusion(tmp_path_factory.mktemp("plain") / "tiny-sd")
