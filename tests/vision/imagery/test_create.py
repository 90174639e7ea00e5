"""From a brief to candidates: every one proven, described so that it can be made again, and the same for the same seed."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL.PngImagePlugin import PngInfo
from typing_extensions import override

from tests.goods import goods
from tests.pictures import encoded
from tests.vision.imagery.products import Noisy, ignore
from vision.errors import CancelledError, GuardError, ImageryError
from vision.image import decode, encode_png
from vision.imagery.brief import Brief, Layout, Light, read_brief
from vision.imagery.compose.blend import Composition, compose
from vision.imagery.compose.place import Placed
from vision.imagery.create import Candidate, Prepared, generator_named, make, prepare
from vision.imagery.kept import decode_master, encode_alpha, pixels_sha256, sha256
from vision.imagery.look import Look, Table, Wall
from vision.imagery.scenes.plain import PlainWhite
from vision.imagery.scenes.procedural.generator import ProceduralScenes
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.studio import quiet_studio
from vision.imagery.scenes.scene import OnStep, Scene, SceneAsk, Step

MUG = goods("mug", seed=1, side=900)
MASK = encode_alpha(MUG.alpha_hw)


def brief(**changed: object) -> Brief:
    usual = {
        "scene": "white marble table",
        "rules": ["google.merchant"],
        "generator": "noisy",
        "size_wh": (600, 600),
        "count": 2,
        "seed": 7,
    }
    return read_brief(usual | changed)


def white(**changed: object) -> Brief:
    return brief(**({"scene": "plain-white", "rules": ["amazon.main"], "generator": "plain-white"} | changed))


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(MUG.photo_png, MASK, brief())


@pytest.fixture(scope="module")
def candidate(prepared: Prepared) -> Candidate:
    return make(prepared, brief(), 1, Noisy(), ignore)


def test_noise_over_everything_leaves_the_product_alone(prepared: Prepared, candidate: Candidate) -> None:
    assert candidate.lock.kept
    master, locked = decode_master(candidate.master_png), prepared.placed.locked_hw
    assert locked.sum() == candidate.lock.pixels > 50_000
    assert np.array_equal(master[locked], prepared.placed.image_hwc[locked])
    assert not decode(candidate.difference_png).image_hwc[locked].any()


def test_the_manifest_names_every_part_by_its_digest(prepared: Prepared, candidate: Candidate) -> None:
    manifest = candidate.manifest
    assert manifest.brief == brief()
    assert (manifest.photo, manifest.mask) == (sha256(MUG.photo_png), sha256(MASK))
    assert (manifest.cutout.how, manifest.cutout.alpha) == (prepared.cutout.how, sha256(prepared.alpha_png))
    assert manifest.master == pixels_sha256(decode_master(candidate.master_png))
    assert manifest.locked == candidate.lock.locked
    assert manifest.placement == prepared.placement
    assert manifest.scene.synthetic
    assert manifest.scene.fingerprint == {"noise": "1"}
    assert manifest.scene.record == {"words": "white marble table"}
    assert manifest.scene.asked == prepared.layout
    assert manifest.scene.layout == Layout(horizon=0.6, light=Light.LEFT)


def test_the_generator_is_asked_with_the_seed_the_table_and_the_room(prepared: Prepared) -> None:
    noisy = Noisy()
    make(prepared, brief(), 2, noisy, ignore)
    (ask,) = noisy.asked
    assert (ask.words, ask.size_wh, ask.seed) == ("white marble table", (600, 600), 8)
    assert ask.layout.horizon is not None
    assert ask.kept is not None
    assert np.array_equal(ask.kept.mask_hw, prepared.placed.alpha_hw > 0)


def test_the_same_brief_gives_the_same_bytes_and_another_seed_others(
    prepared: Prepared, candidate: Candidate
) -> None:
    again = make(prepare(MUG.photo_png, MASK, brief()), brief(), 1, Noisy(), ignore)
    assert again == candidate
    other = make(prepared, brief(), 2, Noisy(), ignore)
    assert other.manifest.master != candidate.manifest.master
    assert other.manifest.locked == candidate.manifest.locked


def test_a_preview_is_small_and_a_jpeg() -> None:
    wanted = white(size_wh=(800, 900))
    made = make(prepare(MUG.photo_png, MASK, wanted), wanted, 1, PlainWhite(), ignore)
    assert made.preview_jpeg.startswith(b"\xff\xd8")
    assert decode(made.preview_jpeg).size_wh == (683, 768)


def test_plain_white_is_white_up_to_the_product() -> None:
    prepared = prepare(MUG.photo_png, MASK, white())
    made = make(prepared, white(), 1, PlainWhite(), ignore)
    master = decode_master(made.master_png)
    assert np.all(master[prepared.placed.alpha_hw == 0] == 255)
    assert not made.manifest.scene.synthetic
    assert made.manifest.scene.layout == Layout()
    assert prepared.warnings == prepared.cutout.warnings


def test_white_rules_with_a_scene_are_warned_of() -> None:
    prepared = prepare(MUG.photo_png, MASK, brief(rules=["google.merchant", "amazon.main"]))
    assert prepared.warnings[-1] == (
        "rules: amazon.main asks for a pure white background; only plain-white has one"
    )


def test_a_product_that_has_to_be_enlarged_is_warned_of_and_one_too_small_refused() -> None:
    larger = prepare(MUG.photo_png, MASK, brief(size_wh=(1000, 1000)))
    assert any("enlarged" in one for one in larger.warnings)
    assert larger.placement.scale > 1
    with pytest.raises(ImageryError, match=r"a photo of .* taken alike would do"):
        prepare(MUG.photo_png, MASK, brief(size_wh=(4096, 4096)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scene": "marble table with our logo"}, "expected a scene without text and logos, found 'logo'"),
        ({"rules": ["google.merchant", "nowhere"]}, "nowhere"),
    ],
)
def test_a_brief_that_cannot_be_carried_out_is_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ImageryError, match=message):
        prepare(MUG.photo_png, MASK, brief(**changed))


def test_steps_are_told_and_whoever_hears_them_can_stop_it(prepared: Prepared) -> None:
    heard: list[Step] = []
    make(prepared, brief(), 1, Noisy(steps=4), heard.append)
    assert [(step.done, step.steps) for step in heard] == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def stop(step: Step) -> None:
        if step.done == 2:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        make(prepared, brief(), 1, Noisy(), stop)


class Half(Noisy):
    """Makes scenes of half the size."""

    @override
    def generate(self, ask: SceneAsk, on_step: OnStep) -> Scene:
        scene = super().generate(ask, on_step)
        return Scene(image_hwc=scene.image_hwc[::2, ::2], layout=scene.layout, record={})


def test_a_scene_of_another_size_is_refused(prepared: Prepared) -> None:
    with pytest.raises(ImageryError, match=r"expected uint8 pixels of shape \(600, 600, 3\)"):
        make(prepared, brief(), 1, Half(), ignore)


def test_a_composition_that_changes_the_product_is_never_handed_out(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(scene: Scene, placed: Placed) -> Composition:
        composition = compose(scene, placed)
        composition.master_hwc[tuple(np.argwhere(placed.locked_hw)[100])] ^= 1
        return composition

    monkeypatch.setattr("vision.imagery.create.compose", careless)
    with pytest.raises(
        GuardError, match=r"candidate 1: expected the product's .* pixels untouched, found 1 changed"
    ):
        make(prepared, brief(), 1, Noisy(), ignore)


# --- style pictures

SHELF = replace(quiet_studio(3), wall=Wall.TEAL, table=Table.WOOD, light=Light.RIGHT, horizon=0.5)
STYLE = encode_png(render(SHELF, (320, 240), 11))


def styled(style: bytes = STYLE, **changed: object) -> Brief:
    return brief(**({"style": sha256(style), "scene": "", "generator": "procedural"} | changed))


def test_a_style_picture_says_what_the_words_leave_open_and_the_manifest_tells_what_was_taken() -> None:
    prepared = prepare(MUG.photo_png, MASK, styled(), STYLE)
    made = make(prepared, styled(), 1, ProceduralScenes(), ignore).manifest
    worded = styled(scene="marble table, light from the left")
    other = make(prepare(MUG.photo_png, MASK, worded, STYLE), worded, 1, ProceduralScenes(), ignore).manifest

    assert made.brief.style == sha256(STYLE)
    assert made.scene.look is not None
    assert made.scene.look.model_copy(update={"horizon": None}) == Look(
        wall=Wall.TEAL, table=Table.WOOD, light=Light.RIGHT
    )
    assert made.scene.look.horizon == pytest.approx(0.5, abs=0.02)
    assert (made.scene.layout.horizon, made.scene.layout.light) == (made.scene.look.horizon, Light.RIGHT)
    assert (made.scene.record["wall"], made.scene.record["table"]) == ("teal", "wood")
    assert made.scene.record["from_style"] == ["wall", "table", "light"]
    assert (other.scene.record["wall"], other.scene.record["table"]) == ("teal", "marble")
    assert other.scene.layout.light is Light.LEFT


def test_a_layout_goes_before_the_style_picture() -> None:
    asked = styled(layout={"horizon": 0.4, "light": "above"})
    prepared = prepare(MUG.photo_png, MASK, asked, STYLE)

    made = make(prepared, asked, 1, ProceduralScenes(), ignore).manifest

    assert made.scene.layout == Layout(horizon=0.4, light=Light.ABOVE)
    assert not any("style:" in one for one in prepared.warnings)


def test_of_the_picture_itself_nothing_is_in_the_image_and_the_product_is_locked() -> None:
    marked = encoded(render(SHELF, (320, 240), 11), "PNG", pnginfo=_note("shot by Kim in Room 5"))
    asked, again = styled(marked), styled()

    one, same = (
        make(prepare(MUG.photo_png, MASK, brief, style), brief, 1, ProceduralScenes(), ignore)
        for brief, style in ((asked, marked), (again, STYLE))
    )

    assert one.lock.kept
    assert one.master_png == same.master_png
    for data in (one.master_png, one.preview_jpeg, one.difference_png, one.manifest.canonical()):
        assert b"Room 5" not in data
    quiet = make(
        prepare(MUG.photo_png, MASK, brief(generator="procedural")), brief(), 1, ProceduralScenes(), ignore
    )
    assert quiet.manifest.locked == one.manifest.locked


def _note(text: str) -> PngInfo:
    note = PngInfo()
    note.add_text("Author", text)
    return note


def test_a_table_that_ends_too_low_for_the_product_is_raised_and_that_is_said() -> None:
    low = encode_png(render(replace(SHELF, horizon=0.88), (320, 320), 11))

    prepared = prepare(MUG.photo_png, MASK, styled(low), low)

    assert prepared.layout.horizon is not None
    assert prepared.layout.horizon < 0.87
    assert prepared.placement == prepare(MUG.photo_png, MASK, brief()).placement
    assert any(
        one.startswith("style: its table ends at 0.8") and f"{prepared.layout.horizon:.2f} is taken" in one
        for one in prepared.warnings
    )


def test_a_style_picture_that_is_not_the_briefs_is_refused() -> None:
    other = encode_png(render(SHELF, (320, 240), 12))
    for asked, style, message in (
        (styled(), other, f"style: expected the picture of sha256 {sha256(STYLE)}, found {sha256(other)}"),
        (styled(), None, f"style: expected the picture of sha256 {sha256(STYLE)}, found none"),
        (brief(), STYLE, "style: expected none, as the brief names none, found "),
    ):
        with pytest.raises(ImageryError, match=message):
            prepare(MUG.photo_png, MASK, asked, style)


def test_a_manifest_without_a_style_picture_says_nothing_of_one(candidate: Candidate) -> None:
    assert b"style" not in candidate.manifest.canonical()
    assert b"look" not in candidate.manifest.canonical()


def test_generators_are_opened_by_name(tmp_path: Path) -> None:
    assert generator_named("plain-white").name == "plain-white"
    assert generator_named("procedural").name == "procedural"
    (tmp_path / "brand").mkdir()
    refused: list[Callable[[], object]] = [
        partial(generator_named, "nothing"),
        partial(generator_named, "nothing", tmp_path),
        partial(generator_named, "../brand", tmp_path / "brand"),
        partial(generator_named, "nothing", tmp_path / "absent"),
    ]
    for ask in refused:
        with pytest.raises(
            ImageryError, match="generator: expected one of plain-white, procedural, studio-64"
        ):
            ask()
