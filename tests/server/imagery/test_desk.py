"""The desk in earnest: what it knows, and what it refuses before anything is asked of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.config import Imagery
from server.imagery.desk import open_desk
from server.imagery.ports import Subject
from server.imagery.waivers import AGREEMENT, waiver_of
from tests.server.imagery.parts import GreyStudio, brief, photo
from vision.errors import ImageError, ImageryError, SettingsError, StateError
from vision.imagery.certificates import CHAIN, KEY, generate
from vision.imagery.labels.policy import LabelPolicy

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
    desk.check_rules(desk.rule_sets())
    assert "amazon.main" in desk.rule_sets()
    assert desk.policies()[0] == "eu"
    assert sorted(set(desk.policies())) == sorted(desk.policies())
    assert desk.policy("", None)["name"] == "eu"
    reports = desk.check(photo(side=64), ("shopify",))
    assert (reports[0]["rule_set"], reports[0]["status"]) == ("shopify", "warn")
    with pytest.raises(ImageryError, match="nowhere"):
        desk.check_rules(("shopify", "nowhere"))
    with pytest.raises(ImageError):
        desk.check(b"no picture", ("shopify",))


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
