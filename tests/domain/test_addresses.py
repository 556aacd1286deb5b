"""Addresses of providers: what is public, what is private, and what nobody may ever call, however it is spelt."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.addresses import (
    Reach,
    fault_in_base_url,
    fault_in_image_url,
    is_at,
    may_be_called,
    reach_of,
    server_of,
)

_PUBLIC = [
    "https://api.openai.com/v1",
    "https://api.anthropic.com",
    "https://model.example.com:8443/some/path/",
    "https://8.8.8.8/v1",
    "https://[2606:4700:4700::1111]/v1",
    "https://model.example.com./v1",
    "HTTPS://MODEL.EXAMPLE.COM",
    "https://xn--mnchen-3ya.example",
    "https://metadata.example.com",
]
_PRIVATE_HOSTS = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "model.localhost",
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",
    "0",
    "192.0.2.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:7f00:1]",
    "[2002:7f00:1::]",
    "[2001:db8::1]",
    "[fec0::1]",
    "[feff::1]",
    "[ff02::1]",
    "[ff0e::1]",
    "[2001::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[100::1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b:1::8.8.8.8]",
    "[64:ff9b:1:a00:1::]",
    "[::ffff:0:10.0.0.1]",
    "[::ffff:0:8.8.8.8]",
    "[::8.8.8.8]",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "198.18.0.1",
    "192.0.0.8",
    "192.88.99.1",
]
_METADATA_HOSTS = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    "169.254.169.254.",
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "100.100.100.200",
    "metadata",
    "METADATA",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
    "instance-data",
    "instance-data.ec2.internal",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[febf::1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[0:0:0:0:0:ffff:a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[::169.254.169.254]",
    "[fd00:ec2::254]",
    "[fd00:0ec2:0:0:0:0:0:254]",
    "[fd00:ec2::23]",
    "[64:ff9b:1::169.254.169.254]",
    "[64:ff9b:1:a9fe:a9:fe00::]",
    "[64:ff9b:1:a9:fe:a9fe::]",
    "[64:ff9b:1:0:a9:fea9:fe00::]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[::ffff:0:169.254.169.254]",
    "[::ffff:0:a9fe:a9fe]",
    "[2001:0:a9fe:a9fe::]",
    "[2001::5601:5601]",
    "[2001:4860::5efe:a9fe:a9fe]",
    "[2001:4860::200:5efe:169.254.169.254]",
    "[fd20:ce::254]",
    "168.63.129.16",
    "192.0.0.192",
    "metadata.goog",
]


@pytest.mark.parametrize("url", _PUBLIC)
def test_public_addresses_are_taken(url: str) -> None:
    assert fault_in_base_url(url, private_allowed=False) is None
    assert fault_in_base_url(url, private_allowed=True) is None


@pytest.mark.parametrize("host", _PRIVATE_HOSTS)
def test_private_addresses_are_taken_only_where_they_are_allowed(host: str) -> None:
    for scheme in ("http", "https"):
        fault = fault_in_base_url(f"{scheme}://{host}:8080/v1", private_allowed=False)
        assert fault is not None
        assert "public" in fault
        assert fault_in_base_url(f"{scheme}://{host}:8080/v1", private_allowed=True) is None


@pytest.mark.parametrize("host", _METADATA_HOSTS)
@pytest.mark.holds("API7")
def test_link_local_and_metadata_addresses_are_never_taken(host: str) -> None:
    for private_allowed in (False, True):
        fault = fault_in_base_url(f"http://{host}/latest", private_allowed=private_allowed)
        assert fault == "must not be a link-local or metadata address"


@given(st.integers(0xA9FE0000, 0xA9FEFFFF), st.sampled_from(["{:d}", "{:#x}", "{:#o}"]))
@pytest.mark.holds("API7")
def test_no_spelling_of_a_link_local_address_is_taken(address: int, form: str) -> None:
    spelt = form.format(address).replace("0o", "0")
    assert fault_in_base_url(f"http://{spelt}/", private_allowed=True) is not None


def test_http_is_taken_only_where_private_addresses_are() -> None:
    assert "https" in str(fault_in_base_url("http://api.example.com", private_allowed=False))
    assert fault_in_base_url("http://api.example.com", private_allowed=True) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "api.openai.com/v1",
        "//api.openai.com",
        "https://",
        "https:///v1",
        "https:api.openai.com",
        "ftp://api.openai.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://[::1",
        "https://host:x/",
        "https://host:99999/",
        "https://user@host/",
        "https://user:password@host/",
        "https://:@host/",
        "https://host/?a=b",
        "https://host/#a",
        "https://host/v1?",
        "https://host/v1#",
        "https://exa mple.com/",
        "https://host\\@169.254.169.254/",
        "https://host\n.example.com/",
        " https://host/",
        "https://host/\x00",
    ],
)
def test_what_is_no_address_of_a_server_is_refused_with_a_way_to_mend_it(url: str) -> None:
    fault = fault_in_base_url(url, private_allowed=True)
    assert fault
    assert "password" not in fault


@given(st.text(max_size=60))
def test_no_text_makes_the_check_fail(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/v1", f"https://[{text}]/"):
        fault_in_base_url(url, private_allowed=False)


_IPV4 = st.integers(0, 2**32 - 1).map(IPv4Address)
_LINK_LOCAL = st.integers(0xA9FE0000, 0xA9FEFFFF).map(IPv4Address)


def _holding(address: IPv4Address) -> list[IPv6Address]:
    """Every notation in which an IPv6 address is an IPv4 address, or a way to one."""
    low, bits = int(address), 96
    octets = address.packed
    around_the_eighth = [
        octets[:2] + b"\0" + octets[2:] + b"\0" * 5,
        b"\0" + octets[:1] + b"\0" + octets[1:] + b"\0" * 4,
        b"\0\0\0" + octets + b"\0" * 3,
        b"\0" * 6 + octets,
    ]
    local_nat64 = bytes.fromhex("0064ff9b0001")
    return [
        *(IPv6Address(int(IPv6Address(prefix)) | low) for prefix in ("::ffff:0:0", "64:ff9b::", "::ffff:0:0:0", "::")),
        IPv6Address(int(IPv6Address("2002::")) | low << (bits - 16)),
        *(IPv6Address(local_nat64 + rest) for rest in around_the_eighth),
        IPv6Address(int(IPv6Address("2001::")) | low << (bits - 32)),
        IPv6Address(int(IPv6Address("2001::")) | (low ^ 0xFFFF_FFFF)),
        IPv6Address(int(IPv6Address("2606:4700::5efe:0:0")) | low),
        IPv6Address(int(IPv6Address("2606:4700::200:5efe:0:0")) | low),
    ]


@given(_LINK_LOCAL)
def test_a_link_local_address_is_seen_in_every_notation(address: IPv4Address) -> None:
    assert reach_of(address) is Reach.METADATA
    for notation in _holding(address):
        assert reach_of(notation) is Reach.METADATA, notation
        assert not may_be_called(str(notation), private_allowed=True)


@given(_IPV4)
def test_the_same_address_has_the_same_reach_however_it_is_written(address: IPv4Address) -> None:
    mapped, nat64, *_ = _holding(address)
    six_to_four = _holding(address)[4]
    assert reach_of(mapped) is reach_of(nat64) is reach_of(six_to_four) is reach_of(address)
    assert may_be_called(str(int(address)), private_allowed=False) == (reach_of(address) is Reach.PUBLIC)


_SPECIAL = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24"),
    *("192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4"),
    *("240.0.0.0/4", "255.255.255.255/32"),
]


@pytest.mark.parametrize("special", _SPECIAL)
def test_a_special_network_is_private_from_its_first_address_to_its_last(special: str) -> None:
    network = IPv4Network(special)
    for address in (network.network_address, network.broadcast_address):
        assert reach_of(address) in (Reach.PRIVATE, Reach.METADATA)
        assert not may_be_called(str(address), private_allowed=False)


def test_beside_the_special_networks_the_internet_begins() -> None:
    special = [IPv4Network(network) for network in [*_SPECIAL, "169.254.0.0/16"]]
    for network in special:
        for neighbour in (int(network.network_address) - 1, int(network.broadcast_address) + 1):
            if 0 <= neighbour < 2**32 and not any(IPv4Address(neighbour) in other for other in special):
                assert reach_of(IPv4Address(neighbour)) is Reach.PUBLIC, IPv4Address(neighbour)


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_ipv6_is_public_only_where_the_internet_is(address: IPv6Address) -> None:
    if reach_of(address) is Reach.PUBLIC:
        names = ("2000::/3", "::ffff:0:0/96", "64:ff9b::/96")
        assert any(address in IPv6Network(name) for name in names)


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_nothing_is_public_that_python_calls_private(address: IPv4Address | IPv6Address) -> None:
    if reach_of(address) is Reach.PUBLIC and address.version == 4:
        assert address.is_global


@pytest.mark.parametrize("address", ["not an address", "", "1.2.3.4.5", "::1::"])
def test_what_is_no_address_is_never_called(address: str) -> None:
    assert not may_be_called(address, private_allowed=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "fec0::1", "fd12::1", "ff02::1", "0.0.0.0"])
def test_what_a_name_stands_for_may_be_private_only_where_that_is_allowed(address: str) -> None:
    assert may_be_called(address, private_allowed=True)
    assert not may_be_called(address, private_allowed=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "192.31.196.1", "2a00:1450::1"])
def test_what_a_name_stands_for_may_be_public(address: str) -> None:
    assert reach_of(ip_address(address)) is Reach.PUBLIC
    assert may_be_called(address, private_allowed=False)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("a..example.com", "a dot too many"),
        (".example.com", "a dot too many"),
        ("example.com..", "a dot too many"),
        (".", "a dot too many"),
        (f"{'a' * 64}.example.com", "63 characters at most"),
        (".".join(["a" * 60] * 5), "253 characters at most"),
        ("exa%20mple.com", "a character that no name has"),
        ("exam*ple.com", "a character that no name has"),
        ("{host}", "a character that no name has"),
    ],
)
def test_a_host_that_no_resolver_takes_is_refused(host: str, said: str) -> None:
    for private_allowed in (False, True):
        assert said in str(fault_in_base_url(f"https://{host}/v1", private_allowed=private_allowed))


@pytest.mark.parametrize("host", ["a" * 63, ".".join(["a" * 62] * 4) + ".b", "my_model.example.com", "a--b.example"])
def test_a_host_may_be_as_long_as_names_are(host: str) -> None:
    assert fault_in_base_url(f"https://{host}/v1", private_allowed=False) is None
    assert fault_in_base_url(f"https://{host}./v1", private_allowed=False) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://api.openai.com/v1", "https://API.OPENAI.com:443/other", True),
        ("https://api.openai.com./v1", "https://api.openai.com/v1", True),
        ("http://host:80", "http://host", True),
        ("https://api.openai.com/v1", "http://api.openai.com/v1", False),
        ("https://api.openai.com/v1", "https://api.openai.com:8443/v1", False),
        ("https://api.openai.com/v1", "https://api.openai.com.example/v1", False),
        ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1", False),
    ],
)
def test_a_server_is_a_scheme_a_host_and_a_port(one: str, other: str, same: bool) -> None:
    assert (server_of(one) == server_of(other)) == same


@pytest.mark.parametrize("url", ["https://example.com/a.png?size=1&x=%20#top", "https://8.8.8.8/a.png"])
def test_an_image_may_be_anywhere_on_the_internet(url: str) -> None:
    assert fault_in_image_url(url, private_allowed=False) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/a.png", "https://"),
        ("ftp://example.com/a.png", "https://"),
        ("https://exa mple.com/a.png", "without spaces"),
        ("https://example.com/a.png\r\nX-A: b", "ASCII"),
        ("https://example.com/\u00e4.png", "ASCII"),
        ("https://user:password@example.com/a.png", "must not carry credentials"),
        ("https://169.254.169.254/latest", "metadata"),
        ("https://[::ffff:a9fe:a9fe]/latest", "metadata"),
        ("https://a..b/c.png", "a dot too many"),
    ],
)
def test_an_image_that_nobody_should_load_is_refused(url: str, said: str) -> None:
    for private_allowed in (False, True):
        assert said in str(fault_in_image_url(url, private_allowed=private_allowed))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.0.0.1", "[fec0::1]"])
def test_a_private_image_is_loaded_where_private_addresses_are_allowed(host: str) -> None:
    assert fault_in_image_url(f"https://{host}/a.png", private_allowed=True) is None
    assert "public" in str(fault_in_image_url(f"https://{host}/a.png", private_allowed=False))


@pytest.mark.parametrize(
    ("url", "own", "same"),
    [
        ("http://model.gateway.internal:8080/v1", "http://model.gateway.internal:8080/v1", True),
        ("http://MODEL.gateway.internal.:8080/", "http://model.gateway.internal:8080/v1", True),
        ("http://model.gateway.internal:8081/v1", "http://model.gateway.internal:8080/v1", False),
        ("https://model.gateway.internal:8080/v1", "http://model.gateway.internal:8080/v1", False),
        ("http://database.gateway.internal:8080/v1", "http://model.gateway.internal:8080/v1", False),
        ("http://[broken", "http://model.gateway.internal:8080/v1", False),
        ("https://example.com", "", False),
    ],
)
def test_a_url_is_at_ones_own_server_or_it_is_not(url: str, own: str, same: bool) -> None:
    assert is_at(url, own) == same
