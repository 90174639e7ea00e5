"""Pictures as training sees them: decoded once, drawn in balance, changed a little each time.

`PictureCache` prepares every picture through `vision.preprocess` and keeps the pixels in one memory-mapped file;
`balanced_order` says which come next; `Draws` hands out augmented pictures. All of it is a function of the
seed and the step, so that a resumed run draws what the interrupted one would have.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.format import write_array_header_1_0
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2
from typing_extensions import override

from training.manifest import Item
from training.recipe import Augment
from vision.errors import ManifestError
from vision.files import atomic_path
from vision.image import Pixels, read_bytes
from vision.preprocess import PreprocessSpec, prepare_bytes, prepare_file


@dataclass(frozen=True, slots=True)
class PictureCache:
    """Prepared pictures of one size: `pixels` uint8 (N, H, W, 3) RGB, in the order of the items."""

    pixels: npt.NDArray[np.uint8]

    def __getitem__(self, index: int) -> Pixels:
        return np.asarray(self.pixels[index])


def check_files(items: Iterable[Item]) -> None:
    """Fail before the long work, not in it.

    Raises:
        ManifestError: files are missing.
    """
    missing = [item.path for item in items if not item.path.is_file()]
    if missing:
        raise ManifestError(
            f"{missing[0]}: expected a picture, found no file ({len(missing)} missing in all)"
        )


def file_digest(path: Path) -> str:
    """SHA-256 of a picture's bytes: how a bundle knows again what it was trained on."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def classes_of(items: Iterable[Item], labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """The index of each item's label among `labels`."""
    index = {label: position for position, label in enumerate(labels)}
    return np.array([index[item.label] for item in items], np.int64)


def fingerprint(digest: str) -> int:
    """The first 8 bytes of a SHA-256: enough to know a picture again, too little to rebuild it."""
    return int(digest[:16], 16)


def group_fingerprints(items: Iterable[Item]) -> set[int]:
    """Fingerprints of the names of the items' groups."""
    return {fingerprint(hashlib.sha256(name.encode()).hexdigest()) for name in {item.group for item in items}}


def cached(
    items: Sequence[Item],
    spec: PreprocessSpec,
    folder: Path,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> PictureCache:
    """Prepare all items at `spec`'s size, or open what an earlier run prepared.

    Args:
        advance: called with the number of pictures done since the last call.

    Raises:
        ImageError: a picture cannot be read; the file is named.
        StorageError: the disk is full. (Written through a memory map, that would be a SIGBUS.)
    """
    names = "\n".join(str(item.path) for item in items)
    key = hashlib.sha256(f"{spec.digest()}\n{names}".encode()).hexdigest()[:16]
    path = folder / f"{spec.size_wh[0]}px-{key}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as unfinished, unfinished.open("wb") as file:
            shape = (len(items), spec.size_wh[1], spec.size_wh[0], 3)
            write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for item in items:
                file.write(prepare_file(item.path, spec).image_hwc.tobytes())
                advance(1)
    return PictureCache(np.load(path, mmap_mode="r"))


def balanced_order(labels: npt.NDArray[np.int64], *, epoch: int, seed: int) -> npt.NDArray[np.int64]:
    """Indices of one epoch, every class equally often, shuffled.

    Each class is an endless sequence of shuffles of its own pictures, of which an epoch takes the next share: a
    large class is seen in turn, a small one repeatedly, none left out.
    """
    classes = np.unique(labels)
    share = -(-len(labels) // len(classes))
    chosen = [
        _stretch(np.flatnonzero(labels == label), epoch * share, share, seed=(seed, int(label)))
        for label in classes
    ]
    order = np.concatenate(chosen)
    return np.random.default_rng((seed, epoch)).permutation(order)[: len(labels)]


def _stretch(
    members: npt.NDArray[np.int64], start: int, count: int, *, seed: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """`count` entries from position `start` of the endless sequence of shuffles of `members`."""
    first, last = start // len(members), (start + count - 1) // len(members)
    shuffles = [np.random.default_rng((*seed, turn)).permutation(members) for turn in range(first, last + 1)]
    offset = start - first * len(members)
    return np.concatenate(shuffles)[offset : offset + count]


class Draws(Dataset[tuple[Tensor, int]]):
    """Augmented pictures: `(row, seed)` in, `(uint8 (H, W, 3), row)` out, the same for the same pair."""

    def __init__(self, cache: PictureCache, augment: Augment) -> None:
        self._cache = cache
        self._change = augmentation(augment)

    @override
    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        row, seed = key
        picture_chw = torch.from_numpy(self._cache[row].copy()).permute(2, 0, 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            changed: Tensor = self._change(picture_chw)
        return changed.permute(1, 2, 0).contiguous(), row


def augmentation(augment: Augment) -> v2.Compose:
    """The recipe's changes as torchvision transforms on uint8 (3, H, W)."""
    steps: list[v2.Transform] = []
    if augment.flip_horizontal:
        steps.append(v2.RandomHorizontalFlip())
    if augment.flip_vertical:
        steps.append(v2.RandomVerticalFlip())
    if augment.rotate_degrees or augment.translate or augment.zoom:
        steps.append(
            v2.RandomAffine(
                degrees=augment.rotate_degrees,
                translate=(augment.translate, augment.translate),
                scale=(1 - augment.zoom, 1 + augment.zoom),
                interpolation=v2.InterpolationMode.BILINEAR,
            )
        )
    if augment.brightness or augment.contrast:
        steps.append(v2.ColorJitter(brightness=augment.brightness, contrast=augment.contrast))
    return v2.Compose(steps or [v2.Identity()])


def batches_of(
    order: npt.NDArray[np.int64], batch_size: int, *, epoch: int, seed: int
) -> list[list[tuple[int, int]]]:
    """An epoch's order as full batches of `(index, augmentation seed)`."""
    draws = np.random.default_rng((seed, epoch, 1)).integers(0, 2**31, len(order))
    pairs = list(zip(order.tolist(), draws.tolist(), strict=True))
    whole = max(len(pairs) - len(pairs) % batch_size, min(len(pairs), batch_size))
    return [pairs[start : start + batch_size] for start in range(0, whole, batch_size)]


def in_batches(pixels: npt.NDArray[np.uint8], size: int = 32) -> Iterator[Tensor]:
    """Prepared pictures (N, H, W, 3) in their order, to be looked at rather than learned from."""
    for start in range(0, len(pixels), size):
        yield torch.from_numpy(np.array(pixels[start : start + size]))


def digest_and_prepare(path: Path, spec: PreprocessSpec) -> tuple[str, Pixels]:
    """A picture's SHA-256 and its prepared pixels, from one reading of the file."""
    data = read_bytes(path)
    return hashlib.sha256(data).hexdigest(), prepare_bytes(data, spec, name=str(path)).image_hwc
