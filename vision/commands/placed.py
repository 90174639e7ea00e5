"""What is said alike of an answer of a bundle here and of a server: as JSON, and in which colours."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol

from vision.catalog.bulk.products import Placed

STYLE: Final[Mapping[str, str]] = {
    "answered": "green",
    "unknown": "yellow",
    "novel": "yellow",
    "image_quality": "red",
}


class Why(Protocol):
    """What `vision.catalog.reasons.Reasons` and `vision.client.catalog_values.CategoryReasons` both hold."""

    @property
    def level(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def rival(self) -> str: ...
    @property
    def shares(self) -> Mapping[str, float]: ...
    @property
    def words(self) -> Sequence[tuple[str, float]]: ...
    @property
    def attributes(self) -> Sequence[tuple[str, str, float]]: ...


def placed_as_json(
    answer: Placed, levels: Sequence[Mapping[str, Any]], alternatives: Sequence[Any]
) -> dict[str, Any]:
    """All of an answer but the embedding.

    Args:
        levels: as JSON, with the names of their labels.
        alternatives: dataclasses.
    """
    return {
        "status": answer.status.value,
        "depth": answer.depth,
        "certified": answer.certified,
        "levels": list(levels),
        "alternatives": [asdict(one) for one in alternatives],
        "novelty": answer.novelty,
        "modalities": list(answer.modalities),
        "quality_faults": list(answer.quality_faults),
        "not_understood": dict(answer.not_understood),
    }


def reasons_as_json(why: Why) -> dict[str, Any]:
    """All of them but the maps, which are for `--heatmap`."""
    return {
        "level": why.level,
        "label": why.label,
        "rival": why.rival,
        "shares": dict(why.shares),
        "words": [{"word": word, "share": share} for word, share in why.words],
        "attributes": [
            {"name": name, "value": value, "share": share} for name, value, share in why.attributes
        ],
    }
