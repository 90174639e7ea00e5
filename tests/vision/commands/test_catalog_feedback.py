"""`loupe catalog lessons`: what people corrected becomes a manifest that can be read again."""

import csv
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("grpc")

from tests.catalog_bundles import photo
from vision.client.catalog_values import FeedbackKind, FeedbackRow, FeedbackState
from vision.commands.catalog_feedback import exported
from vision.errors import InputError
from vision.image import encode_png


def corrected(attributes: Mapping[str, str], *, level: str = "kind", split: str = "") -> FeedbackRow:
    return FeedbackRow(
        item_id="SKU-12",
        title="Slides",
        attributes=attributes,
        photo_sha256s=("ab",),
        photos=(encode_png(photo("sandals")),),
        labels={level: "sandals"},
        said={level: "sneakers"},
        kind=FeedbackKind.CORRECTION,
        state=FeedbackState.ACCEPTED,
        by="kim",
        at=datetime(2026, 11, 28, tzinfo=UTC),
        comment="",
        split=split,
    )


def only_row(text: str) -> dict[str, str]:
    (row,) = csv.DictReader(text.splitlines(), strict=True)
    return row


def test_a_row_says_what_it_is_and_lies_beside_its_photo(tmp_path: Path) -> None:
    row = only_row(exported([corrected({"season": "Summer"})], tmp_path))
    assert row == {
        "path": "photos/ab.png", "kind": "sandals", "title": "Slides", "split": "train", "group": "SKU-12",
        "feedback": "correction", "by": "kim", "at": "2026-11-28T00:00:00+00:00", "season": "Summer",
    }  # fmt: skip
    assert (tmp_path / row["path"]).exists()
    assert only_row(exported([corrected({}, split="val")], tmp_path))["split"] == "val"


def test_an_attribute_that_is_called_like_a_column_gets_a_longer_name(tmp_path: Path) -> None:
    named = ("title", " path", "split", "group", "by", "kind", "attribute_by", "colour")
    row = only_row(exported([corrected({name: f"its {name}" for name in named})], tmp_path))
    assert (row["title"], row["path"], row["group"], row["by"]) == (
        "Slides",
        "photos/ab.png",
        "SKU-12",
        "kim",
    )
    assert row["kind"] == "sandals"
    assert row["attribute_title"] == "its title"
    assert row["attribute_path"] == "its  path"
    assert row["attribute_by"] == "its attribute_by"
    assert row["attribute_attribute_by"] == "its by"
    assert row["colour"] == "its colour"


def test_a_level_that_is_called_like_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected levels with names of their own, found a level 'group'"):
        exported([corrected({}, level="group")], tmp_path)
    assert not list(tmp_path.iterdir())
