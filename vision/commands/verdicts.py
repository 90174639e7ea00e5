"""What `loupe inspect` says of pictures, whether they were judged here or on a server: the shape of results, their table, their files."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

from vision.inspection.policy import Decision, Verdict, fallback

_STYLE: Final = {"accept": "green", "reject": "red", "review": "yellow"}


def judgement(verdict: Verdict) -> dict[str, Any]:
    decision = verdict.decision.value
    said = asdict(verdict)
    return {"verdict": decision} | said | {"decision": decision, "reason": verdict.reason.value}


def not_judged(image: Path, why: str) -> dict[str, Any]:
    """The result for a picture that could not be judged: to review, and never skipped."""
    return {"image": str(image), **judgement(fallback(why)), "error": why}


def counts(results: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many of each decision, those with none included."""
    counted = Counter(result["decision"] for result in results)
    return {decision.value: counted.get(decision.value, 0) for decision in Decision}


def distinct_names(images: Sequence[Path]) -> list[str]:
    """A PNG name a picture; pictures of the same name from several folders are numbered."""
    names: dict[str, None] = {}
    for image in images:
        numbered = (f"{image.stem}-{number}.png" for number in itertools.count(2))
        free = (name for name in itertools.chain([f"{image.stem}.png"], numbered) if name not in names)
        names[next(free)] = None
    return list(names)


def table(results: Sequence[dict[str, Any]]) -> Table:
    shown = Table("image", "verdict", "reason", "p(defect)", "novelty", "why")
    for result in results:
        style = _STYLE[result["decision"]]
        numbers = [
            f"{result[key]:.3f}" if result[key] is not None else "-" for key in ("probability", "novelty")
        ]
        why = result.get("explanation", {}).get("text", result["detail"])
        shown.add_row(
            escape(Path(result["image"]).name),
            f"[{style}]{result['decision']}[/{style}]",
            result["reason"],
            *numbers,
            escape(why),
        )
    return shown
