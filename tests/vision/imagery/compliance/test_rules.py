"""Rule sets: data with sources and dates, that name what they imply and are refused where they are wrong."""

from datetime import date
from pathlib import Path

import pytest

from vision.errors import ImageryError, SettingsError
from vision.imagery.compliance import RuleSet, framing, read_rule_set, rule_set, rule_sets
from vision.imagery.compliance.rules import RULES

OWN = """
name = "own"
title = "Our shop"
version = 1
[[rules]]
id = "side.min"
kind = "shortest_side"
value = { min = 600 }
severity = "fail"
source = "our handbook"
checked_on = 2026-11-01
status = "verified"
"""


def own(tmp_path: Path, text: str = OWN) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


def test_the_sets_that_come_along_are_the_known_ones() -> None:
    names = [one.name for one in rule_sets()]
    assert names == ["amazon.main", "ebay", "etsy", "google.merchant", "jd", "shopify", "taobao", "tmall"]


@pytest.mark.parametrize("rules", rule_sets(), ids=lambda one: one.name)
def test_every_rule_says_where_and_when_it_was_read(rules: RuleSet) -> None:
    assert (RULES / f"{rules.name}.toml").is_file()
    for rule in rules.rules:
        assert rule.source
        assert date(2026, 1, 1) < rule.checked_on < date(2027, 1, 1)


@pytest.mark.parametrize("name", ["etsy", "jd", "taobao", "tmall"])
def test_what_nobody_could_read_up_is_said_to_be_unverified(name: str) -> None:
    assert rule_set(name).status == "unverified"


def test_no_rule_of_amazons_is_verified_as_its_own_pages_were_not_read() -> None:
    assert {rule.status for rule in rule_set("amazon.main").rules} == {"secondary", "unverified"}


def test_an_unknown_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ImageryError, match=r"rules: expected one of amazon\.main, .*tmall, found 'walmart'"):
        rule_set("walmart")


def test_a_name_is_no_path() -> None:
    with pytest.raises(ImageryError, match="expected one of"):
        rule_set("../rules/amazon.main")


def test_a_set_of_ones_own_is_read(tmp_path: Path) -> None:
    rules = read_rule_set(own(tmp_path))
    assert (rules.name, rules.status, rules.rules[0].value.holds(599)) == ("own", "verified", False)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('kind = "shortest_side"', 'kind = "shoe_size"'), "shoe_size"),
        (("{ min = 600 }", "{ }"), "expected min, max or both, found neither"),
        (("{ min = 600 }", "{ min = 600, max = 5 }"), "expected min <= max, found 600 and 5"),
        (('severity = "fail"', 'severity = "maybe"'), "severity"),
        (('source = "our handbook"', 'source = ""'), "source"),
        (("checked_on = 2026-11-01", "checked = 1"), "checked_on"),
        (
            ('status = "verified"', 'status = "verified"\nimplies = ["fill"]'),
            r"rule 'side\.min': implies: expected some of side\.min, found 'fill'",
        ),
    ],
)
def test_a_faulty_set_is_refused_with_its_file_and_field(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    path = own(tmp_path, OWN.replace(*change))
    with pytest.raises(SettingsError, match=complaint) as refused:
        read_rule_set(path)
    assert str(path) in str(refused.value)


def test_a_rule_twice_is_refused(tmp_path: Path) -> None:
    rule = OWN[OWN.index("[[rules]]") :]
    with pytest.raises(SettingsError, match=r"rule 'side\.min': expected one of this id, found 2"):
        read_rule_set(own(tmp_path, OWN + rule))


def test_the_digest_changes_with_any_value(tmp_path: Path) -> None:
    before = read_rule_set(own(tmp_path)).digest()
    assert before == read_rule_set(own(tmp_path)).digest()
    assert before != read_rule_set(own(tmp_path, OWN.replace("600", "601"))).digest()


def test_what_a_fault_implies_is_followed_to_its_end() -> None:
    rules = rule_set("amazon.main")
    assert rules.implied_by(["side.min"]) == {"side.min", "side.zoom", "side.recommended"}
    assert rules.implied_by([]) == frozenset()


def test_a_product_is_placed_between_what_a_set_asks_for() -> None:
    amazon, google = framing(rule_set("amazon.main")), framing(rule_set("google.merchant"))
    assert (amazon.fill_low, amazon.fill_high, amazon.fill_target) == (0.85, 0.95, 0.9)
    assert (amazon.white_background, amazon.min_side, amazon.recommended_px, amazon.max_px) == (
        True,
        500,
        1600,
        10_000,
    )
    assert (google.fill_low, google.fill_high, google.white_background) == (0.75, 0.9, False)
    assert framing(rule_set("taobao")).ratios == ((1, 1), (3, 4))
