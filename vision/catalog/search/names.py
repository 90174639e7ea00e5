"""Many distinct strings in few arrays, which can lie in files: from number to string and back.

Strings are found by the first 8 bytes of their BLAKE2b, sorted; whichever have the same are compared as they are.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
_FIELDS: Final = ("text", "ends", "hashes", "numbers")


@dataclass(frozen=True, slots=True)
class Names:
    """N strings, numbered from 0.

    Attributes:
        text: uint8, all of them in UTF-8, one after the other.
        ends: int64 (N,), where each ends in `text`.
        hashes: uint64 (M,), rising, of those that can be found.
        numbers: int32 (M,), theirs.
    """

    text: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.int32]

    @classmethod
    def none(cls) -> Self:
        return cls(
            np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.int32)
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Self:
        return cls(*(arrays[f"{prefix}.{name}"] for name in _FIELDS))

    def arrays(self, prefix: str) -> dict[str, npt.NDArray[Any]]:
        return {f"{prefix}.{name}": getattr(self, name) for name in _FIELDS}

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, number: int) -> str:
        start = int(self.ends[number - 1]) if number else 0
        return self.text[start : int(self.ends[number])].tobytes().decode()

    def find(self, name: str) -> int | None:
        """Its number; nothing where it is not here, or cannot be found any more."""
        wanted = np.uint64(_hash(name))
        at = int(np.searchsorted(self.hashes, wanted))
        while at < len(self.hashes) and self.hashes[at] == wanted:
            number = int(self.numbers[at])
            if self[number] == name:
                return number
            at += 1
        return None

    def only(self, kept: Bools) -> Self:
        """Those that are kept (N,), numbered anew in the same order."""
        sizes = np.diff(self.ends, prepend=0)
        found = kept[self.numbers]
        anew = np.cumsum(kept) - 1
        return type(self)(
            self.text[np.repeat(kept, sizes)],
            np.cumsum(sizes[kept]),
            self.hashes[found],
            anew[self.numbers[found]].astype(np.int32),
        )

    def without(self, findable: Bools) -> Self:
        """The same strings, of which those alone can be found that are `findable` (N,)."""
        found = findable[self.numbers]
        return type(self)(self.text, self.ends, self.hashes[found], self.numbers[found])

    def and_more(self, names: Sequence[str]) -> Self:
        """Further strings after these; none may be one that can be found here."""
        encoded = [name.encode() for name in names]
        start = int(self.ends[-1]) if len(self) else 0
        ends = start + np.cumsum([len(one) for one in encoded], dtype=np.int64)
        hashes = np.concatenate([self.hashes, np.array([_hash(name) for name in names], np.uint64)])
        fresh = np.arange(len(self), len(self) + len(names), dtype=np.int32)
        order = np.argsort(hashes, kind="stable")
        return type(self)(
            np.concatenate([self.text, np.frombuffer(b"".join(encoded), np.uint8)]),
            np.concatenate([self.ends, ends]),
            hashes[order],
            np.concatenate([self.numbers, fresh])[order],
        )


def _hash(name: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest(), "little"
    )
