"""Customers' photos go where their category says, and people's corrections to whoever trains the next model."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import grpc
import pytest

from server.auth import Role
from tests.catalog_bundles import PREPROCESS
from tests.e2e.serving import eventually, serving, token, wrong_fields
from tests.e2e.shops import Asker, furnished, png, private, product, refusal, said
from vision.preprocess import prepare_bytes
from vision.v1 import catalog_pb2

pytestmark = pytest.mark.slow

Code = grpc.StatusCode


# --- blemishes


def test_a_customers_photo_is_judged_by_the_model_of_its_category(kim: Asker) -> None:
    checked = kim.check(png("sneakers"), heatmap=True, part="order 7")

    assert checked.routed_by == "shoes"
    assert checked.category.levels[-1].label == "sneakers"
    assert checked.inspection.model.name == "plates"
    assert checked.inspection.verdict.decision
    assert checked.inspection.result_id


def test_where_no_category_has_a_route_that_is_said(kim: Asker) -> None:
    error = refusal(lambda: kim.check(png("tees")))

    assert error.code() is Code.NOT_FOUND
    assert "expected a route for clothing > tops > tees, found: shoes" in said(error)


def test_of_a_kept_product_the_category_is_known_and_a_persons_word_wins(kim: Asker) -> None:
    kim.index("b0", product(png("sneakers", 81)))
    kim.index("b1", product(png("tees", 82)))

    kept = kim.check(png("tees"), item_id="b0")  # whatever the photo shows
    nowhere = refusal(lambda: kim.check(png("sneakers"), item_id="b1"))
    kim.say("b1", {"kind": "sandals"})
    corrected = kim.check(png("tees"), item_id="b1", part="order 8")

    assert kept.routed_by == corrected.routed_by == "shoes"
    assert not kept.HasField("category")
    assert not kept.HasField("category_model")
    assert (kept.item.item_id, kept.item.corrected) == ("b0", False)
    assert dict(kept.item.labels) == {"department": "footwear", "family": "shoes", "kind": "sneakers"}
    assert corrected.item.corrected
    assert corrected.item.labels["kind"] == "sandals"
    assert corrected.inspection.model.name == "plates"
    assert nowhere.code() is Code.NOT_FOUND
    assert "expected a route for clothing > tops > tees" in said(nowhere)
    for name in ("b0", "b1"):
        kim.remove(name)


def test_a_product_that_is_not_kept_or_told_twice_is_refused(kim: Asker) -> None:
    gone = refusal(lambda: kim.check(png("sneakers"), item_id="nowhere"))
    twice = refusal(lambda: kim.check(png("sneakers"), item_id="x", title="Slides", model="shop"))

    assert gone.code() is Code.NOT_FOUND
    assert "item 'nowhere': expected one of the catalog, found none" in said(gone)
    assert twice.code() is Code.INVALID_ARGUMENT
    assert wrong_fields(twice) == ["model", "title"]


# --- corrections


def test_people_correct_and_a_reviewer_takes_out_what_is_to_be_learned(
    kim: Asker, asker: Callable[[str], Asker]
) -> None:
    lee, ada = asker("lee"), asker("ada")
    kim.index("c0", product(png("sneakers", 61), title="Slides"))
    kim.index("c1", product(png("sneakers", 62)))
    kim.index("c2", product(png("sneakers", 63)), split="test")
    kim.index("c3", product(png("sneakers", 64)))

    corrected = kim.say("c0", {"kind": "sandals"}, comment="open toes")
    assert dict(corrected.labels) == {"department": "footwear", "family": "shoes", "kind": "sandals"}
    assert corrected.by == "kim"
    kim.say("c1", {"kind": "sandals"})
    assert lee.say("c1", {"kind": "sneakers"}).state == catalog_pb2.FEEDBACK_STATE_REVIEW
    kim.say("c2", {"kind": "sandals"})
    kim.say("c3", {"kind": "sneakers"})

    *rows, last = ada.export(photos=True)
    counts = last.counts
    assert [one.feedback.item_id for one in rows] == ["c0"]
    row = rows[0].feedback
    assert (row.by, row.comment, row.title) == ("kim", "open toes", "Slides")
    assert row.kind == catalog_pb2.FEEDBACK_KIND_CORRECTION
    assert row.model == "shop"
    assert prepare_bytes(row.photos[0], PREPROCESS).image_hwc.tobytes() == (
        prepare_bytes(png("sneakers", 61), PREPROCESS).image_hwc.tobytes()
    )
    assert (counts.corrections, counts.confirmations, counts.frozen, counts.disputed) == (1, 1, 1, 1)
    *disputed, _ = ada.export(disputed=True)
    assert [(one.feedback.item_id, one.feedback.by) for one in disputed] == [("c1", "kim"), ("c1", "lee")]

    assert ada.say("c1", {"kind": "sneakers"}).state == catalog_pb2.FEEDBACK_STATE_ACCEPTED
    assert ada.export(disputed=True)[:-1] == []
    # what was corrected is found where it belongs from now on
    assert "c0" in kim.found(text="sandals", limit=100)
    assert "c1" not in kim.found(text="sandals", limit=100)


def test_a_damaged_photo_costs_its_own_lesson_and_no_other(tmp_path: Path) -> None:
    furnished(tmp_path)
    ada = token(tmp_path, "ada", Role.CATALOG, Role.REVIEW)
    with serving(tmp_path) as server:
        asker = Asker(server.address, ada)
        for name, seed in (("torn", 1), ("whole", 2)):
            kept = asker.index(name, product(png("sneakers", seed))).photo_sha256s[0]
            asker.say(name, {"kind": "sandals"})
            if name == "torn":
                (path,) = (tmp_path / "loupe-data" / "photos").rglob(kept)
                path.write_bytes(path.read_bytes()[:100])

        *rows, _ = asker.export(photos=True)

        photos = {one.feedback.item_id: list(one.feedback.photos) for one in rows}
        assert photos["torn"] == [b""]
        assert photos["whole"][0].startswith(b"\x89PNG")
        eventually(lambda: any("photo not exported" in line for line in server.log))


def test_feedback_that_cannot_be_right_is_refused(kim: Asker) -> None:
    kim.index("wrong", product(png("sneakers", 9)))

    for item_id, labels, code, words in [
        ("nowhere", {"kind": "tees"}, Code.NOT_FOUND, "item 'nowhere'"),
        ("wrong", {"kind": "snekers"}, Code.INVALID_ARGUMENT, "nearest: 'sneakers'"),
        ("wrong", {"colour": "red"}, Code.INVALID_ARGUMENT, "expected one of department, family, kind"),
        ("wrong", {"family": "tops", "kind": "sneakers"}, Code.INVALID_ARGUMENT, "one way through the tree"),
        ("wrong", {}, Code.INVALID_ARGUMENT, "labels"),
    ]:
        error = refusal(partial(kim.say, item_id, labels))
        assert error.code() is code
        assert words in said(error)


def test_photos_of_the_frozen_test_set_are_never_learned_from(tmp_path: Path) -> None:
    furnished(tmp_path)
    ada = token(tmp_path, "ada", Role.CATALOG, Role.REVIEW)

    (tmp_path / "frozen").write_text(f"{hashlib.sha256(private('sandals')).hexdigest()}  test/1.jpg\n")
    with serving(tmp_path, catalog={"frozen": "frozen"}) as server:
        asker = Asker(server.address, ada)
        asker.index("tested", product(private("sandals")))
        asker.say("tested", {"kind": "tees"})
        (counts,) = asker.export()

    assert counts.counts.frozen == 1
    assert counts.counts.corrections == 0
