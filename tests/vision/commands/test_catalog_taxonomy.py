"""`loupe catalog taxonomy`: a tree for people, figures for programs, and the faults of a file."""

from pathlib import Path

from tests.vision.catalog.shops import SHOP
from tests.vision.commands.conftest import Loupe

LEAVES = "top,leaf\nshoes,sandals\nshoes,boots\nbelts,\n"


def test_a_tree_is_shown_with_its_counts(tmp_path: Path, loupe: Loupe) -> None:
    file = tmp_path / "shop.csv"
    file.write_text(LEAVES)
    said = loupe("catalog", "taxonomy", file, "--levels", "top, leaf")
    assert said.code == 0
    assert said.out.splitlines()[-5:] == [
        "shop.csv",
        "├── belts",
        "└── shoes 2",
        "    ├── boots",
        "    └── sandals",
    ]


def test_a_category_is_shown_under_each_parent_with_its_names(tmp_path: Path, loupe: Loupe) -> None:
    file = tmp_path / "shop.json"
    file.write_text(SHOP.to_json())
    said = loupe("catalog", "taxonomy", file)
    assert said.out.count("shoes Shoes, 鞋 2") == 2
    assert said.out.count("cards Gift cards, 礼品卡\n") == 1, "carried down, and shown once"


def test_programs_read_figures_and_changes(tmp_path: Path, loupe: Loupe) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text(LEAVES)
    new.write_text(LEAVES + "[bold],gloves\n")
    said = loupe("catalog", "taxonomy", new, "--levels", "top,leaf", "--against", old, "--json")
    assert said.json == {
        "file": str(new),
        "version": "1",
        "levels": {"top": 3, "leaf": 4},
        "categories": 6,
        "paths": 4,
        "moved": 0,
        "changes": {
            "added": [
                {"level": "top", "id": "[bold]", "before": "", "after": ""},
                {"level": "leaf", "id": "gloves", "before": "", "after": ""},
            ],
            "removed": [],
            "renamed": [],
            "merged": [],
            "moved": [],
        },
    }
    shown = loupe("catalog", "taxonomy", new, "--levels", "top,leaf", "--against", old)
    assert "│ added │ top   │ [bold]   │" in shown.out


def test_a_long_tree_and_long_changes_are_cut(tmp_path: Path, loupe: Loupe) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("top\na\n")
    new.write_text("top\n" + "".join(f"{number:03}\n" for number in range(250)))
    said = loupe("catalog", "taxonomy", new, "--levels", "top", "--against", old)
    assert "… 50 more" in said.out
    assert "51 more; --json prints all" in said.out


def test_faults_end_with_2_and_name_their_rows(tmp_path: Path, loupe: Loupe) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("id,level,parent\na,top,\nb,leaf,x\nc,leaf,y\n")
    said = loupe("catalog", "taxonomy", file, "--json")
    assert said.code == 2
    assert said.json["error"]["type"] == "FaultyTaxonomyError"
    lines = said.json["error"]["message"].splitlines()
    assert [line.partition(": expected")[0] for line in lines] == [
        f"{file}: line 3: category 'b': parent",
        f"{file}: line 4: category 'c': parent",
    ]
    assert "found 'y', which is at no level" in loupe("catalog", "taxonomy", file).err
