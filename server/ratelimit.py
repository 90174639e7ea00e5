"""How often a caller may ask: a token bucket for each principal.

Takes principals and a monotonic clock, gives seconds to wait. A bucket holds `burst` requests and fills at `rate_per_s`. What is kept of
one is the single moment at which it will be full again (the generic cell rate algorithm, ITU-T I.371), in whole nanoseconds: sums
are exact, and whoever waits as long as told is let in. One event loop's own: not to be shared between threads.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from server.auth import Principal

_NS: Final = 1_000_000_000
_MAX_BUCKETS: Final = 10_000


class RateLimit:
    """The buckets of all principals.

    Args:
        rate_per_s: requests a second in the long run, above 0.
        burst: requests at once, 1 or more.
        clock: monotonic nanoseconds.
        max_buckets: when one more principal comes, the bucket unused for longest is forgotten, as if it were full again.
    """

    def __init__(
        self,
        *,
        rate_per_s: float,
        burst: int,
        clock: Callable[[], int] = time.monotonic_ns,
        max_buckets: int = _MAX_BUCKETS,
    ) -> None:
        self._interval_ns = math.ceil(_NS / rate_per_s)
        self._depth_ns = burst * self._interval_ns
        self._clock, self._max_buckets = clock, max_buckets
        self._full_at: OrderedDict[tuple[str | None, str], int] = OrderedDict()

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._full_at)

    def take(self, principal: Principal) -> float:
        """Take one request out of the principal's bucket: 0, or the seconds until there will be one, and nothing is taken.

        Each token has a bucket of its own; all who ask without one share one.
        """
        name = (principal.token_id, principal.user)
        now = self._clock()
        full_at = max(self._full_at.get(name, now), now) + self._interval_ns
        wait_ns = full_at - self._depth_ns - now
        if wait_ns <= 0:
            self._full_at[name] = full_at
        if name in self._full_at:
            self._full_at.move_to_end(name)
        if len(self._full_at) > self._max_buckets:
            self._full_at.popitem(last=False)
        return max(0, wait_ns) / _NS
