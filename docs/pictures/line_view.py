"""Make the tutorial's picture of the operator's view: a line of our own plates, as a headless Chromium shows it.

    python -m docs.pictures.line_view

from the checkout's root; half a minute. No picture of anybody else is involved.
"""

import io
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.bundles import BLUE, part, spotted, stranger
from tests.e2e.browser import browser
from tests.e2e.lines import furnished
from tests.e2e.serving import eventually
from tests.e2e.test_edge_view import viewed

OUT = Path(__file__).with_name("line-view.png")
PARTS = 58


def main() -> None:
    """Let the line run for some seconds and take the picture at a reject."""
    plates = [part(seed) for seed in range(1, 17)]
    plates[9], plates[4], plates[13] = spotted(8, cell_xy=(2, 1)), stranger(), spotted(13, colour=BLUE)
    with (
        tempfile.TemporaryDirectory() as name,
        viewed(furnished(Path(name), plates)) as line,
        browser(Path(name) / "profile") as page,
    ):
        page.size(1280, 760)
        page.open(line.url)
        eventually(lambda: page.text("#live").startswith("live"))
        time.sleep(2.0)  # until the browser has done what it does when it starts
        line.gate.convey(PARTS, 0.15)
        eventually(lambda: f"part {PARTS}" in page.text(".part"))
        time.sleep(1.0)  # for its picture
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.quantize(160, dither=Image.Dither.NONE).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
