"""Which labels an image needs is data; leaving the visible one out takes a record that is kept."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vision.errors import ImageryError
from vision.imagery.labels.corner import Language
from vision.imagery.labels.policy import LabelPolicy, Labels, label_policy, policy_names, read_policy
from vision.imagery.labels.source import SourceType
from vision.imagery.labels.waiver import Waiver, months_after

AGREED = "I will label the image myself wherever the law asks for it."
PLAIN = SourceType.COMPOSITE_CAPTURE


def waiver(**changed: object) -> Waiver:
    value = {
        "user": "mei",
        "at": datetime(2026, 11, 28, 9, 30, tzinfo=UTC),
        "reason": "the marketplace takes no text on main images",
        "agreement": AGREED,
        "keep_until": date(2027, 5, 28),
    }
    return Waiver.model_validate(value | changed)


def needed(policy: LabelPolicy, *, synthetic: bool) -> Labels:
    return policy.labels(synthetic=synthetic, otherwise=PLAIN, number="number-1")


@pytest.mark.parametrize("name", policy_names())
def test_every_policy_that_loupe_carries_can_be_read_and_says_where_it_is_from(name: str) -> None:
    policy = label_policy(name)
    assert policy.name == name
    assert all(policy.sources)


@pytest.mark.parametrize("name", policy_names())
def test_an_image_without_synthetic_content_is_not_said_to_have_some(name: str) -> None:
    assert needed(label_policy(name, producer="shop"), synthetic=False) == Labels(source=PLAIN)


@pytest.mark.parametrize(
    ("name", "source", "aigc", "explicit"),
    [
        ("eu", SourceType.COMPOSITE_TRAINED, False, ()),
        ("eu-google", SourceType.TRAINED, False, ()),
        ("cn", SourceType.COMPOSITE_TRAINED, True, (Language.CHINESE,)),
        ("everywhere", SourceType.TRAINED, True, (Language.CHINESE, Language.ENGLISH)),
    ],
)
def test_synthetic_content_is_labelled_as_the_policy_says(
    name: str, source: SourceType, aigc: bool, explicit: tuple[Language, ...]
) -> None:
    labels = needed(label_policy(name, producer="shop"), synthetic=True)
    assert (labels.source, labels.aigc is not None, labels.explicit) == (source, aigc, explicit)


def test_synthetic_content_is_refused_by_the_policy_for_images_without() -> None:
    with pytest.raises(ImageryError, match="none-needed: expected an image without synthetic content"):
        needed(label_policy("none-needed"), synthetic=True)


def test_the_chinese_label_takes_the_name_of_who_offers_the_service() -> None:
    with pytest.raises(ImageryError, match="cn: producer: expected the name or code"):
        needed(label_policy("cn"), synthetic=True)
    labels = needed(label_policy("cn").with_producer("001191110102MACQD9K640"), synthetic=True)
    assert labels.aigc is not None
    assert (labels.aigc.producer, labels.aigc.produce_id) == ("001191110102MACQD9K640", "number-1")


def test_a_producer_that_no_label_can_hold_is_refused() -> None:
    with pytest.raises(ImageryError, match="label policy cn: producer"):
        label_policy("cn", producer="My Shop")


def test_an_unknown_policy_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ImageryError, match=r"expected one of cn, eu, .*; found '../cn'"):
        label_policy("../cn")


def test_a_waiver_leaves_out_the_visible_label_alone() -> None:
    policy = label_policy("cn", producer="shop")
    labels, without = needed(policy, synthetic=True), needed(policy.waived(waiver()), synthetic=True)
    assert without == Labels(source=labels.source, aigc=labels.aigc)


@pytest.mark.parametrize("name", ["eu", "eu-google", "none-needed"])
def test_what_has_no_visible_label_cannot_be_waived(name: str) -> None:
    with pytest.raises(ImageryError, match=f"label policy {name}: waiver"):
        label_policy(name, waiver=waiver())


def test_a_policy_that_does_not_allow_waivers_takes_none() -> None:
    strict = label_policy("cn").model_copy(update={"waivable": False})
    with pytest.raises(ImageryError, match="waiver"):
        strict.waived(waiver())


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"user": " "}, "user"),
        ({"reason": ""}, "reason"),
        ({"agreement": "ok"}, "agreement"),
        ({"at": datetime(2026, 11, 28, 9, 30)}, "at"),  # noqa: DTZ001  (that is what is wrong with it)
        ({"keep_until": date(2027, 5, 27)}, "keep_until: expected 2027-05-28 or later, found 2027-05-27"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_an_incomplete_waiver_is_refused(changed: dict[str, object], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        waiver(**changed)


@given(st.dates(date(2025, 9, 1), date(2100, 1, 1)), st.integers(0, 400))
def test_no_waiver_is_kept_for_less_than_six_months(day: date, days: int) -> None:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    until = day + timedelta(days=days)
    try:
        waiver(at=at, keep_until=until)
    except ValidationError:
        assert until < months_after(day, 6)
    else:
        assert (until - day).days >= 181


@pytest.mark.parametrize(
    ("day", "later"),
    [
        ("2026-08-31", "2027-02-28"),
        ("2027-08-31", "2028-02-29"),
        ("2026-06-30", "2026-12-30"),
        ("2026-12-31", "2027-06-30"),
    ],
)
def test_six_months_after_the_last_of_a_month_is_a_day_that_there_is(day: str, later: str) -> None:
    assert months_after(date.fromisoformat(day), 6) == date.fromisoformat(later)


def test_whatever_changes_a_policy_changes_its_digest() -> None:
    policy = label_policy("cn")
    others = [
        policy.with_producer("shop"),
        policy.with_producer("other"),
        policy.waived(waiver()),
        policy.waived(waiver(user="li")),
        policy.model_copy(update={"version": 2}),
        label_policy("eu"),
    ]
    digests = {one.digest() for one in [policy, *others]}
    assert len(digests) == 7
    assert policy.digest() == label_policy("cn").digest()


def test_a_policy_of_ones_own_is_read_and_its_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    lines = 'name = "mine"\nversion = 1\nchecked_on = 2026-11-28\nstatus = "verified"\nsources = ["us"]\n'
    path.write_text(lines + 'synthetic_source = "trainedAlgorithmicMedia"\nexplicit = ["en"]\n')
    assert read_policy(path).explicit == (Language.ENGLISH,)
    path.write_text(lines + 'synthetic_source = "digitalCapture"\n')
    with pytest.raises(ImageryError, match=r"mine.toml: .*synthetic_source: expected a term"):
        read_policy(path)
    path.write_text(lines + "aigc = true\n")
    with pytest.raises(ImageryError, match="expected one where labels of synthetic content are asked for"):
        read_policy(path)
    path.write_text(lines + "explicit_label = true\n")
    with pytest.raises(ImageryError, match="explicit_label"):
        read_policy(path)
