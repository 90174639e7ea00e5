"""The product lock over random products, masks, placements and generators, and what composing takes.

    python benchmarks/imagery_lock.py --json
    python benchmarks/imagery_lock.py --without-torch --json     # without studio-64, and without plain inpainting by a tiny model beside it

Each candidate is composed here and verified by another process from its files alone. Beside each one a copy with one value of one locked
pixel changed by one level is verified, which has to be found. Some minutes; trained generators take the most of it.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np

from benchmarks.common import Figure, emit, parser
from tests.goods import KINDS, goods
from tests.vision.imagery.products import Noisy, Thing, blob, ignore, manifest_of, write_kept
from vision.errors import ImageryError
from vision.image import Pixels
from vision.imagery.brief import Layout, Light, read_brief
from vision.imagery.compose.blend import Composition, compose
from vision.imagery.compose.place import Placed, place
from vision.imagery.create import ask_of, generator_named
from vision.imagery.placement import Placement
from vision.imagery.scenes.scene import Scene, SceneGenerator

_WORDS: Final = ("white marble table", "oak table, dark blue wall", "concrete table, light from the right")


def figures(*, count: int = 240, sides: Sequence[int] = (1600, 4096), trained: bool = True) -> list[Figure]:
    """The lock's figures, over plain white, drawn scenes and noise over everything, and composition's.

    Args:
        trained: over trained generators too, and what plain inpainting changes.
    """
    every = [generator_named("plain-white"), generator_named("procedural"), Noisy()]
    with tempfile.TemporaryDirectory() as folder:
        models = _trained(Path(folder)) if trained else []
        found = [*_lock(count, [*every, *models]), *(_plain_inpainting(one) for one in models[:1])]
    return [*found, *(_time(side) for side in sides)]


def _lock(count: int, generators: Sequence[SceneGenerator]) -> list[Figure]:
    rng = np.random.default_rng(6)
    used = ", ".join(one.name for one in generators)
    with tempfile.TemporaryDirectory() as name:
        paths: list[Path] = []
        spoilt: list[Path] = []
        while len(paths) < count:
            generator = generators[len(paths) % len(generators)]
            thing, placement = _thing(rng), _placement(rng)
            try:
                placed = place(thing, placement)
            except ImageryError:  # too little of it is in the frame
                continue
            composition = _composed(generator, placed, placement, rng)
            manifest = manifest_of(thing, placement, placed, composition)
            folder = Path(name) / str(len(paths))
            paths.append(write_kept(folder, thing, manifest, composition.master_hwc))
            changed = _spoilt(composition.master_hwc, placed, rng)
            spoilt.append(write_kept(folder / "spoilt", thing, manifest, changed))
        kept, found = _verified(paths), _verified(spoilt)
    pixels = sum(one["pixels"] for one in kept)
    return [
        Figure(
            name="imagery_product_pixels_changed",
            value=sum(one["changed"] for one in kept),
            unit="pixels",
            target="<= 0",
            runs=len(kept),
            note=f"of {pixels} locked pixels; scenes by {used}; by a separate process",
        ),
        Figure(
            name="imagery_changed_pixel_found",
            value=sum(one["changed"] == 1 and one["max_delta"] == 1 for one in found) / len(found),
            unit="ratio",
            target=">= 1.0",
            runs=len(found),
            note="one value of one locked pixel changed by one level",
        ),
    ]


def _trained(folder: Path) -> list[SceneGenerator]:
    """A tiny real inpainting pipeline of random weights, and the model that is carried along."""
    from tests.vision.imagery.diffusion.checkpoints import stable_diffusion  # noqa: PLC0415  (torch)

    stable_diffusion(folder / "tiny-inpainting", inpaints=True)
    return [generator_named("tiny-inpainting", folder), generator_named("studio-64")]


def _plain_inpainting(generator: SceneGenerator, count: int = 10) -> Figure:
    """How much of a product an inpainting pipeline changes that is told to leave it alone."""
    shares = []
    for seed in range(count):
        good = goods(KINDS[seed % len(KINDS)], seed, 400)
        placement = Placement(frame_wh=(384, 384), scale=0.8, centre_xy=(192, 192))
        placed = place(Thing(good.photo_hwc, good.alpha_hw), placement)
        values = {"scene": _WORDS[0], "rules": ["none"], "seed": seed, "size_wh": placement.frame_wh}
        ask = ask_of(read_brief(values), 1, Layout(horizon=0.6, light=Light.LEFT), placed)
        painted, locked = generator.generate(ask, ignore).image_hwc, placed.locked_hw
        shares.append(float((painted[locked] != placed.image_hwc[locked]).any(axis=1).mean()))
    return Figure(
        name="imagery_plain_inpainting_changed",
        value=round(statistics.median(shares), 4),
        unit="ratio",
        runs=count,
        spread=(round(min(shares), 4), round(max(shares), 4)),
        note=f"of the product's pixels, in the picture that {generator.name} gives itself",
    )


def _thing(rng: np.random.Generator) -> Thing:
    """A drawn product with its true mask or a random one, or noise along a random outline."""
    seed = int(rng.integers(2**31))
    side = int(rng.integers(200, 500))
    outline = blob((side, int(rng.integers(200, 500))), seed)
    if rng.random() < 0.3:
        return outline
    good = goods(KINDS[seed % len(KINDS)], seed, side)
    if rng.random() < 0.5:
        return Thing(good.photo_hwc, good.alpha_hw)
    alpha = np.asarray(cv2.resize(outline.alpha_hw, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    return Thing(good.photo_hwc, alpha)


def _placement(rng: np.random.Generator) -> Placement:
    width, height = int(rng.integers(256, 640)), int(rng.integers(256, 640))
    return Placement(
        frame_wh=(width, height),
        scale=1.0 if rng.random() < 0.2 else float(rng.uniform(0.2, 1.5)),
        degrees=0.0 if rng.random() < 0.4 else float(rng.uniform(-179, 180)),
        centre_xy=(float(rng.uniform(0.2, 0.8)) * width, float(rng.uniform(0.2, 0.8)) * height),
    )


def _composed(
    generator: SceneGenerator, placed: Placed, placement: Placement, rng: np.random.Generator
) -> Composition:
    values = {"scene": str(rng.choice(_WORDS)), "rules": ["none"], "seed": int(rng.integers(2**31))}
    brief = read_brief(values | {"size_wh": placement.frame_wh})
    layout = Layout(horizon=float(rng.uniform(0.3, 0.8)), light=list(Light)[int(rng.integers(3))])
    return compose(generator.generate(ask_of(brief, 1, layout, placed), ignore), placed)


def _spoilt(master_hwc: Pixels, placed: Placed, rng: np.random.Generator) -> Pixels:
    spoilt = master_hwc.copy()
    locked = np.argwhere(placed.locked_hw)
    y, x = locked[int(rng.integers(len(locked)))]
    spoilt[y, x, int(rng.integers(3))] ^= 1
    return spoilt


def _verified(paths: Sequence[Path]) -> list[dict[str, int]]:
    command = [sys.executable, "-P", "-m", "vision.imagery.lock", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1}:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _time(side: int) -> Figure:
    """Placing and composing one product of nearly its own size in a scene with shadow and light."""
    good = goods("mug", 3, side)
    small = np.random.default_rng(0).integers(0, 200, (48, 48, 3), np.uint8)
    image = np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
    scene = Scene(image_hwc=image, layout=Layout(horizon=0.6, light=Light.LEFT), record={})
    placement = Placement(frame_wh=(side, side), scale=0.93, centre_xy=(side / 2, side / 2))
    thing = Thing(good.photo_hwc, good.alpha_hw)
    seconds = [_seconds(lambda: compose(scene, place(thing, placement))) for _ in range(6)][1:]
    return Figure(
        name=f"imagery_compose_{side}_s",
        value=round(statistics.median(seconds), 3),
        unit="s",
        runs=len(seconds),
        spread=(round(min(seconds), 3), round(max(seconds), 3)),
        note="place, light, shadow, soft edge; without encoding",
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--count", type=int, default=240, help="how many products")
    options.add_argument("--without-torch", action="store_true", help="no trained models")
    given = options.parse_args()
    emit(figures(count=given.count, trained=not given.without_torch))


if __name__ == "__main__":
    main()
