"""A port that is taken is not a reason to fail."""

import socket

import pytest

from local_aws.ports import LOOPBACK, free_port


@pytest.mark.parametrize("address", [LOOPBACK, "0.0.0.0"])
def test_goes_elsewhere_when_the_port_is_taken(address: str) -> None:
    with socket.create_server((address, 0)) as listener:
        taken = listener.getsockname()[1]
        port = free_port(taken)
    assert port != taken
    assert port > 0


def test_takes_the_preferred_port_when_it_is_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
    assert free_port(port) == port
