"""A figure as one piece of SVG that takes on the look of the HTML page it is set into.

Takes a function that draws on a matplotlib figure, gives a string. Colours leave here as CSS variables (`var(--good)`) and
text without a font, so that a figure is readable in light, in dark and in print. No network, no global state left changed,
and the same drawing gives the same bytes.
"""

import io
import re
from collections.abc import Callable
from typing import Final

from matplotlib import style
from matplotlib.figure import Figure

# Okabe & Ito's blue and vermilion, told apart by every kind of colour vision; the page's light colours for the rest
GOOD: Final = "#0072b2"
BAD: Final = "#d55e00"
INK: Final = "#1b2026"
MUTED: Final = "#5c6670"
RULE: Final = "#e2e5e9"
PAPER: Final = "#ffffff"
_VARIABLES: Final = {
    GOOD: "--good",
    BAD: "--bad",
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    PAPER: "--paper",
}
_STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "loupe",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "font.size": 9,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 1.7,
}


def drawn(name: str, size_wh: tuple[float, float], draw: Callable[[Figure], None], words: str) -> str:
    """Draw in the report's style, whatever matplotlib is set to elsewhere."""
    buffer = io.BytesIO()
    with style.context(_STYLE, after_reset=True):
        figure = Figure(figsize=size_wh, layout="constrained")
        draw(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _for_page(buffer.getvalue().decode(), name, words)


def _for_page(svg: str, name: str, words: str) -> str:
    """A stand-alone SVG as a part of an HTML page: no header, the page's fonts and colours, ids of its own."""
    body = svg[svg.index("</metadata>") + len("</metadata>") :]
    box = re.search(r'viewBox="([^"]+)"', svg)
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r" ?font-family: [^;\"]*;?", "", body)
    used = dict.fromkeys(re.findall(r'(?:url\(#|href="#)([^")]+)', body))
    numbers = {old: f"{name}-{number}" for number, old in enumerate(used)}
    body = re.sub(r' id="([^"]+)"', lambda one: f' id="{numbers[one[1]]}"' if one[1] in numbers else "", body)
    body = re.sub(r"(url\(#|href=\"#)([^\")]+)", lambda one: one[1] + numbers[one[2]], body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    body = body.replace("xlink:href", "href")
    view = box[1] if box else ""
    return f'<svg class="plot" viewBox="{view}" role="img" aria-label="{words}">{body.strip()}'
