"""From a brief to candidates: cut-out once, then a scene, the composition and the proof of the lock for each one.

Takes bytes and a brief, gives bytes and manifests; the command and the worker use it alike. It knows no folders but that of models. A
generator that needs torch is imported when it is asked for.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from vision.errors import GuardError, ImageryError, MissingExtraError, SettingsError
from vision.image import Pixels, encode_jpeg, encode_png
from vision.imagery.brief import PLAIN_WHITE, PROCEDURAL, STUDIO, Brief, Layout, check_style
from vision.imagery.compliance import framing, rule_set
from vision.imagery.compose.arrange import arrange
from vision.imagery.compose.blend import Composition, compose
from vision.imagery.compose.place import Placed, place
from vision.imagery.cutout.cutout import Cutout, cut_out
from vision.imagery.difference import difference_map
from vision.imagery.kept import encode_alpha, pixels_sha256, sha256
from vision.imagery.lock import LockReport, verify_apart
from vision.imagery.manifest import CutoutRecord, Manifest, SceneRecord
from vision.imagery.placement import Placement
from vision.imagery.scenes.plain import PlainWhite
from vision.imagery.scenes.procedural.generator import ProceduralScenes
from vision.imagery.scenes.scene import Kept, OnStep, Scene, SceneAsk, SceneGenerator, Style
from vision.imagery.style import read_style
from vision.imagery.words import check_words

GENERATORS: Final = (PLAIN_WHITE, PROCEDURAL, STUDIO)
UNTRAINED: Final = frozenset({PLAIN_WHITE, PROCEDURAL})
DTYPES: Final = ("float32", "float16", "bfloat16")  # of trained models
_PREVIEW_PX: Final = 768
_PREVIEW_QUALITY: Final = 88


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """All that the candidates of a brief share.

    Attributes:
        style: the style picture as handed in; `shown` is how generators get it.
        layout: the brief's, with what the product's place asks of the scene.
        warnings: what a designer should know before it is carried out.
    """

    photo: bytes
    mask: bytes | None
    cutout: Cutout
    alpha_png: bytes
    placement: Placement
    placed: Placed
    layout: Layout
    warnings: tuple[str, ...]
    style: bytes | None = None
    shown: Style | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One finished image.

    Attributes:
        master_png: the lossless master.
        preview_jpeg: at most 768 px a side.
        difference_png: as `vision.imagery.difference` draws it.
        lock: what the separate process found.
    """

    number: int
    manifest: Manifest
    master_png: bytes
    preview_jpeg: bytes
    difference_png: bytes
    lock: LockReport


def prepare(photo: bytes, mask: bytes | None, brief: Brief, style: bytes | None = None) -> Prepared:
    """Cut the product out, find its place by the first rule set of the brief, and read the look of its style picture.

    Raises:
        ImageryError: the words ask for lettering, a rule set is unknown, the style picture is not the brief's, there is no product, or it is too
            small for the frame.
        ImageError: photo, mask or style picture cannot be used.
    """
    check_words(brief.scene)
    check_style(brief, style)
    shown = None if style is None else read_style(style)
    asked = [framing(rule_set(name)) for name in brief.rules]
    cutout = cut_out(photo, mask)
    plain = brief.generator == PLAIN_WHITE
    horizon = None if shown is None else shown.look.horizon
    arranged = arrange(cutout, asked[0], brief.size_wh, brief.layout, table=not plain, horizon=horizon)
    warnings = [*cutout.warnings, *arranged.warnings]
    for name, one in zip(brief.rules, asked, strict=True):
        if one.white_background and not plain:
            warnings.append(f"rules: {name} asks for a pure white background; only {PLAIN_WHITE} has one")
    if horizon is not None and brief.layout.horizon is None and arranged.layout.horizon != horizon:
        warnings.append(
            f"style: its table ends at {horizon:.2f} of the height, where this product would not stand on it; {arranged.layout.horizon:.2f} is taken"
        )
    return Prepared(
        photo=photo,
        mask=mask,
        cutout=cutout,
        alpha_png=encode_alpha(cutout.alpha_hw),
        placement=arranged.placement,
        placed=place(cutout, arranged.placement),
        layout=arranged.layout,
        warnings=tuple(warnings),
        style=style,
        shown=shown,
    )


def make(
    prepared: Prepared, brief: Brief, number: int, generator: SceneGenerator, on_step: OnStep
) -> Candidate:
    """Make candidate `number`, counted from 1, and have its lock verified by another process.

    Raises:
        RefusedError: the generator's own checker objects to this candidate; others may do.
        InputError: the generator cannot carry out the brief.
        OutOfMemoryError: there is not enough memory for the scene.
        GuardError: the product's pixels were changed, or that they were not cannot be proven; such a candidate is not handed out.
        CancelledError: raised by `on_step`.
    """
    ask = ask_of(brief, number, prepared.layout, prepared.placed, prepared.shown)
    scene = generator.generate(ask, on_step)
    composition = compose(scene, prepared.placed)
    manifest = _manifest(prepared, brief, number, generator, scene, composition)
    master_png = encode_png(composition.master_hwc)
    with ThreadPoolExecutor(1, thread_name_prefix="proof") as beside:
        proof = beside.submit(
            verify_apart, manifest, photo=prepared.photo, alpha_png=prepared.alpha_png, master_png=master_png
        )
        preview_jpeg = encode_jpeg(_reduced(composition.master_hwc), quality=_PREVIEW_QUALITY)
        difference_png = encode_png(difference_map(composition.master_hwc, prepared.placed))
        lock = proof.result()
    if not lock.kept:
        raise GuardError(
            f"candidate {number}: expected the product's {lock.pixels} pixels untouched, found {lock.changed} changed"
        )
    return Candidate(
        number=number,
        manifest=manifest,
        master_png=master_png,
        preview_jpeg=preview_jpeg,
        difference_png=difference_png,
        lock=lock,
    )


