"""What labels and a signature cost at 1600 px, in time and bytes, and how many labels come back from their files.

python benchmarks/imagery_labels.py --json
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.common import Figure, emit, in_turns, parser
from tests.goods import goods
from tests.vision.imagery.signers import signer
from vision.image import Pixels
from vision.imagery.certificates import Signer
from vision.imagery.labels.aigc import Aigc
from vision.imagery.labels.carriers import FORMATS, encode, read_labels
from vision.imagery.labels.corner import Language, draw
from vision.imagery.labels.policy import Labels
from vision.imagery.labels.source import SourceType
from vision.imagery.provenance import Claim, Trust, read, sign

SIDE = 1600
BARE = Labels(source=SourceType.COMPOSITE_TRAINED)
FULL = Labels(
    source=SourceType.COMPOSITE_TRAINED, aigc=Aigc.of("shop", "0" * 64), explicit=(Language.CHINESE,)
)


def figures(*, rounds: int = 9, pictures: int = 12) -> list[Figure]:
    """All figures of labels and signatures."""
    good = goods("box", 3, SIDE)
    with tempfile.TemporaryDirectory() as folder:
        by, root = signer(Path(folder))
        anchors = root.read_bytes()
    product = np.asarray(good.alpha_hw > 0)
    found = [_timed("labels_draw", lambda: draw(good.photo_hwc, FULL.explicit, product), rounds)]
    for image_format in FORMATS:
        found += _format(image_format, good.photo_hwc, by, good.photo_png, rounds)
    return [*found, *_survival(by, anchors, pictures)]


def _format(image_format: str, image_hwc: Pixels, by: Signer, photo: bytes, rounds: int) -> list[Figure]:
    name = image_format.lower()
    bare, full = (encode(image_hwc, image_format, labels) for labels in (BARE, FULL))
    claim = Claim(title=f"image.{name}", source=FULL.source, generation={"manifest": "0" * 64})
    signed = sign(full, claim, by, photo=photo)
    return [
        _timed(f"labels_encode_{name}", lambda: encode(image_hwc, image_format, FULL), rounds),
        _timed(f"labels_sign_{name}", lambda: sign(full, claim, by, photo=photo), rounds),
        in_turns(
            f"labels_sign_vs_encode_{name}",
            lambda: sign(full, claim, by, photo=photo),
            lambda: encode(image_hwc, image_format, FULL),
            target=None,
            rounds=rounds,
            note=f"{SIDE} px",
        ),
        Figure(name=f"labels_aigc_bytes_{name}", value=len(full) - len(bare), unit="bytes"),
        Figure(
            name=f"labels_signature_bytes_{name}",
            value=len(signed) - len(full),
            unit="bytes",
            target="<= 20000",
            note=f"of {len(signed)} in all",
        ),
    ]


def _survival(by: Signer, anchors: bytes, pictures: int) -> list[Figure]:
    """Over goods, formats and wordings: labels that come back from a signed file, and signatures that are trusted."""
    kept, trusted, tries = 0, 0, 0
    for seed in range(pictures):
        good = goods("mug" if seed % 2 else "bag", seed, 640)
        for image_format in FORMATS:
            languages = (Language.CHINESE,) if seed % 3 else (Language.CHINESE, Language.ENGLISH)
            wanted = Labels(source=FULL.source, aigc=Aigc.of("shop", f"number-{seed}"), explicit=languages)
            drawn, _ = draw(good.photo_hwc, languages, np.asarray(good.alpha_hw > 0))
            claim = Claim(title="image", source=wanted.source, generation={})
            data = sign(encode(drawn, image_format, wanted), claim, by, photo=good.photo_png)
            tries += 1
            kept += not read_labels(data).lacking(wanted)
            trusted += read(data, anchors=anchors).trust is Trust.TRUSTED
    note = "4 formats, signed"
    return [
        Figure(
            name="labels_survive", value=kept / tries, unit="ratio", target=">= 1.0", runs=tries, note=note
        ),
        Figure(
            name="signatures_trusted",
            value=trusted / tries,
            unit="ratio",
            target=">= 1.0",
            runs=tries,
            note=note,
        ),
    ]


def _timed(name: str, work: Callable[[], object], rounds: int) -> Figure:
    work()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    low, middle, high = (1000 * float(value) for value in np.percentile(seconds, (25, 50, 75)))
    return Figure(
        name=f"{name}_ms",
        value=round(middle, 2),
        unit="ms",
        runs=rounds,
        spread=(round(low, 2), round(high, 2)),
        note=f"{SIDE} px",
    )


if __name__ == "__main__":
    parser(__doc__ or "").parse_args()
    emit(figures())
