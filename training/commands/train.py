"""`loupe train`: learn from a manifest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from training.catalog.corrections import read_corrections, to_learn
from training.catalog.plan import plan_catalog
from training.commands.options import (
    Data,
    Good,
    GroupColumn,
    Images,
    SplitColumn,
    Where,
    items_of,
    manifest_of,
    split_list,
)
from training.fit import fit
from training.lessons import lesson_of
from training.manifest import Manifest, good_label
from training.model import check_weights
from training.recipe import Recipe, read_recipe
from training.run import BaseRun, Run, make_folder, plan_run, read_run
from vision.catalog.taxonomy_files import read_taxonomy
from vision.commands.output import JsonFlag, Output
from vision.errors import LoupeError, ManifestError, SettingsError

_RECIPES: Final = {"inspection": "resnet50", "catalog": "resnet50-catalog"}


def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="The run's folder. An interrupted run there goes on.")],
    images: Images = None,
    task: Annotated[str, typer.Option(help="What to learn: inspection or catalog.")] = "inspection",
    good: Good = None,
    levels: Annotated[
        str | None, typer.Option(help="Catalog: the columns of labels from the coarsest, such as a,b,c.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Catalog: the column of titles.")] = None,
    attributes: Annotated[
        str | None, typer.Option(help="Catalog: columns of attributes, such as gender,season.")
    ] = None,
    taxonomy: Annotated[
        Path | None,
        typer.Option(help="Catalog: the shop's own tree; by default the labels span it."),
    ] = None,
    corrected: Annotated[
        Path | None,
        typer.Option(
            help="Catalog: learn as well from what people corrected: the manifest that `loupe catalog lessons` writes."
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A built-in recipe (resnet50, resnet50-fine, resnet18, resnet50-catalog) or a .toml file; by default the task's."
        ),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            help="Where to start from: warmstart (ours), imagenet (torchvision's, downloaded), none, or a file."
        ),
    ] = "warmstart",
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Fit the schedule into this time.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Instead of the recipe's number of epochs.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    devices: Annotated[int, typer.Option(min=1, help="Processes or GPUs to train on.")] = 1,
    split_column: SplitColumn = "split",
    group_column: GroupColumn = "group",
    where: Where = [],  # noqa: B006  (typer reads the default)
    json: JsonFlag = False,
) -> None:
    """Train a classifier on the train split; a tune part is carved out of it by whole groups.

    Progress goes to RUN/metrics.jsonl. After Ctrl-C, a kill or a power cut the same command goes on from the last
    checkpoint. The val and test splits are not opened.

    Example: `loupe train --data manifest.csv --images pictures --out run --good functional --minutes 8`

    Example: `loupe train --task catalog --data products.csv --images photos --levels family,kind --text title --corrected corrections/manifest.csv --out run`
    """
    output = Output(json)
    asked = _asked(task, recipe, epochs)
    catalog = {
        "--levels": levels,
        "--text": text,
        "--attributes": attributes,
        "--taxonomy": taxonomy,
        "--corrected": corrected,
    }
    _refuse_others(task, catalog, good)
    columns = split_list(levels)
    manifest = manifest_of(
        data, images, split_column, group_column, where, label_columns=columns or ("label",)
    )
    run: BaseRun
    if task == "catalog":
        titles, values = [text] if text else [], split_list(attributes)
        further = (
            read_corrections(corrected, levels=columns, titles=titles, attributes=values) if corrected else ()
        )
        run = plan_catalog(
            manifest,
            items_of(manifest, "train"),
            asked,
            levels=columns,
            text=text,
            attributes=values,
            taxonomy=read_taxonomy(taxonomy, levels=columns) if taxonomy else None,
            corrected=to_learn(further, manifest),
            weights=weights,
            minutes=minutes,
            seed=seed,
            split_column=split_column,
        )
    else:
        run = plan(
            manifest, asked, good=good, weights=weights, minutes=minutes, seed=seed, split_column=split_column
        )
    lesson_of(run).network()  # what does not fit is said before a folder is made
    begin(run, out)
    try:
        finished = fit(run, out, devices=devices)
    except KeyboardInterrupt:
        raise LoupeError(f"{out}: interrupted; the same command goes on from the last checkpoint") from None
    result = finished.result.model_dump() if finished.result else {}
    output.result(
        {
            "run": str(out),
            **result,
            "pictures": {role: len(finished.role(role)) for role in ("train", "tune")},
        },
        f"trained {out}: {result['measure']} {result['tune_score']:.3f} on the tune part after {result['steps']} steps "
        f"({result['images_per_s']} images/s, {result['seconds']:.0f} s)",
        f"next: loupe export {out} --out BUNDLE --int8",
    )


def _asked(task: str, recipe: str | None, epochs: int | None) -> Recipe:
    """The recipe that is asked for, by default the task's.

    Raises:
        SettingsError: there is no such task or recipe, or they do not go together.
    """
    if task not in _RECIPES:
        raise SettingsError(f"--task: expected {' or '.join(_RECIPES)}, found '{task}'")
    asked = read_recipe(recipe or _RECIPES[task])
    if asked.task != task:
        raise SettingsError(f"--recipe {asked.name}: expected one for the task {task}, found {asked.task}")
    return asked if epochs is None else asked.model_copy(update={"epochs": epochs})


def _refuse_others(task: str, catalog: Mapping[str, object], good: str | None) -> None:
    """Say so where an option of the other task is given, rather than pass over it.

    Raises:
        SettingsError: one is, or a catalog's levels are missing.
    """
    given = [name for name, value in catalog.items() if value]
    if task == "catalog":
        if "--levels" not in given:
            raise SettingsError("--levels: expected the columns of labels with --task catalog, found none")
        if good is not None:
            raise SettingsError(f"--good {good}: expected with --task inspection alone, found --task catalog")
    elif given:
        raise SettingsError(f"{given[0]}: expected with --task catalog alone, found --task {task}")


def plan(
    manifest: Manifest,
    recipe: Recipe,
    *,
    good: str | None,
    weights: str,
    minutes: float | None,
    seed: int,
    split_column: str,
) -> Run:
    """A run that learns from the manifest's train split.

    Raises:
        ManifestError: the labels, the split or the files are not what training needs.
        SettingsError: there are no such weights.
    """
    chosen = good_label(manifest, good)
    check_weights(weights)
    missing = set(manifest.labels) - {item.label for item in manifest.split("train")}
    if missing:
        raise ManifestError(
            f"{manifest.source}: expected every label in the train split, found no '{min(missing)}'"
        )
    return plan_run(
        manifest,
        items_of(manifest, "train"),
        recipe,
        good=chosen,
        weights=weights,
        minutes=minutes,
        seed=seed,
        split_column=split_column,
    )


def begin(run: BaseRun, out: Path) -> None:
    """Make the run's folder, or find the same run there, unfinished.

    Raises:
        SettingsError: the folder holds a finished run, another run, or something else.
    """
    if (out / "run.json").exists():
        found = read_run(out, type(run))
        if not found.same_as(run):
            raise SettingsError(
                f"--out {out}: expected a new folder or the same run, found another run's settings"
            )
        if found.result is not None:
            raise SettingsError(f"--out {out}: this run is finished; export it, or give another folder")
        return
    make_folder(out)
    run.write(out)
