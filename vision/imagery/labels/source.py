"""Where an image comes from, in the words of the IPTC's vocabulary `digitalsourcetype`."""

from enum import StrEnum
from typing import Final, Self

_SCHEME: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class SourceType(StrEnum):
    """All terms of the vocabulary, retired ones last (https://cv.iptc.org/newscodes/digitalsourcetype/)."""

    DIGITAL_CAPTURE = "digitalCapture"
    COMPUTATIONAL_CAPTURE = "computationalCapture"
    NEGATIVE_FILM = "negativeFilm"
    POSITIVE_FILM = "positiveFilm"
    PRINT = "print"
    HUMAN_EDITS = "humanEdits"
    COMPOSITE_TRAINED = "compositeWithTrainedAlgorithmicMedia"  # with what a trained model made
    ALGORITHMICALLY_ENHANCED = "algorithmicallyEnhanced"
    DIGITAL_CREATION = "digitalCreation"
    DATA_DRIVEN = "dataDrivenMedia"
    TRAINED = "trainedAlgorithmicMedia"  # by a trained model
    ALGORITHMIC = "algorithmicMedia"  # by a formula that learned from no data
    SCREEN_CAPTURE = "screenCapture"
    VIRTUAL_RECORDING = "virtualRecording"
    COMPOSITE = "composite"  # of several elements, generated or not
    COMPOSITE_CAPTURE = "compositeCapture"  # of elements that are all captures of real life
    COMPOSITE_SYNTHETIC = "compositeSynthetic"  # of elements of which at least one is synthetic
    MINOR_HUMAN_EDITS = "minorHumanEdits"
    DIGITAL_ART = "digitalArt"
    SOFTWARE_IMAGE = "softwareImage"

    @property
    def uri(self) -> str:
        """As it stands in metadata and in content credentials."""
        return _SCHEME + self.value

    @property
    def ai_made(self) -> bool:
        """Whether the term says that a trained model made the image or a part of it."""
        return self in {SourceType.COMPOSITE_TRAINED, SourceType.TRAINED}

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The term that a URI, or its last part alone, names; `https` is read like `http`.

        Raises:
            ValueError: it names none of these.
        """
        return cls(uri.strip().replace("https:", "http:", 1).removeprefix(_SCHEME))
