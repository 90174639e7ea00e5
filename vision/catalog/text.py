"""A title as numbers: hashed n-grams of its words and characters, the same in training and in serving.

Takes any text in any language and script, gives ids for an embedding table and which word each stands for. It learns no vocabulary and
knows no language; the hash is CRC-32, so ids are the same in every process, on every platform, and in every version.

Words are runs of letters, digits and marks. In scripts written without blanks (Chinese, Japanese, Thai, Lao, Khmer, Burmese) each character
is a word. An emoji or other pictograph is a word; punctuation only separates. Character n-grams are taken within a word, with a blank
at either end to tell its beginning and end, and through a whole run of single characters.
"""

import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Annotated, Final, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.catalog.folding import fold

_Length = Annotated[int, Field(ge=1, le=16)]
_Kind = Literal["letter", "mark", "single", "picture", "none"]

# First and last code points of scripts written without blanks, by the Unicode block charts; half- and full-width forms are folded before.
_NO_BLANKS: Final = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # ideographs among the punctuation
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana, phonetic extensions
    (0x3400, 0x4DBF),  # ideographs
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),
)
# Words and characters do not share ids, though a word may be spelled like a part of another.
_WORDS: Final = zlib.crc32(b"words")
_CHARACTERS: Final = zlib.crc32(b"characters")

_Grams = Iterator[tuple[str, int]]  # with the word that each speaks for


class TextSpec(BaseModel):
    """How titles become ids; a model and its bundle share one.

    Attributes:
        buckets: rows of the embedding table; row 0 is padding.
        words: shortest and longest n-gram of words.
        characters: shortest and longest n-gram of characters, its blanks included.
        length: ids kept of a title. Words go first, the short n-grams before the long; what does not fit whole is thinned out evenly.
        max_chars: a longer title is cut there, counted after folding; no more than four times as many are read of what was given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    buckets: Annotated[int, Field(ge=2, le=1 << 24)] = 32768
    words: tuple[_Length, _Length] = (1, 2)
    characters: tuple[_Length, _Length] = (3, 5)
    length: Annotated[int, Field(ge=1, le=1 << 16)] = 192
    max_chars: Annotated[int, Field(ge=1, le=1 << 16)] = 1000

    @model_validator(mode="after")
    def _lengths_are_ordered(self) -> Self:
        for name, (least, most) in (("words", self.words), ("characters", self.characters)):
            if least > most:
                raise ValueError(f"{name}: expected the shortest length first, found {(least, most)}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """One title.

    Attributes:
        ids: int64 (length,): n-grams in 1..buckets-1, none twice, then 0 for padding; zeros alone: no text.
        words: of the title as folded, in order.
        word_of: int64 (length,): index into `words` of the word that an id speaks for, -1 for padding. An n-gram over several words
            speaks for the middle one (of two middle ones the first), and a repeated one for the word where it came first.
    """

    ids: npt.NDArray[np.int64]
    words: tuple[str, ...]
    word_of: npt.NDArray[np.int64]


def tokenise(title: str, spec: TextSpec) -> Tokens:
    """The ids of one title. Any text is good; one without a letter, digit or pictograph gives zeros."""
    runs = _runs(fold(title[: 4 * spec.max_chars])[: spec.max_chars])
    words = tuple(word for run in runs for word in run)
    kept: dict[int, int] = {}
    for grams, basis in _shares(words, runs, spec):
        fresh: dict[int, int] = {}
        for gram, word in grams:
            place = 1 + zlib.crc32(gram.encode(), basis) % (spec.buckets - 1)
            if place not in kept:
                fresh.setdefault(place, word)
        kept.update(_thinned(tuple(fresh.items()), spec.length - len(kept)))
    ids = np.zeros(spec.length, dtype=np.int64)
    word_of = np.full(spec.length, -1, dtype=np.int64)
    ids[: len(kept)] = list(kept)
    word_of[: len(kept)] = list(kept.values())
    return Tokens(ids=ids, words=words, word_of=word_of)


def batch(titles: Sequence[str | None], spec: TextSpec) -> npt.NDArray[np.int64]:
    """The ids of several titles, int64 (N, length); a title that is absent gives zeros."""
    ids = np.zeros((len(titles), spec.length), dtype=np.int64)
    for row, title in zip(ids, titles, strict=True):
        if title:
            row[:] = tokenise(title, spec).ids
    return ids


def _runs(text: str) -> list[list[str]]:
    """The words of folded text; single characters side by side are together, every other word is alone."""
    runs: list[list[str]] = []
    before: _Kind = "none"
    for character in text:
        kind = _kind(character)
        if kind == "mark":
            kind = "letter" if before == "none" else before
            joined = before != "none"
        else:
            joined = kind == "letter" == before
        if joined:
            runs[-1][-1] += character
        elif kind == "single" == before:
            runs[-1].append(character)
        elif kind != "none":
            runs.append([character])
        before = kind
    return runs


@lru_cache(maxsize=1 << 16)
def _kind(character: str) -> _Kind:
    category = unicodedata.category(character)
    if category[0] == "M":
        return "mark"
    if category == "So":
        return "picture"
    if category[0] not in "LN":
        return "none"
    code = ord(character)
    return "single" if any(first <= code <= last for first, last in _NO_BLANKS) else "letter"


def _shares(
    words: Sequence[str], runs: Sequence[Sequence[str]], spec: TextSpec
) -> Iterator[tuple[_Grams, int]]:
    """N-grams and where their hash begins, in the order in which there is room: of words, short before long, then of characters."""
    for count in range(spec.words[0], spec.words[1] + 1):
        yield _word_grams(words, count), _WORDS
    spelled = tuple(_spelled(runs))
    counts = range(spec.characters[0], spec.characters[1] + 1)
    yield chain.from_iterable(_character_grams(spelled, count) for count in counts), _CHARACTERS


def _word_grams(words: Sequence[str], count: int) -> _Grams:
    middle = (count - 1) // 2
    for first in range(len(words) - count + 1):
        yield " ".join(words[first : first + count]), first + middle


def _spelled(runs: Sequence[Sequence[str]]) -> Iterator[tuple[str, list[int]]]:
    """Each run between blanks, and the word that each of its characters belongs to, the blanks to the word beside them."""
    first = 0
    for run in runs:
        owners = [first + index for index, word in enumerate(run) for _ in word]
        yield f" {''.join(run)} ", [first, *owners, first + len(run) - 1]
        first += len(run)


def _character_grams(spelled: Iterable[tuple[str, list[int]]], count: int) -> _Grams:
    middle = (count - 1) // 2
    for text, owners in spelled:
        for first in range(len(text) - count + 1):
            yield text[first : first + count], owners[first + middle]


def _thinned(ids: Sequence[tuple[int, int]], room: int) -> Sequence[tuple[int, int]]:
    """As many as there is room for, evenly spaced."""
    if len(ids) <= room:
        return ids
    return [ids[place * len(ids) // room] for place in range(room)]
