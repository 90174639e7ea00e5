"""Whether studio-64 paints what it is asked for, how close it keeps to a layout, and what our driver costs.

    python -m benchmarks.imagery_scenes --json [--model FOLDER] [--sheet docs/pictures/studio-64.jpg]

The 100 prompts are free words, English and Chinese, for walls, tables and lights that were never together in the lesson. What the pictures show is
read by classifiers that are held against drawn scenes first, in the same run.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from benchmarks.common import Figure, emit, in_turns, parser
from tests.goods import goods
from tests.vision.imagery.products import Thing
from training.scenes.lesson import held_out
from vision.image import Pixels, encode_jpeg
from vision.imagery.brief import STUDIO, Layout
from vision.imagery.compose.blend import compose
from vision.imagery.compose.place import place
from vision.imagery.diffusion.generator import DiffusionScenes
from vision.imagery.diffusion.opening import open_generator
from vision.imagery.diffusion.prompts import prompt_of
from vision.imagery.placement import Placement
from vision.imagery.scenes.procedural import lexicon
from vision.imagery.scenes.procedural.reading import Read, Reader, layout_of
from vision.imagery.scenes.procedural.render import render
from vision.imagery.scenes.procedural.studio import Studio, any_studio
from vision.imagery.scenes.scene import SceneAsk, Step

_PROMPTS: Final = 100
_CHECKED_ON: Final = 300
_LAYOUTS: Final = 30
_SHEET: Final = (
    "white marble table, soft light from the left",
    "a sage green wall, oak table, window light from the right",
    "beige backdrop, linen cloth, light from above",
    "terracotta wall, dark stone slab, light from the left",
    "pink seamless studio, soft light from the right",
    "深灰色背景，石板台面，左侧光",
    "蓝色墙面，白色大理石桌面，右侧柔光",
    "奶油色背景，原木桌面，窗光从左侧来",
    "lavender wall, white marble counter, overhead light",
    "mustard wall, wooden table, light from the right",
    "teal wall, linen tablecloth, soft light from the left",
    "white wall, plain white table, light from above",
)


def figures(model: str | Path = STUDIO, sheet: Path | None = None) -> list[Figure]:
    """All of them; some minutes on one core."""
    generator = open_generator(model)
    reader = Reader.fitted()
    made = [*_checked(reader), *_obeyed(generator, reader), *_laid_out(generator)]
    made += [_seconds(generator), *_overhead(generator)]
    if sheet is not None:
        sheet.write_bytes(encode_jpeg(contact_sheet(generator), quality=85))
    return made


def _checked(reader: Reader) -> list[Figure]:
    """The classifiers on drawn scenes that they were not fitted to."""
    rng = np.random.default_rng(31)
    studios = [any_studio(rng) for _ in range(_CHECKED_ON)]
    read = [reader.read(render(studio, (64, 64), 7_000_000 + n)) for n, studio in enumerate(studios)]
    return [
        Figure(name=f"reader_{name}_accuracy", value=value, unit="share", target=">= 0.97", runs=_CHECKED_ON)
        for name, value in _agreement(studios, read).items()
    ]


def _obeyed(generator: DiffusionScenes, reader: Reader) -> list[Figure]:
    prompts = _held_out_prompts(_PROMPTS)
    scenes = [generator.generate(_ask(words, seed, 256), _silent) for seed, (_, words) in enumerate(prompts)]
    read = [reader.read(scene.image_hwc) for scene in scenes]
    targets = {"wall": ">= 0.95", "table": ">= 0.85", "light": ">= 0.85"}
    return [
        Figure(name=f"studio_{name}_obeyed", value=value, unit="share", target=targets[name], runs=_PROMPTS)
        for name, value in _agreement([studio for studio, _ in prompts], read).items()
    ]


def _agreement(studios: Sequence[Studio], read: Sequence[Read]) -> dict[str, float]:
    pairs = list(zip(studios, read, strict=True))
    return {
        "wall": round(float(np.mean([one.wall is studio.wall for studio, one in pairs])), 4),
        "table": round(float(np.mean([one.table is studio.table for studio, one in pairs])), 4),
        "light": round(float(np.mean([one.layout.light is studio.light for studio, one in pairs])), 4),
    }


def _held_out_prompts(count: int) -> list[tuple[Studio, str]]:
    """Studios whose wall, table and light were never learned together, and free words for them."""
    rng = np.random.default_rng(64)
    prompts: list[tuple[Studio, str]] = []
    while len(prompts) < count:
        studio = any_studio(rng)
        if held_out(studio):
            prompts.append((studio, _words(studio, rng)))
    return prompts


def _words(studio: Studio, rng: np.random.Generator) -> str:
    at = int(rng.random() < 0.4)

    def pick(words: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
        return words[at][int(rng.random() * len(words[at]))]

    wall, table, light = (
        lexicon.WALLS[studio.wall],
        lexicon.TABLES[studio.table],
        lexicon.LIGHTS[studio.light],
    )
    if at:
        return (
            f"{pick(wall)}{pick(lexicon.WALL_NOUNS)}，{pick(table)}{pick(lexicon.TABLE_NOUNS)}，{pick(light)}"
        )
    return (
        f"{pick(wall)} {pick(lexicon.WALL_NOUNS)}, {pick(table)} {pick(lexicon.TABLE_NOUNS)}, {pick(light)}"
    )


def _laid_out(generator: DiffusionScenes) -> list[Figure]:
    """How far the table's edge is from where it was asked for, and how often the light is where it was, with the layout's map and without."""
    rng = np.random.default_rng(9)
    asks = []
    for number in range(_LAYOUTS):
        studio = any_studio(rng)
        layout = Layout(horizon=round(float(rng.uniform(0.3, 0.8)), 2), light=studio.light)
        asks.append(_ask(_words(studio, rng), number, 256, layout))
    told, lit = _kept_to(generator, asks)
    settings = generator._settings
    generator._settings = settings.model_copy(update={"control_scale": 0.0})
    untold, unlit = _kept_to(generator, asks)
    generator._settings = settings
    return [
        _layout_figure("studio_layout_error_with_control", told, "of the height", "<= 0.05"),
        _layout_figure("studio_layout_error_without_control", untold, "of the height", None),
        _layout_figure("studio_layout_error_ratio", told / untold, "ratio", "<= 0.5"),
        _layout_figure("studio_layout_light_with_control", lit, "share", None),
        _layout_figure("studio_layout_light_without_control", unlit, "share", None),
    ]


def _layout_figure(name: str, value: float, unit: str, target: str | None) -> Figure:
    return Figure(name=name, value=round(value, 4), unit=unit, target=target, runs=_LAYOUTS)


def _kept_to(generator: DiffusionScenes, asks: Sequence[SceneAsk]) -> tuple[float, float]:
    """Mean distance of the edge from its place, and share of lights on their side."""
    seen = [layout_of(generator.generate(ask, _silent).image_hwc) for ask in asks]
    away = [abs((one.horizon or 0) - (ask.layout.horizon or 0)) for one, ask in zip(seen, asks, strict=True)]
    lit = [one.light is ask.layout.light for one, ask in zip(seen, asks, strict=True)]
    return float(np.mean(away)), float(np.mean(lit))


def _seconds(generator: DiffusionScenes) -> Figure:
    times = []
    for number in range(5):
        started = time.perf_counter()
        generator.generate(_ask(_SHEET[number], number, 1600), _silent)
        times.append(time.perf_counter() - started)
    return Figure(
        name="studio_seconds_a_scene_1600px",
        value=round(float(np.median(times)), 2),
        unit="s",
        target="<= 3.5",
        runs=5,
        spread=(round(min(times), 2), round(max(times), 2)),
        note=f"one thread, load {os.getloadavg()[0]:.1f}",
    )


def _overhead(generator: DiffusionScenes) -> list[Figure]:
    """Our driver, with previews, at the model's own size, over the bare pipeline's call; and beside it the whole way to a composed image."""
    import torch  # noqa: PLC0415

    pipeline: Any = generator._pipeline
    settings = generator._settings
    ask = _ask(_SHEET[0], 1, settings.native_px)
    prompt = prompt_of(settings.words, ask.words, ask.layout, ask.seed)
    side = settings.native_px
    shown = generator._pictures(ask, prompt, (side, side))

    def bare() -> None:
        pipeline(
            prompt=prompt.text,
            negative_prompt=settings.negative or None,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance,
            generator=torch.Generator("cpu").manual_seed(1),
            output_type="np",
            width=side,
            height=side,
            **shown,
        )

    good = goods("mug", 3, 1600)
    placement = Placement(frame_wh=(1600, 1600), scale=0.93, centre_xy=(800, 800))
    placed = place(Thing(good.photo_hwc, good.alpha_hw), placement)
    large = _ask(_SHEET[0], 1, 1600)
    return [
        in_turns(
            "driver_over_bare_diffusers",
            lambda: generator.generate(ask, _silent),
            bare,
            target="<= 1.10",
            rounds=15,
        ),
        in_turns(
            "driver_and_composition_over_bare_diffusers",
            lambda: compose(generator.generate(large, _silent), placed),
            bare,
            target=None,
            rounds=7,
            note="at 1600 px: enlarged, then light, shadow and soft edge",
        ),
    ]


def contact_sheet(generator: DiffusionScenes, side: int = 320) -> Pixels:
    """Twelve scenes of as many wordings, four a row."""
    scenes = [
        cv2.resize(
            generator.generate(_ask(words, number, 960), _silent).image_hwc,
            (side, side),
            interpolation=cv2.INTER_AREA,
        )
        for number, words in enumerate(_SHEET)
    ]
    rows = [np.concatenate(scenes[first : first + 4], axis=1) for first in range(0, len(scenes), 4)]
    return np.concatenate(rows).astype(np.uint8)


def _ask(words: str, seed: int, side: int, layout: Layout | None = None) -> SceneAsk:
    return SceneAsk(words=words, layout=layout or Layout(), size_wh=(side, side), seed=seed)


def _silent(_: Step) -> None:
    pass


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--model", default=STUDIO, help="a model's folder instead of the one carried here")
    options.add_argument("--sheet", type=Path, help="write a contact sheet, a JPEG, here")
    given = options.parse_args()
    emit(figures(given.model, given.sheet))


if __name__ == "__main__":
    main()
