"""What several people's words on one product come to.

Takes their opinions in the order in which they were given, says which of them count and what the product is by them. It keeps nothing.

The newest of each person counts. Where nobody disagrees all are accepted, and their levels taken together. Where people disagree, none
is, until a reviewer says what is right: what agrees with the newest reviewer is accepted, what was said otherwise before is overruled,
and what is said otherwise afterwards waits for a reviewer again, while the earlier word stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from server.storage.catalog_tables import FeedbackState


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What somebody says a product is, by level; `reviewer`: with the right to decide."""

    by: str
    labels: Mapping[str, str]
    reviewer: bool = False

    def disagrees(self, other: "Opinion") -> bool:
        """Whether they name different categories at some level."""
        return any(other.labels.get(level, label) != label for level, label in self.labels.items())


def settled(opinions: Sequence[Opinion]) -> list[FeedbackState]:
    """The state of each opinion."""
    newest = {one.by: place for place, one in enumerate(opinions)}
    counting = sorted(newest.values())
    states = [FeedbackState.OVERRULED] * len(opinions)
    deciding = next((place for place in reversed(counting) if opinions[place].reviewer), None)
    if deciding is None:
        at_odds = any(opinions[a].disagrees(opinions[b]) for a, b in combinations(counting, 2))
        for place in counting:
            states[place] = FeedbackState.REVIEW if at_odds else FeedbackState.ACCEPTED
        return states
    for place in counting:
        if not opinions[place].disagrees(opinions[deciding]):
            states[place] = FeedbackState.ACCEPTED
        elif place > deciding:
            states[place] = FeedbackState.REVIEW
    return states


def agreed(opinions: Sequence[Opinion], states: Sequence[FeedbackState]) -> dict[str, str]:
    """By level: what the accepted opinions come to, at levels where they agree or a reviewer has spoken; nothing where none is."""
    accepted = [one for one, state in zip(opinions, states, strict=True) if state is FeedbackState.ACCEPTED]
    found: dict[str, set[str]] = {}
    for one in accepted:
        for level, label in one.labels.items():
            found.setdefault(level, set()).add(label)
    labels = {level: next(iter(of_level)) for level, of_level in found.items() if len(of_level) == 1}
    for one in accepted:
        if one.reviewer:
            labels |= one.labels
    return labels
