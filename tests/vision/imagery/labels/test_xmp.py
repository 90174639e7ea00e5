"""Labels in XMP: written once, read in every form that others write them in, and never by way of an entity."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.imagery.labels import xmp
from vision.imagery.labels.aigc import Aigc
from vision.imagery.labels.source import SourceType

LABEL = Aigc.of("<shop>&'co'", "a&b<c>")
TC260 = 'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"'
IPTC = 'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'


@pytest.mark.parametrize("source", SourceType)
def test_a_packet_says_what_was_written(source: SourceType) -> None:
    said = xmp.properties(xmp.packet(source, LABEL))
    assert said == [(xmp.SOURCE, source.uri), (xmp.AIGC, LABEL.to_json())]


def test_a_packet_without_the_chinese_label_has_none() -> None:
    assert xmp.properties(xmp.packet(SourceType.COMPOSITE, None)) == [(xmp.SOURCE, SourceType.COMPOSITE.uri)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"<rdf:Description {TC260} TC260:AIGC='{{}}'/>", [(xmp.AIGC, "{}")]),  # as an attribute
        (
            f"<rdf:Description {TC260}>\n<TC260:AIGC>\n {{}} </TC260:AIGC></rdf:Description>",
            [(xmp.AIGC, "{}")],
        ),
        (
            f"<rdf:Description {TC260}><TC260:AIGC><![CDATA[{{}}]]></TC260:AIGC></rdf:Description>",
            [(xmp.AIGC, "{}")],
        ),
        (
            f'<rdf:Description {IPTC}><Iptc4xmpExt:DigitalSourceType rdf:resource="uri"/></rdf:Description>',
            [(xmp.SOURCE, "uri")],
        ),
        (
            '<rdf:Description xmlns:a="http://www.tc260.org.cn/ns/AIGC/1.0/"><a:AIGC>x</a:AIGC></rdf:Description>',
            [(xmp.AIGC, "x")],
        ),
        ('<rdf:Description xmlns:TC260="http://other/"><TC260:AIGC>x</TC260:AIGC></rdf:Description>', []),
    ],
)
def test_other_ways_of_writing_are_read(body: str, said: list[tuple[str, str]]) -> None:
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}>{body}</rdf:RDF></x:xmpmeta>\0'
    assert xmp.properties(packet.encode()) == said
    assert xmp.properties(packet.rstrip("\0").encode("utf-16")) == said


def test_a_packet_with_entities_is_refused_before_they_grow() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><x>&b;</x>'
    with pytest.raises(ValueError, match="document type"):
        xmp.properties(bomb.encode())


def test_a_packet_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        xmp.properties(b"<x>" + bytes(xmp.MAX_BYTES))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(ValueError):
        assert all(name in {xmp.SOURCE, xmp.AIGC} for name, _ in xmp.properties(data))


@pytest.mark.parametrize(
    "uri",
    ["https://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia", "trainedAlgorithmicMedia"],
)
def test_a_source_type_is_known_by_its_other_spellings(uri: str) -> None:
    assert SourceType.from_uri(uri) is SourceType.TRAINED


@pytest.mark.parametrize("uri", ["", "http://other/trainedAlgorithmicMedia", "trainedalgorithmicmedia"])
def test_another_term_is_no_source_type(uri: str) -> None:
    with pytest.raises(ValueError, match="not a valid SourceType"):
        SourceType.from_uri(uri)


def test_only_what_a_trained_model_made_counts_as_made_by_ai() -> None:
    assert {source for source in SourceType if source.ai_made} == {
        SourceType.TRAINED,
        SourceType.COMPOSITE_TRAINED,
    }
