import numpy as np
import pytest
from rich.progress import Progress

from training.scenes.lesson import SceneLesson, corpus, held_out
from vision.imagery.brief import Layout
from vision.imagery.look import Table, Wall
from vision.imagery.scenes.procedural.studio import any_studio
from vision.imagery.scenes.procedural.words import understand


@pytest.fixture(scope="module")
def lesson() -> SceneLesson:
    return SceneLesson.drawn(80, 3, Progress(disable=True))


def test_one_combination_in_seven_is_held_out_and_no_wall_or_table_wholly() -> None:
    rng = np.random.default_rng(0)
    studios = [any_studio(rng) for _ in range(4000)]
    kept = [studio for studio in studios if not held_out(studio)]

    assert len(kept) / len(studios) == pytest.approx(6 / 7, abs=0.03)
    assert {(studio.wall, studio.table) for studio in kept} == {
        (wall, table) for wall in Wall for table in Table
    }


def test_no_held_out_studio_is_in_the_lesson_not_even_mirrored(lesson: SceneLesson) -> None:
    assert not any(held_out(studio) for studio in lesson.studios)
    captions = [caption for step in range(60) for caption in lesson.batch(step, 16)[1]]
    told = [understand(caption, Layout(), 0) for caption in captions if caption]
    whole = [one.studio for one in told if not {"wall", "table", "light"} & set(one.assumed)]
    assert len(whole) > 300
    assert not any(held_out(studio) for studio in whole)


def test_a_steps_draws_are_the_same_each_time_and_other_than_the_next_steps(lesson: SceneLesson) -> None:
    pictures, captions, _ = lesson.batch(7, 16)
    again, same, _ = lesson.batch(7, 16)
    other, _, _ = lesson.batch(8, 16)

    assert pictures.shape == (16, 64, 64, 3)
    assert np.array_equal(pictures, again)
    assert captions == same
    assert not np.array_equal(pictures, other)


def test_some_scenes_have_no_caption_so_that_guidance_has_something_to_lead_away_from(
    lesson: SceneLesson,
) -> None:
    captions = [caption for step in range(60) for caption in lesson.batch(step, 16)[1]]

    assert np.mean([caption == "" for caption in captions]) == pytest.approx(0.1, abs=0.03)


def test_captions_are_in_both_languages() -> None:
    captions = corpus(400, 1)

    chinese = np.mean([not caption.isascii() for caption in captions if caption])
    assert 0.15 < chinese < 0.5
