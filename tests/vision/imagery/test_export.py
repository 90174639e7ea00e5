"""What leaves the house is the approved master, labelled, within the rules, signed; anything else is refused."""

import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL.JpegImagePlugin import JpegImageFile

from tests.pictures import difference, encoded
from tests.vision.imagery.finished import CN, Finished, exported, finished, lenient
from tests.vision.imagery.signers import signer
from vision.errors import ImageError, ImageryError
from vision.image import Pixels, decode
from vision.imagery.approval import approval_digest
from vision.imagery.certificates import Signer
from vision.imagery.compliance import RuleSet, rule_set
from vision.imagery.export import export
from vision.imagery.kept import decode_master, sha256
from vision.imagery.labels.aigc import Aigc
from vision.imagery.labels.carriers import encode, read_labels
from vision.imagery.labels.corner import Language
from vision.imagery.labels.policy import LabelPolicy, Labels, label_policy
from vision.imagery.labels.source import SourceType
from vision.imagery.labels.waiver import Waiver
from vision.imagery.provenance import Trust, read

WAIVER = Waiver(
    user="mei",
    at=datetime(2026, 11, 28, 9, 30, tzinfo=UTC),
    reason="the marketplace takes no text on main images",
    agreement="I will label the image myself wherever the law asks for it.",
    keep_until=date(2027, 6, 1),
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, Path]:
    return signer(tmp_path_factory.mktemp("keys"))


def test_a_synthetic_image_for_china_carries_every_label_and_a_trusted_signature(
    house: tuple[Signer, Path],
) -> None:
    candidate = finished().synthetic()
    made = exported(candidate, house[0])
    found = read_labels(made.data)
    assert found.source is SourceType.COMPOSITE_TRAINED
    assert found.aigc == Aigc.of("shop", candidate.manifest.digest())
    assert found.explicit is not None
    assert found.explicit.languages == (Language.CHINESE,)
    credentials = read(made.data, anchors=house[1].read_bytes())
    assert (credentials.trust, credentials.source) == (Trust.TRUSTED, SourceType.COMPOSITE_TRAINED)
    assert made.sha256 == sha256(made.data)
    assert made.report.ok


def test_the_signature_vouches_for_manifest_inputs_models_and_policies(house: tuple[Signer, Path]) -> None:
    candidate, rules = finished().synthetic(), lenient()
    said = read(exported(candidate, house[0], rules=rules).data).generation
    assert said is not None
    assert said["manifest"] == candidate.manifest.digest()
    assert (said["master"], said["photo"], said["seed"]) == (
        candidate.manifest.master,
        sha256(candidate.photo),
        0,
    )
    assert said["models"] == {"unet": "ab" * 32}  # digests alone: nothing of the machine
    assert said["rules"] == {"name": rules.name, "version": 1, "digest": rules.digest()}
    assert said["labels"] == {"name": "cn", "version": CN.version, "digest": CN.digest()}
    assert candidate.manifest.brief.scene not in json.dumps(said)


def test_the_same_inputs_give_the_same_file_up_to_the_signature(house: tuple[Signer, Path]) -> None:
    one, other = (exported(finished().synthetic(), house[0]) for _ in range(2))
    assert one.unsigned == other.unsigned
    assert (one.format, one.report, one.labels, one.explicit) == (
        other.format,
        other.report,
        other.labels,
        other.explicit,
    )
    np.testing.assert_array_equal(decode(one.data).image_hwc, decode(other.data).image_hwc)
    assert one.sha256 != other.sha256  # ECDSA signs anew each time


def test_another_house_signs_the_same_file(house: tuple[Signer, Path], tmp_path: Path) -> None:
    by, _ = signer(tmp_path, organisation="Other House")
    assert exported(finished(), by).unsigned == exported(finished(), house[0]).unsigned


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_format_keeps_the_master_beside_the_label(
    image_format: str, house: tuple[Signer, Path]
) -> None:
    candidate = finished().synthetic()
    made = exported(candidate, house[0], rules=lenient(formats=(image_format,)))
    assert made.format == image_format
    assert made.explicit is not None
    picture, master = decode(made.data).image_hwc.copy(), decode_master(candidate.master_png)
    x0, y0, x1, y1 = made.explicit.box_xyxy
    picture[y0 - 8 : y1 + 8, x0 - 8 : x1 + 8] = master[y0 - 8 : y1 + 8, x0 - 8 : x1 + 8]
    assert difference(picture, master) <= (36 if image_format == "JPEG" else 0)


def test_the_label_stands_beside_the_product(house: tuple[Signer, Path]) -> None:
    made = exported(finished().synthetic(), house[0])
    assert made.explicit is not None
    assert made.explicit.covered_px == 0
    assert made.warnings == ()


