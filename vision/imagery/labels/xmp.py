"""The XMP packet of a labelled image (ISO 16684-1), and what another's packet says of the two properties that are labels."""

from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape

from vision.imagery.labels.aigc import Aigc
from vision.imagery.labels.source import SourceType

MAX_BYTES: Final = 1 << 20
_IPTC: Final = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_TC260: Final = "http://www.tc260.org.cn/ns/AIGC/1.0/"
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
# as expat joins them
SOURCE: Final = f"{_IPTC} DigitalSourceType"
AIGC: Final = f"{_TC260} AIGC"
_RESOURCE: Final = f"{_RDF} resource"


def packet(source: SourceType, aigc: Aigc | None) -> bytes:
    """UTF-8, read-only, the same bytes for the same labels."""
    label = f"<TC260:AIGC>{escape(aigc.to_json())}</TC260:AIGC>" if aigc else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_IPTC}" xmlns:TC260="{_TC260}">'
        f"<Iptc4xmpExt:DigitalSourceType>{source.uri}</Iptc4xmpExt:DigitalSourceType>{label}"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def properties(data: bytes) -> list[tuple[str, str]]:
    """Name (`SOURCE` or `AIGC`) and text of every label in a packet, written as element or as attribute.

    Raises:
        ValueError: larger than `MAX_BYTES`, no well-formed XML, or with a document type, which XMP has no use for and an attacker has.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"expected at most {MAX_BYTES} bytes of XMP, found {len(data)}")
    found: list[tuple[str, str]] = []
    open_text: list[str] | None = None

    def started(name: str, attributes: dict[str, str]) -> None:
        nonlocal open_text
        found.extend((key, value) for key, value in attributes.items() if key in {SOURCE, AIGC})
        if name in {SOURCE, AIGC}:
            open_text = [attributes.get(_RESOURCE, "")]

    def ended(name: str) -> None:
        nonlocal open_text
        if name in {SOURCE, AIGC} and open_text is not None:
            found.append((name, "".join(open_text).strip()))
            open_text = None

    def text(characters: str) -> None:
        if open_text is not None:
            open_text.append(characters)

    def refused(*_: object) -> None:
        raise ValueError("expected XMP without a document type, found one")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = started, ended
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refused
    try:
        parser.Parse(data if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else data.rstrip(b"\0"), True)  # noqa: FBT003  (expat's)
    except expat.ExpatError as error:
        raise ValueError(f"expected well-formed XML: {error}") from error
    return found
