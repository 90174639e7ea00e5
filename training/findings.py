"""A finding: one thing to know or mend about a data set, as `training.audit` reports it.

Takes nothing, imports nothing of ours: the rules that make findings stand on it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "unreadable",
    "straddling-group",
    "duplicate",
    "near-duplicate",
    "look-alike",
    "conflicting-labels",
    "missing-class",
    "few-pictures",
    "imbalance",
    "odd-size",
    "dark",
    "washed-out",
    "blurred",
]
Severity: TypeAlias = Literal["error", "warning", "info"]

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to know or mend.

    Attributes:
        message: names the first file or class, what was expected and what was found.
        paths: all files concerned, the one in the message first; empty where a finding is about classes.
        leak: the same thing lies in two splits.
    """

    kind: Kind
    severity: Severity
    message: str
    paths: tuple[str, ...] = ()
    leak: bool = False


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity, then by kind; within a kind in the order given."""
    return tuple(
        sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), KINDS.index(found.kind)))
    )


def and_more(things: Sequence[object], named: int = 1) -> str:
    """What a message says of those it does not name.

    >>> and_more(["a", "b", "c"])
    ' (and 2 more)'
    """
    return f" (and {len(things) - named} more)" if len(things) > named else ""
