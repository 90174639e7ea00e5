"""What must not be shown: secrets by the name they stand under, and tokens and passwords anywhere in a text.

Takes texts and plain values, gives them with `***` for what is secret. It knows the shape of Loupe's tokens, not which are in force.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "***"
# The id stays, so that a log says which token it was; what follows is taken whatever its length.
_TOKEN: Final = re.compile(r"(loupe_[0-9a-fA-F]{4,}_)[A-Za-z0-9_-]+")
# `scheme://user:password@`, up to the last @ there is: a password may hold / and @
_USERINFO: Final = r"(://[^\s:/@]*:){inside}*@"
_QUERY: Final = r"([?&][^\s=&]*(?:password|passwd|secret|token|key)[^\s=&]*=){inside}*"
_SECRET_NAME: Final = re.compile(
    r"(?:token|authorization|password|passwd|secret|credential|cookie|api_?key)s?$", re.I
)


def is_secret_name(name: str) -> bool:
    """Whether what stands under a name is secret as a whole: `token`, `client_secret`, `Authorization`; not `token_id`."""
    return _SECRET_NAME.search(name) is not None


def mask_url(url: str) -> str:
    """A URL, blanks and quotes in it included, without its password."""
    return _mask(url, userinfo=".", query="[^&]")


def mask_text(text: str) -> str:
    """A text without the secret parts of tokens, and without passwords in URLs."""
    return _mask(text, userinfo=r"\S", query=r"[^\s&]")


def mask_line(line: str) -> str:
    """As `mask_text`, over values that were quoted: what follows a quotation mark is another value."""
    return _mask(line, userinfo=r"[^\s\"']", query=r"[^\s&\"']")


def _mask(text: str, *, userinfo: str, query: str) -> str:
    text = _TOKEN.sub(rf"\1{MASK}", text)
    if "://" not in text:
        return text
    text = re.sub(_USERINFO.format(inside=userinfo), rf"\1{MASK}@", text, flags=re.DOTALL)
    return re.sub(_QUERY.format(inside=query), rf"\1{MASK}", text, flags=re.IGNORECASE)


def mask_value(value: Any) -> Any:
    """A plain value (as JSON has them; also tuples, sets and bytes) with every secret in it masked."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, bytes):
        return mask_text(value.decode(errors="backslashreplace"))
    if isinstance(value, Mapping):
        return {name: mask_entry(name, item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_value(item) for item in value]
    return value


def mask_entry(name: Any, value: Any) -> Any:
    """What may be shown under a name."""
    if value is not None and is_secret_name(str(name)):
        return MASK
    return mask_value(value)
