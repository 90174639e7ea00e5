"""`loupe imagery create`: a product's photo into scenes, for a marketplace."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from vision.commands.options import (
    DtypeOption,
    HubOption,
    OffloadOption,
    StyleOption,
    TrustedKeys,
    trust,
)
from vision.commands.output import JsonFlag, Output, bar
from vision.errors import RefusedError, SettingsError
from vision.image import read_bytes
from vision.imagery.assess import Assessor, assessed
from vision.imagery.brief import MAX_SEED, PLAIN_WHITE, STUDIO, Light, read_brief
from vision.imagery.create import Candidate, generator_named, make, prepare
from vision.imagery.cutout.photo import PHOTO_LIMITS
from vision.imagery.folder import INDEX, check_free, write_candidate, write_inputs, write_page
from vision.imagery.kept import sha256
from vision.imagery.likeness import open_classifiers
from vision.imagery.ranking import rank
from vision.imagery.scenes.scene import SceneGenerator, Step
from vision.imagery.style import told

_SIZE: Final = re.compile(r"(\d{1,5})[xX×](\d{1,5})")
_USUAL_COUNT: Final = 4


def create(
    product: Annotated[Path, typer.Option(help="The product's photo.", show_default=False)],
    rules: Annotated[
        list[str],
        typer.Option(
            help="Rule sets, separated by commas; the product is placed by the first.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="A folder for the candidates.", show_default=False)],
    scene: Annotated[
        str,
        typer.Option(
            help=f"The scene in words, English or Chinese; {PLAIN_WHITE} for none. Needed without --style.",
            show_default=False,
        ),
    ] = "",
    style: StyleOption = None,
    mask: Annotated[
        Path | None, typer.Option(help="White where the product is; found where absent.", show_default=False)
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(help="How many candidates; 4, and 1 on plain white.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of the first candidate.")] = 0,
    size: Annotated[str, typer.Option(help="Of the masters in pixels, width x height.")] = "1600x1600",
    generator: Annotated[
        str | None,
        typer.Option(help=f"What makes the scenes: {STUDIO}, procedural, or a folder in --models."),
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="The folder that models are in.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="What a trained model runs on: cpu, cuda, cuda:N.")] = "cpu",
    dtype: DtypeOption = "float32",
    offload: OffloadOption = False,
    allow_hub: HubOption = False,
    threads: Annotated[
        int, typer.Option(min=1, help="Of the processor; another number may give other pixels.")
    ] = 1,
    horizon: Annotated[
        float | None,
        typer.Option(help="Where the table ends, as a share of the height.", show_default=False),
    ] = None,
    light: Annotated[
        Light | None, typer.Option(help="Where the light comes from.", show_default=False)
    ] = None,
    catalog: Annotated[
        Path | None,
        typer.Option(
            help="A catalog bundle: does the image still fall into the product's category?",
            show_default=False,
        ),
    ] = None,
    inspection: Annotated[
        Path | None,
        typer.Option(
            help="An inspection bundle: does the image show a defect that the photo does not?",
            show_default=False,
        ),
    ] = None,
    trusted_key: TrustedKeys = [],  # noqa: B006  (typer reads the default)
    json: JsonFlag = False,
) -> None:
    """Put a product into generated scenes, its own pixels untouched.

    Writes masters, manifests, difference maps and a page to look at, the best candidate by rules and classifiers first. A separate process proves for
    every master that no pixel of the product was changed. Files in the folder are never written over.

    Example: `loupe imagery create --product mug.jpg --scene "white marble table, soft light from the left" --rules google.merchant --out mug`

    Example: `loupe imagery create --product mug.jpg --scene plain-white --rules amazon.main --out mug-white`

    Example: `loupe imagery create --product mug.jpg --style shelf.jpg --rules google.merchant --out mug-styled`
    """
    output = Output(json)
    made_by = _generator_name(scene, generator)
    look = None if style is None else read_bytes(style, limits=PHOTO_LIMITS)
    brief = read_brief(
        {
            "style": None if look is None else sha256(look),
            "scene": scene,
            "rules": [name.strip() for one in rules for name in one.split(",")],
            "generator": made_by,
            "layout": {"horizon": horizon, "light": light},
            "size_wh": _size_wh(size),
            "count": count if count is not None else 1 if made_by == PLAIN_WHITE else _USUAL_COUNT,
            "seed": seed,
        }
    )
    photo = read_bytes(product, limits=PHOTO_LIMITS)
    check_free(out, brief.count)
    prepared = prepare(photo, None if mask is None else read_bytes(mask, limits=PHOTO_LIMITS), brief, look)
    if prepared.shown is not None:
        output.say(told(prepared.shown.look))
    for warning in prepared.warnings:
        output.warn(warning)
    keys, required = trust(trusted_key)
    classifiers = open_classifiers(catalog, inspection, trusted=keys, require_signature=required)
    assessor = Assessor(prepared=prepared, brief=brief, classifiers=classifiers)
    opened = generator_named(
        brief.generator,
        models,
        device=device,
        dtype=dtype,
        offload=offload,
        threads=threads,
        allow_hub=allow_hub,
    )
    made = _make_all(assessor, opened, out, output.warn)
    output.result(
        {
            "out": str(out),
            "index": str(out / INDEX),
            "brief": brief.model_dump(mode="json"),
            "placement": prepared.placement.model_dump(mode="json"),
            "cutout": {"how": prepared.cutout.how, "quality": prepared.cutout.quality},
            "style": None if prepared.shown is None else prepared.shown.look.model_dump(mode="json"),
            "warnings": list(prepared.warnings),
            "candidates": made,
            "best_first": [one["number"] for one in _best_first(made)],
        },
        _table(_best_first(made)),
        escape(f"to look at: {out / INDEX}"),
    )


def _generator_name(scene: str, generator: str | None) -> str:
    if scene != PLAIN_WHITE:
        return generator or STUDIO
    if generator not in {None, PLAIN_WHITE}:
        raise SettingsError(f"--generator: expected none with --scene {PLAIN_WHITE}, found {generator!r}")
    return PLAIN_WHITE


def _size_wh(size: str) -> tuple[int, int]:
    found = _SIZE.fullmatch(size)
    if found is None:
        raise SettingsError(f"--size: expected width x height in pixels, such as 1600x1600, found {size!r}")
    return int(found[1]), int(found[2])


def _make_all(
    assessor: Assessor, generator: SceneGenerator, out: Path, warn: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Make and write one candidate after the other, so that those there are can be looked at.

    Raises:
        RefusedError: the generator's own checker objects to all; a refused one costs no other.
    """
    prepared = assessor.prepared
    told: list[dict[str, Any]] = []
    candidates: list[Candidate] = []
    seconds: dict[int, float] = {}
    for candidate, found in assessed(_made(assessor, generator, seconds, warn), assessor):
        if not candidates:
            write_inputs(out, prepared.photo, prepared.alpha_png, prepared.style)
        written = write_candidate(out, candidate)
        told.append(
            {
                **_told(candidate, written, seconds[candidate.number]),
                "reports": [one.model_dump(mode="json") for one in found.reports],
                "facts": dict(found.facts),
            }
        )
        candidates.append(candidate)
        order = [one["number"] for one in _best_first(told)]
        best_first = sorted(candidates, key=lambda one: order.index(one.number))
        write_page(out, assessor.brief, best_first, prepared.warnings)
    return told


