"""A file is believed as far as a signature, its labels and the product's photo bear it out."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.goods import Kind
from tests.pictures import encoded
from tests.vision.imagery.finished import CN, Finished, exported, finished, lenient
from tests.vision.imagery.signers import signer
from vision.errors import ImageError, ImageryError, SettingsError
from vision.image import Pixels, decode
from vision.imagery.certificates import Signer
from vision.imagery.kept import decode_master
from vision.imagery.labels.carriers import encode
from vision.imagery.labels.policy import Labels
from vision.imagery.labels.source import SourceType
from vision.imagery.provenance import Trust
from vision.imagery.verification import ProductReport, verify_file, verify_product

LABELS = Labels(source=SourceType.COMPOSITE)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, Path]:
    return signer(tmp_path_factory.mktemp("keys"))


def product(data: bytes, candidate: Finished) -> ProductReport:
    return verify_product(data, candidate.manifest, photo=candidate.photo, alpha_png=candidate.alpha_png)


def test_an_export_is_trusted_labelled_and_its_product_kept(house: tuple[Signer, Path]) -> None:
    candidate = finished().synthetic()
    data = exported(candidate, house[0], policy=CN).data
    found = verify_file(data, trust=house[1])
    assert found.credentials.trust is Trust.TRUSTED
    assert found.labels.aigc is not None
    assert found.labels.problems == ()
    assert product(data, candidate).kept


def test_without_the_root_it_is_whole_and_by_somebody_unknown(house: tuple[Signer, Path]) -> None:
    assert verify_file(exported(finished(), house[0]).data).credentials.trust is Trust.VALID


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF"])
def test_in_a_lossless_file_the_product_is_its_photos_bit_for_bit(
    image_format: str, house: tuple[Signer, Path]
) -> None:
    candidate = finished().synthetic()
    report = product(exported(candidate, house[0], rules=lenient(formats=(image_format,))).data, candidate)
    assert (report.max_delta, report.max_allowed, report.kept) == (0, 0, True)
    assert report.pixels > 50_000


@pytest.mark.parametrize("kind", ["mug", "box", "bag"])
@pytest.mark.parametrize("quality", [80, 88, 95])
def test_compression_alone_changes_no_product_too_much(kind: Kind, quality: int) -> None:
    candidate = finished(kind=kind)
    report = product(encode(decode_master(candidate.master_png), "JPEG", LABELS, quality=quality), candidate)
    assert report.kept, report


def one_pixel(picture: Pixels) -> None:
    picture[300, 300] = 255 - picture[300, 300]


def one_shade(picture: Pixels) -> None:
    picture[250:330, 250:330] += 5


def one_letter(picture: Pixels) -> None:
    cv2.putText(picture, "X", (280, 320), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2)


def softer(picture: Pixels) -> None:
    picture[:] = cv2.GaussianBlur(picture, (0, 0), 2)


@pytest.mark.parametrize("change", [one_pixel, one_shade, one_letter, softer])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_a_changed_product_is_seen_in_a_jpeg_as_well(image_format: str, change: object) -> None:
    assert callable(change)
    picture = np.minimum(decode_master(finished().master_png), 250).astype(np.uint8)
    before = picture.copy()
    change(picture)
    assert not np.array_equal(before, picture)
    report = product(encode(picture, image_format, LABELS), finished())
    assert not report.kept, report


def test_the_scene_may_be_another_and_the_product_is_kept() -> None:
    picture = decode_master(finished().master_png).copy()
    picture[:40] = 0
    assert product(encode(picture, "PNG", LABELS), finished()).kept


def test_a_file_of_another_size_cannot_be_compared() -> None:
    half = encoded(decode_master(finished().master_png)[::2, ::2], "PNG")
    with pytest.raises(ImageryError, match=r"image: expected \(600, 600\) px, found \(300, 300\)"):
        product(half, finished())


def test_another_photo_or_alpha_is_refused() -> None:
    candidate = finished()
    for photo, alpha, wrong in ((b"x", candidate.alpha_png, "photo"), (candidate.photo, b"x", "alpha")):
        with pytest.raises(ImageryError, match=f"{wrong}: expected sha256"):
            verify_product(candidate.master_png, candidate.manifest, photo=photo, alpha_png=alpha)


def test_a_file_that_was_saved_again_has_neither_credentials_nor_labels(house: tuple[Signer, Path]) -> None:
    with Image.open(io.BytesIO(exported(finished(), house[0]).data)) as picture:
        again = encoded(Image.fromarray(np.asarray(picture)), "JPEG", quality=95)
    found = verify_file(again, trust=house[1])
    assert (found.credentials.trust, found.labels.marks) == (Trust.ABSENT, ())


def test_a_drawn_label_outlives_saving_again(house: tuple[Signer, Path]) -> None:
    data = exported(finished().synthetic(), house[0]).data
    again = encoded(decode(data).image_hwc, "JPEG", quality=80)
    assert verify_file(again).labels.explicit is not None


def test_what_is_no_picture_or_no_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"mug.jpg"):
        verify_file(b"", name="mug.jpg")
    (tmp_path / "root.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match=r"root\.pem: expected certificates in PEM"):
        verify_file(finished().master_png, trust=tmp_path / "root.pem")