def test_an_image_without_synthetic_content_is_called_what_it_is(house: tuple[Signer, Path]) -> None:
    none_needed = label_policy("none-needed")
    drawn = exported(finished(), house[0], policy=none_needed)
    white = exported(finished(plain=True), house[0], policy=none_needed)
    assert drawn.labels == Labels(source=SourceType.COMPOSITE)
    assert white.labels == Labels(source=SourceType.COMPOSITE_CAPTURE)
    assert read_labels(white.data).explicit is None
    assert exported(finished(), house[0], policy=CN).labels == drawn.labels  # no policy calls it synthetic


def test_a_synthetic_image_without_labels_is_refused(house: tuple[Signer, Path]) -> None:
    with pytest.raises(ImageryError, match="none-needed: expected an image without synthetic content"):
        exported(finished().synthetic(), house[0], policy=label_policy("none-needed"))
    with pytest.raises(ImageryError, match="cn: producer"):
        exported(finished().synthetic(), house[0], policy=label_policy("cn"))


def labelled_photo(candidate: Finished, labels: Labels) -> Finished:
    photo = encode(decode(candidate.photo).image_hwc, "PNG", labels)
    relabelled = candidate.with_manifest(photo=sha256(photo))
    return Finished(
        manifest=relabelled.manifest,
        master_png=candidate.master_png,
        photo=photo,
        alpha_png=candidate.alpha_png,
    )


@pytest.mark.parametrize(
    "labels",
    [
        Labels(source=SourceType.TRAINED),
        Labels(source=SourceType.DIGITAL_CAPTURE, aigc=Aigc.of("camera-app", "1")),
    ],
)
def test_a_photo_that_is_labelled_as_synthetic_makes_the_image_so(
    labels: Labels, house: tuple[Signer, Path]
) -> None:
    candidate = labelled_photo(finished(), labels)
    assert exported(candidate, house[0]).labels.aigc is not None
    with pytest.raises(ImageryError, match="expected an image without synthetic content"):
        exported(candidate, house[0], policy=label_policy("none-needed"))


def test_a_photo_that_says_it_is_a_photo_does_not(house: tuple[Signer, Path]) -> None:
    candidate = labelled_photo(finished(), Labels(source=SourceType.DIGITAL_CAPTURE))
    assert (
        exported(candidate, house[0], policy=label_policy("none-needed")).labels.source
        is SourceType.COMPOSITE
    )


def test_a_waiver_leaves_out_the_visible_label_and_is_spoken_of(house: tuple[Signer, Path]) -> None:
    made = exported(finished().synthetic(), house[0], policy=CN.waived(WAIVER))
    found = read_labels(made.data)
    assert (found.explicit, made.explicit) == (None, None)
    assert found.aigc is not None
    assert made.warnings == ("explicit label: left out for mei; the record is kept until 2027-06-01",)
    said = read(made.data).generation
    assert said is not None
    assert said["explicit_label_waived"] is True
    assert b"mei" not in made.data  # who asked is nobody else's business


def darker(master: Pixels) -> None:
    master[0, 0] = master[0, 0] ^ 1


def retouched(master: Pixels) -> None:
    master[300, 300] = master[300, 300] ^ 1


def test_a_master_whose_pixels_are_not_the_manifests_is_refused(house: tuple[Signer, Path]) -> None:
    with pytest.raises(ImageryError, match="master: expected sha256"):
        exported(finished().with_master(darker, told=False), house[0])


def test_a_product_that_was_changed_is_refused_even_where_the_manifest_agrees(
    house: tuple[Signer, Path],
) -> None:
    with pytest.raises(ImageryError, match=r"product: expected its \d+ pixels untouched, found 1 changed"):
        exported(finished().with_master(retouched, told=True), house[0])


def test_a_photo_or_alpha_that_is_not_the_manifests_is_refused(house: tuple[Signer, Path]) -> None:
    with pytest.raises(ImageryError, match="photo: expected sha256"):
        exported(finished().with_manifest(photo="0" * 64), house[0])
    cutout = finished().manifest.cutout.model_copy(update={"alpha": "0" * 64})
    with pytest.raises(ImageryError, match="alpha: expected sha256"):
        exported(finished().with_manifest(cutout=cutout), house[0])
    with pytest.raises(ImageryError, match="locked pixels: expected sha256"):
        exported(finished().with_manifest(locked="0" * 64), house[0])


def test_a_product_enlarged_beyond_the_limit_is_refused(house: tuple[Signer, Path]) -> None:
    placement = finished().manifest.placement.model_copy(update={"scale": 1.51})
    with pytest.raises(
        ImageryError, match=r"placement\.scale: expected the product enlarged at most 1.5 times, found 1.51"
    ):
        exported(finished().with_manifest(placement=placement), house[0])


