"""A scene's words that ask for lettering, which no scene can have.

What a small scene model paints as letters is no writing, a painted logo is nobody's or somebody else's, and marketplaces refuse both in a
main image. So such words are refused before anything is computed, unless they say what shall not be there. Writing on the product
itself is the photo's and stays.
"""

import re
import unicodedata
from typing import Final

from vision.errors import ImageryError

_LETTERING: Final = re.compile(
    r"(?<![a-z])(?:texts?|lettering|letters|typography|captions?|slogans?|headlines?|logos?|logotypes?|trademarks?"
    r"|watermarks?|brand\s+names?|price\s+tags?|qr\s+codes?|bar\s?codes?"
    r"|signs?\s+(?:saying|reading|that\s+says?|with\s+the\s+words?))(?![a-z])"
    r"|文字|字样|字幕|标语|标志|徽标|商标|水印|品牌名|二维码|条形码|价格标签"
    r"|[\"“「『][^\"”」』]{2,}[\"”」』]",
    re.IGNORECASE,
)
# What begins something else, which the `no` before it does not speak of.
_ELSE: Final = (
    r"but|and|with|plus|except|save|only|just|then|yet|beside|besides|near|next|under|over|above|below|behind|on|in|at|by|around"
    r"|an?|the|some|one|our|your|its|that|which"
)
_NOT_BEFORE: Final = re.compile(
    r"(?:(?<![a-z])(?:no|without|never|not|free\s+(?:of|from))(?:\s+(?:an?|any|the|our|your))?"
    rf"(?:[\s/-]+(?!(?:{_ELSE})(?![a-z]))[a-z']+){{0,4}}[\s/-]*"
    r"|(?:无(?!缝|印)|没有|不要|不带|不含|去掉)有?[^,，。;；但而却只有带和与及加上下里旁中]{0,8})$",
    re.IGNORECASE,
)
_AND_NOT: Final = re.compile(r"\s*(?:and|or|nor|&|/|和|与|及|或|、)\s*", re.IGNORECASE)
_FREE_AFTER: Final = re.compile(r"^[\s-]free(?![a-z-])", re.IGNORECASE)


def check_words(words: str) -> None:
    """Refuse words that ask for text, logos or the like; `no text`, `logo-free` and `不要文字` ask for none.

    Raises:
        ImageryError: the message quotes what asks for it.
    """
    plain = _plain(words)
    refused = 0  # where what shall not be there ends
    for found in _LETTERING.finditer(plain):
        before = plain[: found.start()]
        if (
            _NOT_BEFORE.search(before)
            or (refused and _AND_NOT.fullmatch(before, refused))
            or _FREE_AFTER.search(plain[found.end() :])
        ):
            refused = found.end()
            continue
        raise ImageryError(
            f"scene: expected a scene without text and logos, found {found.group()[:60]!r}: marketplaces refuse them in a main image, "
            "and a scene model cannot write; what is printed on the product stays"
        )


def _plain(words: str) -> str:
    """Without accents, and letters of full width as those of half."""
    apart = unicodedata.normalize("NFKD", words)
    return "".join(character for character in apart if unicodedata.category(character) != "Mn")
