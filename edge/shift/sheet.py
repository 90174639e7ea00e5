"""Parts that a replay judges otherwise, to look at: a folder with `index.html` and pictures, for any browser, without a network."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge.parts import Judge, Judged
from edge.ports import Shot
from edge.shift.bench import Bench
from edge.shift.format import JudgedLine
from edge.shift.replay import Answer, Difference
from edge.shots import UNLIMITED
from vision.errors import ImageError, StorageError
from vision.files import write_bytes
from vision.image import Frame, decode, encode_jpeg

_SIDE_PX: Final = 320
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: #222; background: #fff }}
section {{ border-top: 1px solid #ccc; padding: .8rem 0 }}
h2 {{ font-size: 1.05rem; margin: 0 0 .4rem }}
figure {{ display: inline-block; margin: 0 1rem .4rem 0; vertical-align: top; max-width: 22rem }}
figcaption {{ font-size: .85rem; color: #555 }}
img {{ max-width: 20rem; max-height: 20rem }}
</style></head><body><h1>{title}</h1><p>{count}</p>
{sections}</body></html>
"""


class Sheet:
    """Collects differences, each with the part's pictures and the evidence of both models; `write` makes the page.

    Args:
        folder: for the page and its pictures.
        before: the models that judged, asked for their evidence once more.
    """

    def __init__(self, folder: Path, *, before: Bench) -> None:
        self._folder, self._before = folder, before
        self._sections: list[str] = []

    def add(
        self,
        station: str,
        difference: Difference,
        line: JudgedLine,
        shots: Sequence[Shot],
        judged: Judged | None,
    ) -> None:
        """Raises StorageError when the disk refuses."""
        stem = f"{station}-{difference.n}"
        figures = [
            self._figure(f"{stem}-camera-{number}.jpg", _thumbnail(shot), shot.name)
            for number, shot in enumerate(shots, start=1)
        ]
        again = _judged_by(self._before(line), tuple(shots))
        for which, one, answer in (("before", again, difference.before), ("after", judged, difference.after)):
            overlay = one.overlay() if one is not None and one.overlay is not None else None
            figures.append(self._figure(f"{stem}-{which}.png", overlay, f"{which}: {_words(answer)}"))
        what = (
            f"part {difference.part}"
            if difference.part is not None
            else f"part {difference.n} of the recording"
        )
        heading = f"{station}, {what}: {difference.before.decision} → {difference.after.decision}"
        self._sections.append(f"<section><h2>{escape(heading)}</h2>{''.join(figures)}</section>\n")

    def write(self, title: str) -> Path:
        """The page.

        Raises:
            StorageError: the disk refused.
        """
        count = f"{len(self._sections)} parts are judged otherwise."
        page = _PAGE.format(title=escape(title), count=count, sections="".join(self._sections))
        path = self._folder / "index.html"
        write_bytes(path, page.encode())
        return path

    def _figure(self, name: str, picture: bytes | None, caption: str) -> str:
        said = f"<figcaption>{escape(caption)}</figcaption>"
        if picture is None:
            return f"<figure>{said}</figure>"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_bytes(picture)
        except OSError as error:
            raise StorageError(f"{self._folder / name}: cannot be written: {error.strerror}") from error
        return f'<figure><img loading="lazy" src="{escape(name)}" alt="">{said}</figure>'


def _judged_by(judge: Judge | None, shots: tuple[Shot, ...]) -> Judged | None:
    try:
        return None if judge is None else judge(shots)
    except Exception:  # noqa: BLE001  (the recording says what error this was)
        return None


def _thumbnail(shot: Shot) -> bytes | None:
    """A small JPEG; none of what is no picture."""
    try:
        frame = shot.image if isinstance(shot.image, Frame) else decode(shot.image, limits=UNLIMITED)
    except ImageError:
        return None
    height, width = frame.image_hwc.shape[:2]
    scale = min(1.0, _SIDE_PX / max(height, width))
    size_wh = (max(1, round(scale * width)), max(1, round(scale * height)))
    return encode_jpeg(
        np.asarray(cv2.resize(frame.image_hwc, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    )


def _words(answer: Answer) -> str:
    if answer.said is None:
        return answer.error
    return f"{answer.said.decision}, {answer.said.reason}: {answer.said.detail}"