def ask_of(brief: Brief, number: int, layout: Layout, placed: Placed, style: Style | None = None) -> SceneAsk:
    """What the generator is asked for."""
    return SceneAsk(
        words=brief.scene,
        layout=layout,
        size_wh=brief.size_wh,
        seed=brief.seed_of(number),
        kept=Kept(image_hwc=placed.image_hwc, mask_hw=np.asarray(placed.alpha_hw > 0)),
        style=style,
    )


def generator_named(
    name: str,
    models: Path | None = None,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    offload: bool = False,
    threads: int = 1,
    allow_hub: bool = False,
) -> SceneGenerator:
    """Open what makes the scenes.

    Args:
        models: the folder that model folders are in.
        device, dtype, offload, threads: what a trained model runs on, as `vision.imagery.diffusion` takes them; others need none.
        allow_hub: download what a model's settings name of the hub, where it is not there yet.

    Raises:
        ImageryError: there is none of that name, or its folder cannot be used.
        SettingsError: device or dtype is none that there is.
        DeviceError: there is no such device.
        MissingExtraError: it needs torch, which is not installed.
    """
    if name == PLAIN_WHITE:
        return PlainWhite()
    if name == PROCEDURAL:
        return ProceduralScenes()
    folder = _model_folder(name, models)
    try:
        from vision.imagery.diffusion.opening import open_generator  # noqa: PLC0415  (it brings torch)
    except ModuleNotFoundError as error:
        raise MissingExtraError("diffusion", error.name or "torch") from error
    return open_generator(
        folder, device=device, dtype=dtype, offload=offload, threads=threads, allow_hub=allow_hub
    )


def check_machinery(*, device: str, dtype: str, offload: bool = False) -> None:
    """See that trained models can run so here; torch is loaded for that only where a GPU is asked for.

    Raises:
        SettingsError, DeviceError, MissingExtraError: as `generator_named`.
    """
    if dtype not in DTYPES:
        raise SettingsError(f"dtype: expected one of {', '.join(DTYPES)}, found {dtype!r}")
    for needed in ("torch", "diffusers"):
        if find_spec(needed) is None:
            raise MissingExtraError("diffusion", needed)
    if device != "cpu" or offload:
        from vision.imagery.diffusion import opening  # noqa: PLC0415  (it brings torch)

        opening.check_machinery(device, dtype, offload=offload)


def generator_of(
    manifest: Manifest, models: Path | None = None, *, allow_hub: bool = False
) -> SceneGenerator:
    """Open the generator of a manifest, to run on what it ran on.

    Raises:
        ImageryError, DeviceError, MissingExtraError: as `generator_named`.
    """
    ran = manifest.scene.fingerprint
    threads = ran.get("threads", "1")
    return generator_named(
        manifest.brief.generator,
        models,
        device=ran.get("device", "cpu").split(" ")[0],
        dtype=ran.get("dtype", "float32"),
        offload=ran.get("offload") == "yes",
        threads=int(threads) if threads.isdecimal() else 1,
        allow_hub=allow_hub,
    )


def model_names(models: Path | None) -> Sequence[str]:
    """Names of the model folders that there are, in order."""
    if models is None or not models.is_dir():
        return ()
    return sorted(one.name for one in models.iterdir() if one.is_dir())


def _model_folder(name: str, models: Path | None) -> str | Path:
    if name == STUDIO:
        return name
    there = model_names(models)
    if models is None or name not in there:  # a name and never a path
        known = ", ".join([*GENERATORS, *there[:20]])
        raise ImageryError(f"generator: expected one of {known}, found {name!r}")
    return models / name


def _manifest(
    prepared: Prepared,
    brief: Brief,
    number: int,
    generator: SceneGenerator,
    scene: Scene,
    composition: Composition,
) -> Manifest:
    placed = prepared.placed
    return Manifest(
        brief=brief,
        number=number,
        photo=sha256(prepared.photo),
        mask=None if prepared.mask is None else sha256(prepared.mask),
        cutout=CutoutRecord(
            how=prepared.cutout.how,
            alpha=sha256(prepared.alpha_png),
            quality=prepared.cutout.quality,
        ),
        placement=prepared.placement,
        scene=SceneRecord(
            generator=generator.name,
            pixels=pixels_sha256(scene.image_hwc),
            synthetic=generator.synthetic,
            asked=prepared.layout,
            layout=scene.layout,
            look=None if prepared.shown is None else prepared.shown.look,
            record=dict(scene.record),
            fingerprint=dict(generator.fingerprint),
        ),
        compose=composition.record,
        locked=pixels_sha256(placed.image_hwc[placed.locked_hw]),
        master=pixels_sha256(composition.master_hwc),
    )


def _reduced(image_hwc: Pixels) -> Pixels:
    height, width = image_hwc.shape[:2]
    factor = min(1.0, _PREVIEW_PX / max(width, height))
    size_wh = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(image_hwc, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
