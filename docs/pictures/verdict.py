"""Make the README's picture from plates of our own: train a model on them, judge one, and show the evidence.

    python docs/pictures/verdict.py

A few minutes on two cores. No picture of anybody else is involved.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from vision.image import Pixels
from vision.inspection.explain import explain, picture
from vision.inspection.inspect import open_inspector
from vision.preprocess import prepare_file

OUT = Path(__file__).with_name("verdict.png")


def plate(rng: np.random.Generator, *, scratched: bool) -> Pixels:
    """A brushed metal plate with four holes, 384 x 384, RGB."""
    grain = cv2.GaussianBlur(rng.normal(0, 40, (384, 384)).astype(np.float32), (61, 1), 0)
    shade = np.linspace(150, 190, 384)[None, :] + rng.uniform(-8, 8)
    image = np.repeat((shade + grain)[:, :, None], 3, axis=2) * np.array([0.97, 1.0, 1.03])
    image = np.clip(image, 0, 255).astype(np.uint8)
    for x in (64, 320):
        for y in (64, 320):
            cv2.circle(image, (x, y), 22, (40, 42, 46), -1, cv2.LINE_AA)
            cv2.circle(image, (x, y), 26, (205, 208, 212), 2, cv2.LINE_AA)
    if scratched:
        start = rng.integers(110, 270, 2)
        bend = start + rng.integers(-70, 70, 2)
        end = bend + rng.integers(-50, 50, 2)
        points = np.array([start, bend, end], np.int32).reshape(-1, 1, 2)
        cv2.polylines(
            image, [points], isClosed=False, color=(236, 238, 240), thickness=3, lineType=cv2.LINE_AA
        )
        cv2.polylines(
            image, [points + 2], isClosed=False, color=(90, 92, 96), thickness=1, lineType=cv2.LINE_AA
        )
    return image


def write_plates(root: Path) -> None:
    """Plates below train, val and test, one folder a class."""
    rng = np.random.default_rng(11)
    for split, count in (("train", 240), ("val", 240), ("test", 24)):
        for index in range(count):
            path = root / split / ("scratched" if index % 2 else "good") / f"{index:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), cv2.cvtColor(plate(rng, scratched=bool(index % 2)), cv2.COLOR_RGB2BGR))


def loupe(*arguments: object) -> None:
    subprocess.run([str(Path(sys.executable).parent / "loupe"), *map(str, arguments)], check=True)  # noqa: S603


def panel(image: Pixels, lines: list[str]) -> Pixels:
    """A picture of 384 x 384 with lines of text below it."""
    canvas = np.full((384 + 24 * len(lines) + 16, 384, 3), 255, np.uint8)
    canvas[:384] = cv2.resize(image, (384, 384), interpolation=cv2.INTER_AREA)
    for number, line in enumerate(lines):
        origin = (4, 384 + 24 * (number + 1))
        cv2.putText(canvas, line, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (30, 30, 30), 1, cv2.LINE_AA)
    return canvas


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_plates(root / "plates")
        data = ["--data", root / "plates"]
        loupe("train", *data, "--out", root / "run", "--epochs", 10)
        loupe("export", root / "run", "--out", root / "bundle")
        loupe("certify", root / "bundle", *data)
        inspector = open_inspector(root / "bundle")
        panels = []
        for path in sorted((root / "plates" / "test").rglob("*.png"))[-3:]:
            prepared = prepare_file(path, inspector.bundle.manifest.preprocess)
            inspection = inspector.inspect(prepared)
            explanation, verdict = explain(inspector, inspection), inspection.verdict
            first = f"{verdict.decision.value}, {verdict.reason.value}"
            panels.append(
                panel(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), ["what the camera sees"])
            )
            panels.append(
                panel(picture(inspection, explanation), [f"{first}: p(defect) {verdict.probability:.3f}"])
            )
            print(path.parent.name, verdict.detail, explanation.sentence())  # noqa: T201
        shown = np.hstack(panels[:2])
        cv2.imwrite(str(OUT), cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
