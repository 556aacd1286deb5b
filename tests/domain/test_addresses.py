"""Addresses of providers: what is public, what is private, and what nobody may ever call, however it is spelt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.addresses import fault_in_base_url, is_metadata_address

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
def test_link_local_and_metadata_addresses_are_never_taken(host: str) -> None:
    for private_allowed in (False, True):
        fault = fault_in_base_url(f"http://{host}/latest", private_allowed=private_allowed)
        assert fault == "must not be a link-local or metadata address"


@given(st.integers(0xA9FE0000, 0xA9FEFFFF), st.sampled_from(["{:d}", "{:#x}", "{:#o}"]))
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


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254", "not an address"]
)
def test_what_a_name_resolved_to_is_never_metadata(address: str) -> None:
    assert is_metadata_address(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "8.8.8.8", "::1", "2606:4700:4700::1111"])
def test_what_a_name_resolved_to_may_be_private(address: str) -> None:
    assert not is_metadata_address(address)
