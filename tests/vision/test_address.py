"""An address is read as it is written, and only what this machine alone can reach counts as loopback."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.address import Address
from vision.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:50051", True),
        ("127.8.9.1:1", True),  # all of 127/8
        ("localhost:0", True),
        ("LOCALHOST:80", True),
        ("[::1]:50051", True),
        ("[::ffff:127.0.0.1]:50051", True),  # IPv4 in IPv6
        ("unix:/run/loupe.sock", True),
        ("unix:loupe.sock", True),
        ("0.0.0.0:50051", False),
        (":50051", False),  # every interface, as an empty host says
        ("[::]:50051", False),
        ("192.168.1.7:50051", False),
        ("10.0.0.1:50051", False),
        ("[fe80::1]:50051", False),
        ("[::ffff:10.0.0.1]:50051", False),
        ("line-7.factory.example:50051", False),
        ("localhost.example.org:50051", False),
        ("127.0.0.1.example.org:50051", False),
        ("127.1:50051", False),  # a short form that resolvers differ on
        ("2130706433:50051", False),
    ],
)
def test_only_what_this_machine_alone_can_reach_is_loopback(text: str, loopback: bool) -> None:
    address = Address.parse(text)
    assert address.loopback is loopback
    assert str(address) == text


@pytest.mark.parametrize("text", ["unix:///run/loupe.sock", "unix:/run/loupe.sock"])
def test_both_spellings_of_an_absolute_socket_are_read(text: str) -> None:
    assert str(Address.parse(text)) == "unix:/run/loupe.sock"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "50051",
        "localhost",
        "localhost:",
        "localhost:http",
        "localhost:65536",
        "localhost:-1",
        "local host:80",
        "::1:50051",  # which colon is the port's?
        "[::1]",
        "[localhost]:80",
        "[::1:80",
        "http://localhost:80",
        "user@localhost/x:80",
        "localhost:80\n",
        "localhost:\N{ARABIC-INDIC DIGIT EIGHT}0",
        "unix:",
        "unix://run/loupe.sock",  # a host where none can be
        "unix:/run/\0",
    ],
)
def test_anything_else_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(SettingsError, match=r"expected host:port, \[::1\]:port or unix:PATH, found"):
        Address.parse(text)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_every_ip_address_is_read_back_as_written(host: object, port: int) -> None:
    address = Address(host=str(host), port=port)
    assert Address.parse(str(address)) == address
