"""What an approval stands for: one image, for these rule sets, under this label policy, made as its manifest says.

An approval that names the digest holds as long as nothing of that changes. Who may approve is not known here.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Final

from vision.errors import ImageryError

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def approval_digest(master: str, rules: Sequence[str], policy: str, manifest: str) -> str:
    """SHA-256 over the digests of what is approved, each in 64 hex digits.

    Args:
        master: of the master's decoded pixels, as in `Manifest.master`.
        rules: of the rule sets, in any order.
        policy: of the label policy, waiver included.
        manifest: of the manifest.

    Raises:
        ImageryError: one of them is no SHA-256, or there is no rule set.
    """
    named = {"master": [master], "rules": sorted(set(rules)), "policy": [policy], "manifest": [manifest]}
    for name, digests in named.items():
        for digest in digests or [""]:
            if not _SHA256.fullmatch(digest):
                raise ImageryError(f"approval: {name}: expected 64 hex digits, found {digest!r}")
    return hashlib.sha256(json.dumps(named, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
