"""Failed authentication by address: how many are answered as such before the address is told to wait."""

import ipaddress
from typing import Final

from llm_gateway.domain.limits import Limit

FAILURES: Final = Limit.of(30, burst=20)
"""Of one address: 20 at once, never more than 30 in any 60 s."""

_IPV6_NETWORK: Final = 64  # What one customer of a network provider has, at the least.


def origin_of(address: str | None) -> str | None:
    """By what failures from `address` are counted: an IPv4 address, or the network of an IPv6 one. None for anything else."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip), _IPV6_NETWORK), strict=False))
