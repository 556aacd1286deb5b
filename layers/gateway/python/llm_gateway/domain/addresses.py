"""Which addresses may be called: never the cloud's metadata, private ones only where a deployment allows them.

One rule serves an address that is written out and one that a name stands for. Its networks are IANA's registries of special
addresses (RFC 6890 and its updates, read in November 2026), because Python's own tables differ between its versions.
"""

import re
import socket
from collections.abc import Iterator
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

_Address = IPv4Address | IPv6Address


class Reach(StrEnum):
    """Who answers at an address: anybody on the internet, a host nearby, or the machine's own cloud."""

    PUBLIC = "public"
    PRIVATE = "private"
    METADATA = "metadata"


_METADATA_HOSTS: Final = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
_METADATA: Final[tuple[IPv4Network | IPv6Network, ...]] = (
    # Link-local: every large cloud's metadata service is at 169.254.169.254.
    *map(IPv4Network, ("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32")),
    *map(IPv6Network, ("fe80::/10", "fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128", "fd00:42::42/128")),
)
_PRIVATE_IPV4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
# All of today's internet; loopback, unique local, site-local, multicast and translated addresses lie outside.
_INTERNET_IPV6: Final = IPv6Network("2000::/3")
_PRIVATE_IPV6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
# An address in one of these is the IPv4 address that its bits from here on hold: IPv4-mapped, NAT64, 6to4.
_IPV4_BY_ANOTHER_NAME: Final = (
    (IPv6Network("::ffff:0:0/96"), 96),
    (IPv6Network("64:ff9b::/96"), 96),
    (IPv6Network("2002::/16"), 16),
)
_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
_TEREDO: Final = IPv6Network("2001::/32")
_ENDING_IN_IPV4: Final = (IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"))
_ISATAP: Final = frozenset({0x5EFE, 0x0200_5EFE})

_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_LONGEST_LABEL: Final = 63
_LONGEST_HOST: Final = 253


def reach_of(address: _Address) -> Reach:
    """What `address` leads to, whatever family and notation it hides in."""
    if any(_is_metadata(each) for each in (address, *_hidden_in(address))):
        return Reach.METADATA
    plain = _plain(address)
    if isinstance(plain, IPv4Address):
        private = any(plain in network for network in _PRIVATE_IPV4)
    else:
        private = plain not in _INTERNET_IPV6 or any(plain in network for network in _PRIVATE_IPV6)
    return Reach.PRIVATE if private else Reach.PUBLIC


def may_be_called(address: str, *, private_allowed: bool) -> bool:
    """Whether `address`, which a name stands for, may be connected to. What is no address is never called."""
    literal = _literal(address)
    return literal is not None and _is_open(reach_of(literal), private_allowed=private_allowed)


def fault_in_base_url(url: str, *, private_allowed: bool) -> str | None:
    """What is wrong with `url` as a provider's address, as a sentence that says how to mend it; None where nothing is."""
    parts = _parts(url)
    if isinstance(parts, str):
        return parts
    if parts.username is not None or parts.password is not None:
        return "must not carry credentials: put them into credentials.api_key"
    if "?" in url or "#" in url:
        return "must not have a query or a fragment"
    return _fault_in_host(parts, private_allowed) or _fault_in_scheme(parts.scheme, private_allowed)


def fault_in_image_url(url: str, *, private_allowed: bool) -> str | None:
    """What is wrong with `url` as an address from which a provider loads an image, as a sentence; None where nothing is."""
    parts = _parts(url)
    if isinstance(parts, str):
        return parts
    if parts.scheme != "https":
        return "must start with https://"
    if parts.username is not None or parts.password is not None:
        return "must not carry credentials"
    return _fault_in_host(parts, private_allowed)


def server_of(url: str) -> str:
    """Scheme, host and port of a base URL, alike for all its spellings: `https://api.openai.com:443`."""
    parts = urlsplit(url)
    standard = {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{(parts.hostname or '').removesuffix('.')}:{parts.port or standard}"


def is_at(url: str, own_url: str) -> bool:
    """Whether `url` leads to the server of `own_url`; nothing does where that is empty."""
    return bool(own_url) and not isinstance(_parts(url), str) and server_of(url) == server_of(own_url)


def _parts(url: str) -> SplitResult | str:
    """The parts of an http address, or what is wrong with it."""
    # Parsers drop or map other characters, each in its own way: what was checked must be what is called.
    if not (url.isascii() and url.isprintable()) or " " in url:
        return "must be ASCII without spaces: write a name as xn--…, a path with %XX"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL: write it as https://host/path"
    if parts.scheme not in ("http", "https") or not host:
        return "must start with https:// and name a host"
    return parts


def _fault_in_scheme(scheme: str, private_allowed: bool) -> str | None:
    return None if scheme == "https" or private_allowed else "must use https: this deployment does not allow http"


def _fault_in_host(parts: SplitResult, private_allowed: bool) -> str | None:
    host = (parts.hostname or "").lower()
    address = _literal(host.removesuffix("."))
    if address is None and (fault := _fault_in_name(host)):
        return fault
    reach = _reach_of_name(host.removesuffix(".")) if address is None else reach_of(address)
    if reach is Reach.METADATA:
        return "must not be a link-local or metadata address"
    if not _is_open(reach, private_allowed=private_allowed):
        return "must be a public address: this deployment does not allow private ones"
    return None


def _fault_in_name(host: str) -> str | None:
    """What keeps any resolver from taking `host`."""
    labels = host.removesuffix(".").split(".")
    if "" in labels:
        return "has a host with an empty part: there is a dot too many"
    if any(len(label) > _LONGEST_LABEL for label in labels):
        return f"has a host with a part that is too long: {_LONGEST_LABEL} characters at most between two dots"
    if len(host.removesuffix(".")) > _LONGEST_HOST:
        return f"has a host that is too long: {_LONGEST_HOST} characters at most"
    return None if _HOST.fullmatch(host) else "has a host with a character that no name has: a-z, 0-9, - and . are left"


def _reach_of_name(host: str) -> Reach:
    """What a name tells by itself; where else it leads shows when it is called."""
    if host in _METADATA_HOSTS:
        return Reach.METADATA
    return Reach.PRIVATE if host == "localhost" or host.endswith(".localhost") else Reach.PUBLIC


def _is_open(reach: Reach, *, private_allowed: bool) -> bool:
    return reach is Reach.PUBLIC or (private_allowed and reach is Reach.PRIVATE)


def _literal(host: str) -> _Address | None:
    """The address that `host` spells, in any form that a resolver takes (`0x7f.1`, `2852039166`); None for a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeEncodeError, ValueError):
        return None


def _is_metadata(address: _Address) -> bool:
    return any(address in network for network in _METADATA)


def _plain(address: _Address) -> _Address:
    """The IPv4 address that `address` is by another name, or itself."""
    if isinstance(address, IPv6Address):
        for network, bits in _IPV4_BY_ANOTHER_NAME:
            if address in network:
                return _ipv4_at(address, bits)
    return address


def _hidden_in(address: _Address) -> Iterator[IPv4Address]:
    """Every IPv4 address that a translator or a tunnel could read in `address`."""
    if not isinstance(address, IPv6Address):
        return
    plain = _plain(address)
    if isinstance(plain, IPv4Address):
        yield plain
    if any(address in network for network in _ENDING_IN_IPV4) or _interface(address) in _ISATAP:
        yield _ipv4_at(address, 96)
    if address in _TEREDO:
        yield _ipv4_at(address, 32)
        yield IPv4Address(int(_ipv4_at(address, 96)) ^ 0xFFFF_FFFF)
    if address in _LOCAL_NAT64:
        yield from _translated(address)


def _translated(address: IPv6Address) -> Iterator[IPv4Address]:
    """RFC 6052: after a prefix of 48, 56, 64 or 96 bits, around the eighth octet, which is skipped."""
    octets = address.packed
    yield IPv4Address(octets[6:8] + octets[9:11])
    yield IPv4Address(octets[7:8] + octets[9:12])
    yield IPv4Address(octets[9:13])
    yield IPv4Address(octets[12:16])


def _interface(address: IPv6Address) -> int:
    return int(address) >> 32 & 0xFFFF_FFFF


def _ipv4_at(address: IPv6Address, bits: int) -> IPv4Address:
    return IPv4Address(int(address) >> (96 - bits) & 0xFFFF_FFFF)
