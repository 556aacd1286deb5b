"""Which addresses a provider may have: never the cloud's metadata, private ones only where a deployment allows them."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

_METADATA_HOSTS: Final = frozenset(
    {"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"}
)
_METADATA_ADDRESSES: Final = frozenset(
    {ip_address("fd00:ec2::254"), ip_address("fd00:ec2::23"), ip_address("100.100.100.200")}
)
_HOLDING_IPV4: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))


def fault_in_base_url(url: str, *, private_allowed: bool) -> str | None:
    """What is wrong with `url` as a provider's address, as a sentence that says how to mend it; None where nothing is."""
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
    if parts.username is not None or parts.password is not None:
        return "must not carry credentials: put them into credentials.api_key"
    if "?" in url or "#" in url:
        return "must not have a query or a fragment"
    return _fault_in_host(host.rstrip(".").lower(), private_allowed) or _fault_in_scheme(parts.scheme, private_allowed)


def is_metadata_address(address: str) -> bool:
    """Whether `address`, which a name was resolved to, is link-local or a cloud's metadata: never called, whatever the name."""
    literal = _literal(address)
    return literal is None or _is_metadata(literal)


def _fault_in_scheme(scheme: str, private_allowed: bool) -> str | None:
    return None if scheme == "https" or private_allowed else "must use https: this deployment does not allow http"


def _fault_in_host(host: str, private_allowed: bool) -> str | None:
    address = _literal(host)
    if host in _METADATA_HOSTS or (address is not None and _is_metadata(address)):
        return "must not be a link-local or metadata address"
    private = host == "localhost" or host.endswith(".localhost") or (address is not None and not address.is_global)
    if private and not private_allowed:
        return "must be a public address: this deployment does not allow private ones"
    return None


def _is_metadata(address: IPv4Address | IPv6Address) -> bool:
    return address.is_link_local or address in _METADATA_ADDRESSES


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that `host` spells, in any form that a resolver takes (`0x7f.1`, `2852039166`); None for a name."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address.sixtofour or _translated(address) or address
    return address


def _translated(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that NAT64, or the old compatible form, writes into the end of this one."""
    if any(address in network for network in _HOLDING_IPV4):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
