"""Text over a picture is read and told from what stands on the product; without the reader, nothing passes in silence."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.vision.imagery.compliance.mutations import good, mutations, written
from tests.vision.imagery.compliance.shots import Shot
from vision.imagery.compliance import Finding, RuleSet, check, reader, rule_set

SIZE = 1000
WORDS = "ACME COFFEE"


def only_text(name: str = "google.merchant", **value: object) -> RuleSet:
    rules = rule_set(name)
    rule = next(rule for rule in rules.rules if rule.kind == "no_text")
    changed = rule.value.model_copy(update=value)
    return rules.model_copy(update={"rules": (rule.model_copy(update={"value": changed, "implies": ()}),)})


def finding(shot: Shot, rules: RuleSet) -> Finding:
    (found,) = check(shot.encoded(), rules, context=shot.context()).findings
    return found


def bottle() -> Shot:
    """A product on which its maker's name stands."""
    shot = good("google.merchant", np.random.default_rng(4), told=True, size=SIZE)
    return written(shot, WORDS, (0.3, 0.6), 0.06, (255, 255, 255))


@pytest.fixture(scope="module", autouse=True)
def _reader() -> None:
    pytest.importorskip("rapidocr", reason="the ocr extra is not installed")


@pytest.mark.parametrize("mutation", [one for one in mutations() if one.reads], ids=str)
def test_words_over_the_picture_are_found(mutation) -> None:  # type: ignore[no-untyped-def]
    shot = mutation.make(np.random.default_rng(1), True, SIZE)
    found = finding(shot, only_text(mutation.rule_set))
    assert (found.status, bool(found.measured)) == ("fail", True)


def test_a_picture_without_text_passes() -> None:
    assert (
        finding(good("amazon.main", np.random.default_rng(0), told=True, size=SIZE), only_text()).status
        == "pass"
    )


def test_what_stands_on_the_product_is_its_own() -> None:
    assert finding(bottle(), only_text()).status == "pass"
    assert finding(replace(bottle(), own_text=("Acme  coffee",)), only_text()).status == "pass"


def test_words_on_the_product_that_its_photo_does_not_show_are_not() -> None:
    found = finding(replace(bottle(), own_text=("something else",)), only_text())
    assert found.status == "fail"
    assert "ACME" in str(found.measured)


def test_words_that_the_law_asks_for_may_be_allowed() -> None:
    shot = good("amazon.main", np.random.default_rng(0), told=True, size=SIZE)
    labelled = written(shot, "AI generated", (0.02, 0.004), 0.04, (40, 40, 40))
    assert finding(labelled, only_text()).status == "fail"
    assert finding(labelled, only_text(allowed=("AI-generated",))).status == "pass"


def test_without_the_reader_the_rule_is_not_checked_and_says_what_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader.reader.cache_clear()
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    shot = written(bottle(), "SALE", (0.05, 0.02), 0.05, (0, 0, 0))
    report = check(shot.encoded(), only_text(), context=shot.context())
    assert report.findings[0].status == "not_checked"
    assert "pip install 'loupe[ocr]'" in report.findings[0].note
    assert (report.ok, report.status) == (True, "warn")
