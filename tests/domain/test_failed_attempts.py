"""By what address failures are counted."""

import pytest
from llm_gateway.domain.failed_attempts import origin_of


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", None),
        (None, None),
        ("testclient", None),
        ("203.0.113.9, 10.0.0.1", None),
    ],
)
def test_an_ipv6_address_counts_as_its_network(address: str | None, origin: str | None) -> None:
    assert origin_of(address) == origin