def test_what_is_no_picture_is_refused(house: tuple[Signer, Path]) -> None:
    candidate = finished()
    with pytest.raises(ImageError, match="master"):
        export(
            b"no picture",
            candidate.manifest,
            lenient(),
            CN,
            house[0],
            photo=candidate.photo,
            alpha_png=candidate.alpha_png,
        )


def approval(candidate: Finished, rules: RuleSet, policy: LabelPolicy) -> str:
    return approval_digest(
        candidate.manifest.master, [rules.digest()], policy.digest(), candidate.manifest.digest()
    )


def test_an_approved_image_is_exported_and_says_by_which_approval(house: tuple[Signer, Path]) -> None:
    approved = approval(finished(), lenient(), CN)
    said = read(exported(finished(), house[0], approved=approved).data).generation
    assert said is not None
    assert said["approval"] == approved


@pytest.mark.parametrize("what", ["manifest", "rules", "policy", "approval"])
def test_an_approval_of_something_else_is_refused(what: str, house: tuple[Signer, Path]) -> None:
    candidate, rules, policy, approved = finished(), lenient(), CN, approval(finished(), lenient(), CN)
    if what == "manifest":
        candidate = candidate.with_manifest(number=2)
    elif what == "rules":
        rules = lenient(most_bytes=9_000_000)
    elif what == "policy":
        policy = CN.waived(WAIVER)
    else:
        approved = "0" * 64
    with pytest.raises(ImageryError, match="approval: expected sha256"):
        exported(candidate, house[0], rules=rules, policy=policy, approved=approved)


def test_an_approval_for_other_marketplaces_is_refused(house: tuple[Signer, Path]) -> None:
    rules = rule_set("shopify")
    with pytest.raises(ImageryError, match=r"expected one that was approved, google.merchant; found shopify"):
        exported(finished(), house[0], rules=rules, approved="0" * 64)


def test_an_image_that_breaks_a_rule_is_refused_and_the_rule_named(house: tuple[Signer, Path]) -> None:
    with pytest.raises(
        ImageryError, match=r"cannot be exported: JPEG: shortest_side: expected .*700.*, measured 600"
    ):
        exported(finished(), house[0], rules=lenient(shortest_side={"min": 700}))


def test_a_file_that_is_too_large_is_compressed_more_and_in_the_end_refused(
    house: tuple[Signer, Path],
) -> None:
    usual = exported(finished(), house[0])
    unsigned = len(encode(decode_master(finished().master_png), "JPEG", usual.labels))
    smaller = exported(finished(), house[0], rules=lenient(most_bytes=unsigned + 30_000))
    assert len(smaller.data) < len(usual.data)
    assert quality_step(smaller.data) > quality_step(usual.data)
    with pytest.raises(
        ImageryError, match="JPEG: larger than the rules allow; PNG: larger than the rules allow"
    ):
        exported(finished(), house[0], rules=lenient(most_bytes=40_000))


def quality_step(data: bytes) -> int:
    with JpegImageFile(io.BytesIO(data)) as picture:
        return max(picture.quantization[0])


def test_no_format_that_loupe_writes_is_refused(house: tuple[Signer, Path]) -> None:
    with pytest.raises(ImageryError, match="no format of JPEG, PNG, WEBP, TIFF is allowed"):
        exported(finished(), house[0], rules=lenient(formats=("GIF", "BMP")))


def test_a_main_image_on_white_passes_amazons_rules_without_a_label(house: tuple[Signer, Path]) -> None:
    candidate = finished(plain=True, rules=("amazon.main",), side=1000, photo_side=1500)
    made = exported(candidate, house[0], rules=rule_set("amazon.main"), policy=label_policy("none-needed"))
    assert made.report.ok
    corner = decode(made.data).image_hwc[:20]
    assert corner.min() == 255


def test_an_enlarged_product_is_warned_of(house: tuple[Signer, Path]) -> None:
    made = exported(finished(photo_side=600), house[0])
    assert made.warnings == ("product: enlarged 1.27 times: it looks softer than its photo",)


def test_an_encoded_master_need_not_be_the_same_file(house: tuple[Signer, Path]) -> None:
    candidate = finished()
    again = Finished(
        manifest=candidate.manifest,
        master_png=encoded(decode_master(candidate.master_png), "PNG", compress_level=1),
        photo=candidate.photo,
        alpha_png=candidate.alpha_png,
    )
    assert again.master_png != candidate.master_png
    assert exported(again, house[0]).unsigned == exported(candidate, house[0]).unsigned
