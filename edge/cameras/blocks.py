"""GigE Vision's frame ids. In the older protocol they have 16 bits and leave out 0, so after 65535 comes 1."""

from typing import Final

_WRAP: Final = 65535


def steps(last: int, now: int) -> int:
    """How many frames later `now` is than `last`: 1 for the next one, 0 for the same again, negative for an older one.

    >>> steps(7, 8), steps(65535, 1), steps(65534, 2), steps(8, 7), steps(70000, 70001)
    (1, 1, 3, -1, 1)
    """
    if now == last or max(last, now) > _WRAP:
        return now - last
    ahead = (
        now - last
    ) % _WRAP or 1  # some cameras count 0 after all: then it takes the place of 65535's successor
    return ahead if ahead <= _WRAP // 2 else ahead - _WRAP
