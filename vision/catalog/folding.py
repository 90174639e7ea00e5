"""When two spellings are one: the same letters whatever their case, width, composition and spacing.

Takes any text, gives the form that is compared. It knows no language: Turkish dotless i and German ß are treated as Unicode's
default case folding does.
"""

import difflib
import unicodedata
from collections.abc import Iterable
from functools import lru_cache


def fold(text: str) -> str:
    """The text as it is compared: NFKC and case folded, blanks collapsed, without what cannot be seen.

    Control and format characters (zero-width and bidirectional ones among them), variation selectors and lone surrogates are
    dropped. Folding what is folded changes nothing.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(character for character in text if not _invisible(character))
        text = unicodedata.normalize("NFKC", text)
    return " ".join(unicodedata.normalize("NFKC", text.casefold()).split())


@lru_cache(maxsize=1 << 16)
def _invisible(character: str) -> bool:
    if character.isspace():
        return False
    return (
        unicodedata.category(character) in {"Cc", "Cf", "Cs"}
        or "\ufe00" <= character <= "\ufe0f"  # variation selectors, such as those that colour an emoji
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def nearest(word: str, known: Iterable[str], *, count: int = 3) -> tuple[str, ...]:
    """Of the known ones those that look like `word`, the most alike first."""
    spelled: dict[str, str] = {}
    for one in known:
        spelled.setdefault(fold(one), one)
    return tuple(spelled[match] for match in difflib.get_close_matches(fold(word), spelled, n=count))
