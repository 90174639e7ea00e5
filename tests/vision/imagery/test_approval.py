"""An approval is of exactly one image, its rule sets, its label policy and its manifest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.errors import ImageryError
from vision.imagery.approval import approval_digest

digests = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(digests, st.lists(digests, min_size=1, max_size=3, unique=True), digests, digests, st.data())
def test_any_other_part_is_another_approval(
    master: str, rules: list[str], policy: str, manifest: str, data: st.DataObject
) -> None:
    approved = approval_digest(master, rules, policy, manifest)
    other = data.draw(digests.filter(lambda one: one not in {master, policy, manifest, *rules}))
    others = {
        approval_digest(other, rules, policy, manifest),
        approval_digest(master, [*rules[1:], other], policy, manifest),
        approval_digest(master, rules, other, manifest),
        approval_digest(master, rules, policy, other),
        approval_digest(master, [*rules, other], policy, manifest),
        approved,
    }
    assert len(others) == 6


def test_parts_do_not_take_each_others_place() -> None:
    one, other = "a" * 64, "b" * 64
    assert approval_digest(one, [one], one, other) != approval_digest(one, [one], other, one)
    assert approval_digest(one, [other], one, one) != approval_digest(other, [one], one, one)


def test_the_order_of_rule_sets_does_not_matter() -> None:
    one, other = "a" * 64, "b" * 64
    assert approval_digest(one, [one, other], one, one) == approval_digest(one, [other, one, one], one, one)


@pytest.mark.parametrize("wrong", ["", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n"])
def test_what_is_no_digest_is_refused_by_name(wrong: str) -> None:
    right = "a" * 64
    with pytest.raises(ImageryError, match="approval: master: expected 64 hex digits"):
        approval_digest(wrong, [right], right, right)
    with pytest.raises(ImageryError, match="approval: rules"):
        approval_digest(right, [wrong], right, right)
    with pytest.raises(ImageryError, match="approval: manifest"):
        approval_digest(right, [right], right, wrong)


def test_an_approval_without_rule_sets_is_refused() -> None:
    with pytest.raises(ImageryError, match="approval: rules"):
        approval_digest("a" * 64, [], "a" * 64, "a" * 64)
