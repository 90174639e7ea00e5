"""Run the benchmarks and write docs/benchmarks.md: a table, a picture, the date and the machine.

python benchmarks/all.py                                        # the short ones
python benchmarks/all.py --long --data MANIFEST --images DIR    # the long ones; what is finished is kept
python benchmarks/all.py --long --only 'solar cells, random split' --data MANIFEST --images DIR    # one of them
"""

import argparse
import datetime
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Canvas

from vision.commands.output import stderr_console

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "benchmarks.md"
KEPT = ROOT / "docs" / "benchmarks.json"
PICTURE = ROOT / "docs" / "pictures" / "benchmarks.svg"
_SHORT = ("inspection", "certificates", "edge")
_MEASURED = frozenset({"--soak-minutes", "--part", "--recipe", "--only", "--peers", "--rounds", "--seconds"})


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--long", action="store_true", help="the long benchmarks instead of the short ones")
    options.add_argument("--data", default="", help="with --long: the ELPV manifest")
    options.add_argument("--images", default="", help="with --long: the folder of its pictures")
    options.add_argument("--groceries", default="", help="with --long: a manifest of grocery photographs")
    options.add_argument("--grocery-images", default="", help="with --long: the folder of its pictures")
    options.add_argument(
        "--fashion", default="", help="with --long: a catalog's folder, beside the groceries'"
    )
    options.add_argument(
        "--catalog-bundle", default="", help="with --long: what the catalog's throughput is measured with"
    )
    options.add_argument("--work", default="runs", help="with --long: where the runs are kept")
    options.add_argument("--only", help="the table to make anew, by its heading in docs/benchmarks.md")
    given = options.parse_args()
    scripts = long_ones(given) if given.long else {name: [name] for name in _SHORT}
    if given.only is not None and given.only not in scripts:
        options.error(f"--only: expected one of {', '.join(scripts)}, found '{given.only}'")
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for title, (name, *arguments) in scripts.items():
        if given.only not in {None, title}:
            continue
        stderr_console().print(f"running {title}")
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
        date = datetime.datetime.now(datetime.UTC).date().isoformat()
        command = " ".join([f"python benchmarks/{name}.py", *_named(arguments)])
        kept[title] = {"date": date, "command": command} | json.loads(done.stdout)
    KEPT.write_text(json.dumps(kept, indent=2) + "\n")
    PICTURE.parent.mkdir(exist_ok=True)
    draw(kept)
    DOCUMENT.write_text(document(kept))


def long_ones(given: argparse.Namespace) -> dict[str, list[str]]:
    """The long benchmarks by the heading of their table; those whose pictures are not given are left out."""
    work = ROOT / given.work
    peers = ["--only", "peers", "--peers", "litserve,bentoml,mosec,ray", "--rounds", "3", "--seconds", "6"]
    scripts = {
        "training": ["training"],
        "serving": ["serving"],
        "serving, beside others": ["serving", *peers],
        "edge, long": ["edge", "--only", "soak", "--soak-minutes", "30"],
        "edge, kills and power cuts": ["edge_durability", "--work", str(work / "edge")],
    }
    if given.data:
        kept_at = work / "elpv"
        pictures = ["training", "--data", given.data, "--images", given.images]
        solar = [*pictures, "--work", str(kept_at)]
        fine = [*pictures, "--recipe", "resnet50-fine", "--work", str(work / "elpv-fine")]
        scripts |= {
            "solar cells, random split": [*solar, "--part", "random"],
            "solar cells, random split, fine": [*fine, "--part", "random"],
            "solar cells, grouped folds": [*solar, "--part", "folds"],
            "solar cells, grouped folds, fine": [*fine, "--part", "folds"],
            "solar cells, unseen modules": [*solar, "--part", "split"],
            # certificates on real scores, those that the folds left behind
            "certificates on solar cells": ["certificates", "--scores", str(kept_at / "out-of-fold.csv")],
        }
    served = ["--bundle", given.catalog_bundle] if given.catalog_bundle else []
    scripts |= {
        "catalog, serving": ["catalog_serving", *served],
        "catalog, bulk": ["catalog_bulk", *served],
    }
    if given.groceries and given.fashion:
        folders = ["--data", given.fashion, "--data", str(Path(given.groceries).parent)]
        grocery = ["--fashion", given.fashion, "--grocery", str(Path(given.groceries).parent)]
        accuracy = ["--only", "fashion,image_only,promises,novel,grocery"]
        scripts["catalog"] = ["catalog", *grocery, *accuracy, "--work", str(work / "catalog")]
        scripts["catalog, search"] = ["catalog_search", *folders, "--work", str(work / "catalog-search")]
    if given.groceries:
        photographs = ["--data", given.groceries, "--images", given.grocery_images]
        scripts["cartons"] = ["cartons", *photographs, "--work", str(work / "cartons")]
    return scripts


def _named(arguments: list[str]) -> list[str]:
    """The options that say what was measured, without where things lie here."""
    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    return [word for pair in pairs if pair[0] in _MEASURED for word in pair]


def document(kept: dict[str, Any]) -> str:
    """The page: a table a script, the newest measurement of each."""
    lines = [
        "# Figures",
        "",
        "Written by `make bench` and `make bench-long`; each row is the newest measurement.",
        "",
    ]
    lines += ["![Figures with a target, as a share of it](pictures/benchmarks.svg)", ""]
    for name, one in sorted(kept.items()):
        machine = one["machine"]
        flags = (
            ", ".join(flag for flag in machine["flags"] if "vnni" in flag or "bf16" in flag)
            or "no VNNI, no bf16"
        )
        lines += [
            f"## {name}",
            "",
            f"{one['date']}, `{one['command']}`, {machine['cpu']}, {machine['cores']} cores ({flags}), load {machine['load']:.1f}",
            "",
            "| figure | value | spread | unit | target | met | runs | note |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for figure in one["figures"]:
            spread = "" if figure["spread"] is None else f"{figure['spread'][0]} to {figure['spread'][1]}"
            met = {None: "", True: "yes", False: "**no**"}[figure["met"]]
            cells = [
                f"`{figure['name']}`", figure["value"], spread, figure["unit"], figure["target"] or "", met,
                figure["runs"], figure["note"],
            ]  # fmt: skip
            lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def share_of_target(figure: Mapping[str, Any]) -> float:
    """1 where the target is just met, more where it is exceeded; of a target of 0 nothing but whether it is met."""
    sign, bound = figure["target"].split()
    if float(bound) == 0:
        return float(figure["met"])
    value = max(float(figure["value"]), 1e-9)
    return value / float(bound) if sign == ">=" else float(bound) / value


def draw(kept: dict[str, Any]) -> None:
    """Each figure that has a target as a share of it: right of the line is better."""
    rows = [
        (figure["name"], share_of_target(figure))
        for one in kept.values()
        for figure in one["figures"]
        if figure["target"]
    ]
    canvas = Canvas(figsize=(8, 0.35 * len(rows) + 0.8), layout="constrained")
    axes = canvas.subplots()
    shares = [min(share, 4.0) for _, share in rows]
    axes.barh(
        [name for name, _ in rows], shares, color=["#2a7f62" if share >= 1 else "#c0504d" for share in shares]
    )
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel("share of the target; 1 meets it, further right is better (cut off at 4)")
    axes.invert_yaxis()
    canvas.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
