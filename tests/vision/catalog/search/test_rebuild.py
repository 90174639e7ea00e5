"""An index made anew from records is the one that puts would have made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vision.catalog.search.items import (
    DIMENSION,
    EXACT,
    GRAPHED,
    MODEL,
    ids,
    item,
    items,
    opened,
    vectors,
)
from vision.catalog.search.index import Options
from vision.catalog.search.rebuild import rebuild
from vision.catalog.search.values import Item
from vision.errors import InputError


@pytest.mark.parametrize("options", [EXACT, GRAPHED], ids=["exact", "graph"])
def test_a_rebuilt_index_answers_like_one_that_grew(tmp_path: Path, options: Options) -> None:
    rebuild(tmp_path / "rebuilt", iter(items(300)), model=MODEL, dimension=DIMENSION, options=options)
    with opened(tmp_path / "grown", options) as grown, opened(tmp_path / "rebuilt", options) as rebuilt:
        grown.apply(items(300))
        grown.checkpoint()
        assert len(rebuilt) == 300
        for query in vectors(20, 5000):
            assert rebuilt.search(query, 10) == grown.search(query, 10)
            assert rebuilt.search(query, 10, categories={"fine-2"}) == grown.search(
                query, 10, categories={"fine-2"}
            )


def test_a_rebuilt_index_goes_on_like_any_other(tmp_path: Path) -> None:
    rebuild(tmp_path, items(30), model=MODEL, dimension=DIMENSION, options=GRAPHED)
    with opened(tmp_path, GRAPHED) as index:
        index.put(item(30))
        index.checkpoint()
        index.remove("item-3")
    with opened(tmp_path, GRAPHED) as index:
        assert len(index) == 30


def test_of_several_records_with_one_id_the_last_counts(tmp_path: Path) -> None:
    records = [item(1), item(2), Item(item_id="item-1", vectors=vectors(1, 99))]
    rebuild(tmp_path, records, model=MODEL, dimension=DIMENSION)
    with opened(tmp_path) as index:
        assert len(index) == 2
        assert ids(index.search(vectors(1, 99)[0], 1)) == ["item-1"]


def test_an_index_is_kept_until_the_new_one_is_complete(tmp_path: Path) -> None:
    def records() -> Iterator[Item]:
        yield item(0)
        yield Item(item_id="bad", vectors=vectors(1, 0)[:, :3])

    rebuild(tmp_path / "index", items(30), model=MODEL, dimension=DIMENSION)
    with pytest.raises(InputError, match=r"item 'bad': vectors: expected shape \(N, 16\)"):
        rebuild(tmp_path / "index", records(), model=MODEL, dimension=DIMENSION)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    with opened(tmp_path / "index") as index:
        assert len(index) == 30
