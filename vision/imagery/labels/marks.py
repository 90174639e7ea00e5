"""What a file says of its synthetic content, label by label, and whether that is what it is to say."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from pydantic import JsonValue

from vision.imagery.labels.aigc import Aigc
from vision.imagery.labels.corner import Label
from vision.imagery.labels.policy import Labels
from vision.imagery.labels.source import SourceType


class Carrier(StrEnum):
    """Where in a file a label stands."""

    XMP = "xmp"
    PNG_TEXT = "png text"
    EXIF_COMMENT = "exif comment"
    PICTURE = "picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """What stands where a label is expected and is none.

    Attributes:
        why: what is wrong with it.
        synthetic: whether it was to say that content is synthetic, as far as that can be told.
    """

    why: str
    synthetic: bool


Said: TypeAlias = SourceType | Aigc | Label | Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One label in one carrier."""

    carrier: Carrier
    said: Said

    def line(self) -> str:
        """In words."""
        if isinstance(self.said, Label):
            drawn = f"{', '.join(self.said.languages)}, {self.said.place}, letters of {self.said.letters_px:.0f} px"
            return f"{self.carrier}: explicit label: {drawn}"
        if isinstance(self.said, Aigc):
            return f"{self.carrier}: AIGC: {self.said.to_json()}"
        if isinstance(self.said, Unreadable):
            return f"{self.carrier}: cannot be read: {self.said.why}"
        return f"{self.carrier}: digital source type: {self.said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All labels of a file."""

    marks: tuple[Mark, ...]

    @property
    def source(self) -> SourceType | None:
        return next((said for said in self._said() if isinstance(said, SourceType)), None)

    @property
    def aigc(self) -> Aigc | None:
        return next((said for said in self._said() if isinstance(said, Aigc)), None)

    @property
    def explicit(self) -> Label | None:
        return next((said for said in self._said() if isinstance(said, Label)), None)

    @property
    def synthetic(self) -> bool:
        """Whether any label says that content is, or may be, synthetic; an AIGC label that cannot be read is taken to say so."""
        return any(_synthetic(said) for said in self._said())

    @property
    def problems(self) -> tuple[str, ...]:
        """Labels that cannot be read, and carriers that contradict each other."""
        told = [mark.line() for mark in self.marks if isinstance(mark.said, Unreadable)]
        for kind in (SourceType, Aigc):
            different = {mark.said: mark.line() for mark in self.marks if isinstance(mark.said, kind)}
            if len(different) > 1:
                told.append(f"labels contradict each other: {'; '.join(different.values())}")
        return tuple(told)

    def lacking(self, wanted: Labels) -> tuple[str, ...]:
        """What an image is to carry and does not."""
        missing = []
        if self.source != wanted.source:
            missing.append(f"digital source type: expected {wanted.source}, found {self.source or 'none'}")
        if wanted.aigc and self.aigc != wanted.aigc:
            found = self.aigc.to_json() if self.aigc else "none"
            missing.append(f"AIGC: expected {wanted.aigc.to_json()}, found {found}")
        drawn = self.explicit.languages if self.explicit else ()
        if wanted.explicit and drawn != wanted.explicit:
            missing.append(
                f"explicit label: expected {', '.join(wanted.explicit)}, found {', '.join(drawn) or 'none'}"
            )
        return tuple(missing)

    def value(self) -> dict[str, JsonValue]:
        """As JSON."""
        return {
            "digital_source_type": self.source.uri if self.source else None,
            "aigc": self.aigc.model_dump(mode="json", by_alias=True) if self.aigc else None,
            "explicit": [str(language) for language in self.explicit.languages] if self.explicit else [],
            "marks": [mark.line() for mark in self.marks],
            "problems": list(self.problems),
        }

    def _said(self) -> Iterator[Said]:
        return (mark.said for mark in self.marks)


def _synthetic(said: Said) -> bool:
    if isinstance(said, SourceType):
        return said.ai_made
    return said.synthetic if isinstance(said, Unreadable) else True
