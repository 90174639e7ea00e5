from pathlib import Path

import numpy as np
import pytest
import torch

from vision.imagery.diffusion.patch_pca import PatchPca
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.studio import any_studio


@pytest.fixture(scope="module")
def studios() -> torch.Tensor:
    """(60, 3, 64, 64), -1 to 1."""
    rng = np.random.default_rng(0)
    pictures = np.stack([render(any_studio(rng), (64, 64), number) for number in range(60)])
    return torch.from_numpy(pictures).movedim(-1, 1).float() / 127.5 - 1


@pytest.fixture(scope="module")
def fitted(studios: torch.Tensor) -> PatchPca:
    made: PatchPca = PatchPca()
    made.fit(studios[:40])
    return made


def test_studios_it_has_not_seen_come_back_nearly_as_they_were(
    fitted: PatchPca, studios: torch.Tensor
) -> None:
    unseen = studios[40:]

    error = (fitted(unseen) - unseen).square().mean()

    assert 10 * float(torch.log10(4 / error)) > 40  # dB, of a range of 2


def test_latents_are_of_about_unit_variance(fitted: PatchPca, studios: torch.Tensor) -> None:
    (latents,) = fitted.encode(studios, return_dict=False)

    assert latents.shape == (60, 12, 16, 16)
    assert 0.7 < float(latents.var(dim=(0, 2, 3)).mean()) < 1.4


def test_with_all_components_nothing_is_lost(studios: torch.Tensor) -> None:
    whole = PatchPca(latent_channels=48)
    whole.fit(studios)

    assert torch.allclose(whole(studios), studios, atol=2e-3)


def test_it_comes_back_from_a_folder_as_it_was(
    fitted: PatchPca, studios: torch.Tensor, tmp_path: Path
) -> None:
    fitted.save_pretrained(tmp_path, safe_serialization=True)

    again = PatchPca.from_pretrained(tmp_path)

    assert torch.equal(again(studios[:2]), fitted(studios[:2]))
