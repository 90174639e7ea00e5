"""The network comes from a setting or a package, and what is no such network is refused by name."""

from pathlib import Path

import numpy as np
import pytest

from tests.bundles import onnx_model
from tests.goods import goods
from tests.vision.imagery.cutout.networks import dark_is_product, u2netp
from vision.errors import ImageryError, SettingsError
from vision.imagery.cutout import saliency as module
from vision.imagery.cutout.quality import overlap
from vision.imagery.cutout.saliency import Saliency
from vision.settings import Settings


def written(path: Path, model: bytes) -> Settings:
    path.write_bytes(model)
    return Settings(cutout_model=path)


def test_the_network_of_the_setting_says_how_likely_each_pixel_is_product(tmp_path: Path) -> None:
    found = Saliency.installed(written(tmp_path / "dark.onnx", dark_is_product()))
    picture = np.full((100, 140, 3), 255, np.uint8)
    picture[20:80, 40:100] = 0

    assert found is not None
    assert found.name == "dark"
    seen = found.of(picture)
    assert seen.shape == (100, 140)
    assert seen[30:70, 50:90].min() > 0.95
    assert seen[:15].max() < 0.05


def test_without_setting_and_package_there_is_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGE", "no-such-package-of-ours")

    assert Saliency.installed(Settings()) is None


def test_another_file_in_the_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    u2netp()
    monkeypatch.setattr(module, "DIGEST", "0" * 64)

    with pytest.raises(SettingsError, match=r"u2netp\.onnx: expected the SHA-256 0000"):
        Saliency.installed(Settings())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"not a model", "expected an ONNX model"),
        (onnx_model(), r"expected one input 'float \(1, 3, H, W\)', found image: tensor\(uint8\)"),
        (dark_is_product(shape=(1, 4, 64, 64)), "expected an ONNX model|expected one input"),
        (dark_is_product(shape=(1, 3, "height", "width")), r"expected one input .*'height', 'width'"),
    ],
    ids=["no model", "another kind of model", "four channels", "no fixed size"],
)
def test_what_is_no_network_of_this_kind_is_refused_by_path(
    model: bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=rf"LOUPE_CUTOUT_MODEL: .*some\.onnx: .*({message})"):
        Saliency.installed(written(tmp_path / "some.onnx", model))


def test_a_network_that_answers_with_no_map_is_refused(tmp_path: Path) -> None:
    found = Saliency.installed(written(tmp_path / "flat.onnx", dark_is_product(flat=True)))

    assert found is not None
    with pytest.raises(
        ImageryError, match=r"flat\.onnx: expected a map as first output, found the shape \(1,\)"
    ):
        found.of(np.zeros((80, 80, 3), np.uint8))


def test_a_setting_that_names_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"LOUPE_CUTOUT_MODEL: .*none\.onnx: cannot be read: No such file"
    ):
        Saliency.installed(Settings(cutout_model=tmp_path / "none.onnx"))


def test_the_real_network_sees_the_product() -> None:
    shoe = goods("shoe", 1, 480)

    assert overlap(u2netp().of(shoe.photo_hwc) > 0.5, shoe.alpha_hw >= 128) > 0.9