def _made(
    assessor: Assessor, generator: SceneGenerator, seconds: dict[int, float], warn: Callable[[str], None]
) -> Iterator[Candidate]:
    """The candidates that were not refused, under a progress bar; `seconds` is told what each took."""
    brief = assessor.brief
    with bar(counted=False) as progress:
        task = progress.add_task("creating", total=None, note="")
        for number in range(1, brief.count + 1):
            progress.update(task, note=f"candidate {number} of {brief.count}")

            def on_step(step: Step, before: int = number - 1) -> None:
                progress.update(
                    task, total=brief.count * step.steps, completed=before * step.steps + step.done
                )

            started = time.perf_counter()
            try:
                candidate = make(assessor.prepared, brief, number, generator, on_step)
            except RefusedError as error:
                if number == brief.count and not seconds:
                    raise
                warn(f"candidate {number}: {error}")
                continue
            seconds[number] = time.perf_counter() - started
            yield candidate


def _best_first(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(told, key=lambda one: rank(one["reports"], one["facts"]))


def _told(candidate: Candidate, written: dict[str, str], seconds: float) -> dict[str, Any]:
    manifest, lock = candidate.manifest, candidate.lock
    return {
        "number": candidate.number,
        "seed": manifest.brief.seed_of(candidate.number),
        **written,
        "manifest_sha256": manifest.digest(),
        "master_sha256": manifest.master,
        "lock": {
            "pixels": lock.pixels,
            "changed": lock.changed,
            "max_delta": lock.max_delta,
            "edge": lock.edge,
        },
        "seconds": round(seconds, 3),
    }


def _table(told: list[dict[str, Any]]) -> Table:
    table = Table("candidate", "seed", "product pixels", "changed", "rules", "identity", "seconds", "master")
    for one in told:
        lock = one["lock"]
        table.add_row(
            str(one["number"]),
            str(one["seed"]),
            str(lock["pixels"]),
            str(lock["changed"]),
            escape(", ".join(f"{report['rule_set']} {report['status']}" for report in one["reports"])),
            _number(one["facts"].get("identity")),
            f"{one['seconds']:.1f}",
            escape(one["master"]),
        )
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
