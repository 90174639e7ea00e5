"""The number of threads is the process's: whoever changes it gives it back, or everything after computes otherwise."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vision.errors import CancelledError
from vision.imagery.brief import Layout
from vision.imagery.diffusion.opening import open_generator
from vision.imagery.diffusion.threads import computing_on
from vision.imagery.scenes.scene import SceneAsk, Step

ASK = SceneAsk(words="a red wall", layout=Layout(), size_wh=(96, 96), seed=1)


@pytest.fixture(autouse=True)
def five_threads() -> Iterator[None]:
    with computing_on(5):
        yield


def test_a_block_computes_on_its_own_threads_and_gives_them_back() -> None:
    with computing_on(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 5


def test_they_are_given_back_when_the_block_fails() -> None:
    with pytest.raises(ValueError, match="fails"), computing_on(2):
        raise ValueError("fails")
    assert torch.get_num_threads() == 5


def test_a_scene_computes_on_the_threads_that_its_fingerprint_names(plain: Path) -> None:
    seen: list[int] = []
    generator = open_generator(plain, threads=2)
    generator.generate(ASK, lambda _: seen.append(torch.get_num_threads()))
    assert set(seen) == {2}
    assert generator.fingerprint["threads"] == "2"
    assert torch.get_num_threads() == 5


def test_a_cancelled_scene_gives_them_back(plain: Path) -> None:
    def stop(_: Step) -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        open_generator(plain).generate(ASK, stop)
    assert torch.get_num_threads() == 5
