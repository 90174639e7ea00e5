"""The classifiers' word on a finished image, asked of real bundles, and what follows from two looks at a product."""

from pathlib import Path

import numpy as np
import pytest

from tests.bundles import make_bundle
from tests.catalog_bundles import make_catalog_bundle
from vision.errors import BundleError
from vision.imagery.likeness import Classifiers, Likeness, Seen, likeness, open_classifiers
from vision.imagery.ranking import complaints

EAST, NORTH = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


def test_without_models_nothing_is_said_and_nothing_speaks_against_the_image() -> None:
    image = np.full((90, 120, 3), 200, np.uint8)
    seen = Classifiers().see(image, (10, 10, 60, 60), name="mug")
    assert likeness(seen, seen) == Likeness()
    assert complaints(likeness(seen, seen).model_dump()) == ()


def test_an_image_of_another_category_is_not_sound() -> None:
    found = likeness(Seen(category=("home", "mugs")), Seen(category=("home", "lamps")))
    assert (found.same_category, bool(complaints(found.model_dump()))) == (False, True)


def test_categories_are_compared_as_far_down_as_both_are_answered_for() -> None:
    assert likeness(Seen(category=("home", "mugs")), Seen(category=("home",))).same_category


def test_where_the_image_is_taken_for_nothing_its_category_is_not_the_photos() -> None:
    assert likeness(Seen(category=("home",)), Seen(category=())).same_category is False


@pytest.mark.parametrize(("other", "identity"), [(EAST, 1.0), (3 * EAST, 1.0), (NORTH, 0.0), (-EAST, -1.0)])
def test_identity_is_the_cosine_of_what_the_network_sees(
    other: np.ndarray[tuple[int], np.dtype[np.float32]], identity: float
) -> None:
    assert likeness(Seen(embedding=EAST), Seen(embedding=other)).identity == pytest.approx(identity, abs=1e-6)


@pytest.mark.parametrize(
    ("photo", "image", "new"),
    [(False, True, True), (True, True, False), (False, False, False), (True, False, False)],
)
def test_a_defect_is_new_where_the_image_would_be_rejected_and_the_photo_would_not(
    *, photo: bool, image: bool, new: bool
) -> None:
    found = likeness(Seen(defect=0.4, rejected=photo), Seen(defect=0.9, rejected=image))
    assert found.new_defect is new
    assert bool(complaints(found.model_dump())) is new


def test_an_inspection_bundle_says_how_defective_the_product_looks(tmp_path: Path) -> None:
    make_bundle(tmp_path / "plates")
    classifiers = open_classifiers(None, tmp_path / "plates")
    image = np.random.default_rng(0).integers(0, 255, (200, 240, 3), np.uint8)
    seen = classifiers.see(image, (40, 30, 200, 180), name="mug")
    assert seen.defect is not None
    assert 0 <= seen.defect <= 1
    assert seen.category is None


def test_a_catalog_bundle_says_what_the_picture_shows_and_how_alike_two_pictures_are(tmp_path: Path) -> None:
    make_catalog_bundle(tmp_path / "shop", certified=False)
    classifiers = open_classifiers(tmp_path / "shop", None)
    image = np.random.default_rng(0).integers(0, 255, (200, 240, 3), np.uint8)
    seen = classifiers.see(image, (40, 30, 200, 180), name="mug")
    found = likeness(seen, seen)
    assert found.category == (), "noise is no product that the shop has"
    assert found.same_category is None
    assert found.identity == pytest.approx(1.0, abs=1e-6)


def test_a_bundle_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    make_bundle(tmp_path / "plates")
    with pytest.raises(BundleError):
        open_classifiers(tmp_path / "plates", None)
