"""The desk in earnest: what it knows, and what it refuses before anything is asked of it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.config import Imagery
from server.imagery.desk import open_desk
from server.imagery.ports import Subject
from server.imagery.waivers import AGREEMENT, waiver_of
from tests.server.imagery.parts import GreyStudio, brief, photo
from vision.errors import ImageError, ImageryError, SettingsError, StateError
from vision.image import ImageLimits, decode
from vision.imagery.certificates import CHAIN, KEY, generate
from vision.imagery.labels.carriers import encode
from vision.imagery.labels.policy import LabelPolicy, Labels
from vision.imagery.labels.source import SourceType

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SHOP = brief(rules=("shopify", "google.merchant"), count=1)


def subject() -> Subject:
    sitting = GreyStudio(steps=1).sit(photo(), None, SHOP)
    made = sitting.make(1, lambda _: None)
    return Subject(
        master_png=made.master_png,
        photo=photo(),
        alpha_png=sitting.alpha_png,
        manifest=made.manifest,
        policy=open_desk(Imagery()).policy("", None),
    )


def test_it_knows_the_marketplaces_and_the_usual_policy_comes_first() -> None:
    desk = open_desk(Imagery(label_policy="eu"))
    assert "amazon.main" in desk.rule_sets()
    assert desk.policies()[0] == "eu"
    assert sorted(set(desk.policies())) == sorted(desk.policies())
    assert desk.policy("", None)["name"] == "eu"
    reports = desk.check(photo(side=64), ("shopify",))
    assert (reports[0]["rule_set"], reports[0]["status"]) == ("shopify", "warn")
    with pytest.raises(ImageError):
        desk.check(b"no picture", ("shopify",))
    narrow = open_desk(Imagery(), ImageLimits(max_pixels=4000))
    with pytest.raises(ImageError, match="4000"):
        narrow.check(photo(side=64), ("shopify",))


STUDIO_WORK = {"generator": "studio-64", "rules": ("google.merchant",)}


@pytest.mark.parametrize(
    ("config", "policy", "changed", "words"),
    [
        ({}, "", {"rules": ("shopify", "nowhere")}, "nowhere"),
        ({"models": Path()}, "eu", {"generator": "studio-9000"}, "generator: expected one of .* found 'studio-9000'"),
        ({}, "", STUDIO_WORK, r"everywhere: producer: expected the name .*imagery\.producer"),
        ({"producer": "shop"}, "", STUDIO_WORK, "google.merchant: .*forbid text.*another label policy, a waiver"),
        ({"producer": "shop"}, "cn", {**STUDIO_WORK, "rules": ("amazon.main",)}, "amazon.main: .*forbid text"),
        ({}, "none-needed", STUDIO_WORK, "none-needed: expected an image without synthetic content"),
        ({}, "eu", {**STUDIO_WORK, "rules": ("jd",)}, "jd: .*writes no AIGC label"),
    ],
)  # fmt: skip
def test_an_order_whose_images_could_never_leave_is_refused_with_what_to_change(
    config: dict[str, Any], policy: str, changed: dict[str, Any], words: str
) -> None:
    desk = open_desk(Imagery(**config))
    with pytest.raises(ImageryError, match=words):
        desk.check_order(brief(**{**STUDIO_WORK, **changed}), desk.policy(policy, None), photo(side=64))


def test_scenes_without_a_trained_model_need_no_label_and_a_waived_one_breaks_no_rule() -> None:
    plain, named = open_desk(Imagery()), open_desk(Imagery(producer="shop"))
    for generator in ("procedural", "plain-white"):
        drawn = brief(**{**STUDIO_WORK, "generator": generator})
        plain.check_order(drawn, plain.policy("", None), photo(side=64))
    waived = named.policy("everywhere", waiver_of("kim", "no text on main images", NOW))
    named.check_order(brief(**STUDIO_WORK), waived, photo(side=64))
    plain.check_order(brief(**STUDIO_WORK), plain.policy("eu-google", None), photo(side=64))


def test_a_photo_that_says_it_is_made_with_ai_is_held_to_the_rules_of_such_images() -> None:
    made = encode(decode(photo(side=64)).image_hwc, "PNG", Labels(source=SourceType.TRAINED))
    desk = open_desk(Imagery(producer="shop"))
    drawn = brief(generator="procedural", rules=("google.merchant",))
    with pytest.raises(ImageryError, match="a photo that is labelled as made with AI"):
        desk.check_order(drawn, desk.policy("", None), made)


def test_a_waiver_stands_in_the_policy_that_is_approved() -> None:
    desk = open_desk(Imagery(producer="loupe-tests"))
    waiver = waiver_of("kim", "主图不得有文字", NOW)
    plain, waived = (LabelPolicy.model_validate(desk.policy("cn", one)) for one in (None, waiver))
    assert waived.waiver is not None
    assert (waived.waiver.user, waived.waiver.agreement) == ("kim", AGREEMENT)
    assert waived.digest() != plain.digest()
    with pytest.raises(ImageryError, match="label policy eu"):
        desk.policy("eu", waiver)


def test_an_approval_is_of_master_rules_policy_and_manifest_alike() -> None:
    desk, first = open_desk(Imagery()), subject()
    other = GreyStudio(steps=1).sit(photo(), None, brief(rules=SHOP.rules, seed=9)).make(1, lambda _: None)

    def changed(**values: object) -> str:
        kept = {name: getattr(first, name) for name in Subject.__slots__}
        return desk.approval(Subject(**kept | values))

    digests = {
        desk.approval(first),
        changed(master_png=other.master_png),
        changed(manifest=other.manifest),
        changed(policy=desk.policy("cn", None)),
    }
    assert len(digests) == 4
    assert desk.approval(subject()) in digests


def test_a_policy_that_cannot_be_read_is_named_by_its_field() -> None:
    kept = {name: getattr(subject(), name) for name in Subject.__slots__}
    with pytest.raises(ImageryError, match="label policy: version: Field required"):
        open_desk(Imagery()).approval(Subject(**kept | {"policy": {"name": "cn"}}))


def test_without_a_certificate_nothing_is_exported_and_it_says_how_to_get_one(tmp_path: Path) -> None:
    desk = open_desk(Imagery())
    with pytest.raises(StateError, match=r"expected a certificate to sign with .*loupe imagery keygen"):
        desk.export(subject(), "shopify", desk.approval(subject()))
    generate(tmp_path, organisation="Test House")
    signing = open_desk(Imagery(signing_chain=tmp_path / CHAIN, signing_key=tmp_path / KEY))
    with pytest.raises(ImageError, match="photo: expected sides of at least 64 px"):  # further than without
        signing.export(subject(), "shopify", "0" * 64)


def test_a_key_that_is_none_and_a_policy_that_is_not_there_end_the_server_at_its_start(
    tmp_path: Path,
) -> None:
    (tmp_path / "some.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match=r"some.pem: expected certificates"):
        open_desk(Imagery(signing_chain=tmp_path / "some.pem", signing_key=tmp_path / "some.pem"))
    with pytest.raises(ImageryError, match="label policy: expected one of"):
        open_desk(Imagery(label_policy="nowhere"))
