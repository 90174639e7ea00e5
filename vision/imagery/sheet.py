"""A page with all candidates of an order, for people: it shows what is beside it in the folder and needs nothing from elsewhere."""

from collections.abc import Sequence
from html import escape
from typing import Final

from vision.imagery.brief import Brief
from vision.imagery.create import Candidate
from vision.imagery.style import told

MASTER: Final = ".png"
MANIFEST: Final = ".json"
PREVIEW: Final = "-preview.jpg"
DIFFERENCE: Final = "-difference.png"

_HEAD: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: #222; background: #eee }}
main {{ display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)) }}
figure {{ margin: 0; background: #fff; padding: 1rem; border-radius: .3rem }} img {{ width: 100%; display: block }}
figcaption {{ margin-top: .5rem }} .warning {{ color: #8a4b00 }}
</style></head><body>
<h1>{title}</h1>
<p>{facts}</p>
"""


def page(brief: Brief, candidates: Sequence[Candidate], warnings: Sequence[str]) -> str:
    """HTML that shows the candidates as `file_name` calls their files."""
    facts = (
        f"For {', '.join(brief.rules)}; {brief.size_wh[0]} x {brief.size_wh[1]} px; "
        f"scenes by {brief.generator}; first seed {brief.seed}."
    )
    parts = [_HEAD.format(title=escape(brief.title[:200]), facts=escape(facts))]
    looks = [one.manifest.scene.look for one in candidates[:1]]
    parts += [f"<p>{escape(told(look))}.</p>\n" for look in looks if look is not None]
    parts += [f'<p class="warning">{escape(one)}</p>\n' for one in warnings]
    parts += ["<main>\n", *(_figure(one) for one in candidates), "</main></body></html>\n"]
    return "".join(parts)


def file_name(number: int, suffix: str) -> str:
    """Of what belongs to a candidate, such as `candidate-2-preview.jpg`."""
    return f"candidate-{number}{suffix}"


def _figure(candidate: Candidate) -> str:
    number = candidate.number
    master, preview, difference, manifest = (
        file_name(number, suffix) for suffix in (MASTER, PREVIEW, DIFFERENCE, MANIFEST)
    )
    return (
        f'<figure><a href="{master}"><img src="{preview}" alt="candidate {number}"></a><figcaption>'
        f"Candidate {number}, seed {candidate.manifest.brief.seed_of(number)}. "
        f"{candidate.lock.pixels} pixels of the product, {candidate.lock.changed} changed; "
        f'<a href="{difference}">difference map</a>, <a href="{manifest}">manifest</a>.</figcaption></figure>\n'
    )
