"""A scene's words that ask for lettering, which no scene can have.

What a small scene model paints as letters is no writing, a painted logo is nobody's or somebody else's, and marketplaces refuse both in a
main image. So such words are refused before anything is computed, unless they say what shall not be there. Writing on the product
itself is the photo's and stays.
"""

import re
from typing import Final

from vision.errors import ImageryError

_LETTERING: Final = re.compile(
    r"\b(?:texts?|lettering|letters|typography|captions?|slogans?|headlines?|logos?|logotypes?|trademarks?"
    r"|watermarks?|brand\s+names?|price\s+tags?|qr\s+codes?|bar\s?codes?"
    r"|signs?\s+(?:saying|reading|that\s+says?|with\s+the\s+words?))\b"
    r"|文字|字样|字幕|标语|标志|徽标|商标|水印|品牌名|二维码|条形码|价格标签"
    r"|[\"“「『][^\"”」』]{2,}[\"”」』]",
    re.IGNORECASE,
)
_NOT_BEFORE: Final = re.compile(
    r"(?:\b(?:no|without|never|not|free\s+(?:of|from))\b[\w\s/&-]{0,32}|(?:无|没有|不要|不带|不含|去掉)[^,，。;；]{0,8})$",
    re.IGNORECASE,
)
_FREE_AFTER: Final = re.compile(r"^[\s-]free\b", re.IGNORECASE)


def check_words(words: str) -> None:
    """Refuse words that ask for text, logos or the like; `no text`, `logo-free` and `不要文字` ask for none.

    Raises:
        ImageryError: the message quotes what asks for it.
    """
    for found in _LETTERING.finditer(words):
        if _NOT_BEFORE.search(words[: found.start()]) or _FREE_AFTER.search(words[found.end() :]):
            continue
        raise ImageryError(
            f"scene: expected a scene without text and logos, found {found.group()[:60]!r}: marketplaces refuse them in a main image, "
            "and a scene model cannot write; what is printed on the product stays"
        )
