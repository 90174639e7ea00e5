import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.imagery.brief import Layout, Light
from vision.imagery.look import Table, Wall
from vision.imagery.scenes.procedural.captions import FIELDS, Language, caption, free_caption
from vision.imagery.scenes.procedural.studio import Depth, Softness, Studio, any_studio, quiet_studio
from vision.imagery.scenes.procedural.words import understand

ANYWHERE = Layout()


@pytest.mark.parametrize(
    ("words", "wall", "table", "light"),
    [
        ("blue wall, wooden table, light from the right", Wall.BLUE, Table.WOOD, Light.RIGHT),
        (
            "on a dark stone slab against a sage green wall, lit from above",
            Wall.GREEN,
            Table.STONE,
            Light.ABOVE,
        ),
        ("蓝色墙面，白色大理石桌面，左侧柔光", Wall.BLUE, Table.MARBLE, Light.LEFT),
        ("奶油色背景，原木台面，阳光从右侧照射", Wall.BEIGE, Table.WOOD, Light.RIGHT),
        ("LINEN CLOTH, LAVENDER BACKDROP, LEFT LIGHT", Wall.PURPLE, Table.LINEN, Light.LEFT),
    ],
)
def test_a_scene_is_understood_from_free_words(words: str, wall: Wall, table: Table, light: Light) -> None:
    understood = understand(words, ANYWHERE, 0)

    assert (understood.studio.wall, understood.studio.table, understood.studio.light) == (wall, table, light)
    assert understood.unknown == ()


@pytest.mark.parametrize(
    ("words", "wall", "table"),
    [
        ("white marble table, pink wall", Wall.PINK, Table.MARBLE),  # marble's white, not the wall's
        ("a red table", Wall.RED, Table.PLAIN),  # a painted table takes the wall's colour
        ("marble counter before a wooden background", None, Table.MARBLE),  # the wood is the wall's
        ("black marble", None, Table.STONE),
        ("teal", Wall.TEAL, None),
    ],
)
def test_a_colour_belongs_to_what_it_stands_before(
    words: str, wall: Wall | None, table: Table | None
) -> None:
    understood = understand(words, ANYWHERE, 0)

    assert ("wall" in understood.assumed) == (wall is None)
    assert ("table" in understood.assumed) == (table is None)
    assert wall in {None, understood.studio.wall}
    assert table in {None, understood.studio.table}


def test_what_nobody_speaks_of_is_assumed_and_what_nobody_knows_is_told() -> None:
    understood = understand("a unicorn by a purple wall, 独角兽", ANYWHERE, 7)

    assert understood.assumed == ("depth", "horizon", "light", "softness", "table")
    assert understood.unknown == ("unicorn", "独", "角", "兽")
    assert understood.record["wall"] == "purple"
    assert understood.record["not_understood"] == ["unicorn", "独", "角", "兽"]


def test_words_without_meaning_give_a_quiet_studio_that_the_seed_chooses() -> None:
    studios = {understand("?!", ANYWHERE, seed).studio for seed in range(12)}

    assert len(studios) > 6
    assert all(studio.softness is Softness.SOFT for studio in studios)
    assert understand("?!", ANYWHERE, 3).studio == quiet_studio(3)


def test_the_layout_goes_before_the_words() -> None:
    asked = Layout(horizon=0.33, light=Light.ABOVE)

    studio = understand("light from the left, horizon 70", asked, 0).studio

    assert (studio.horizon, studio.light) == (0.33, Light.ABOVE)


def test_a_horizon_in_words_stays_within_a_layouts_limits() -> None:
    assert understand("horizon 05", ANYWHERE, 0).studio.horizon == 0.2
    assert understand("地平线99", ANYWHERE, 0).studio.horizon == 0.9


def test_ten_thousand_unknown_words_are_read_in_no_time_and_not_all_told() -> None:
    understood = understand("zzq xyw " * 5000 + " ".join(f"q{chr(97 + n)}q" for n in range(26)), ANYWHERE, 0)

    assert len(understood.unknown) == 20


studios = st.builds(
    Studio,
    wall=st.sampled_from(Wall),
    table=st.sampled_from(Table),
    light=st.sampled_from(Light),
    softness=st.sampled_from(Softness),
    depth=st.sampled_from(Depth),
    horizon=st.integers(20, 90).map(lambda percent: percent / 100),
)


@given(studio=studios, language=st.sampled_from(Language), seed=st.integers(0, 2**32 - 1))
def test_every_plain_caption_is_read_back(studio: Studio, language: Language, seed: int) -> None:
    understood = understand(caption(studio, language), ANYWHERE, seed)

    assert understood.studio == studio
    assert understood.assumed == ()
    assert understood.unknown == ()


@given(seed=st.integers(0, 2**32 - 1))
def test_every_free_caption_is_read_back_as_far_as_it_speaks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    studio = any_studio(rng)

    understood = understand(free_caption(studio, rng), ANYWHERE, seed)

    spoken = set(FIELDS) - set(understood.assumed)
    assert {name: getattr(understood.studio, name) for name in spoken} == {
        name: getattr(studio, name) for name in spoken
    }
    assert understood.unknown == ()


@given(words=st.text(max_size=300), seed=st.integers(0, 2**32 - 1))
def test_no_words_break_it(words: str, seed: int) -> None:
    assert 0.2 <= understand(words, ANYWHERE, seed).studio.horizon <= 0.9
