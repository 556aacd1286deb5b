"""Which adapters are shared, and how long one that nobody uses is kept: it holds a credential."""

import gc
import weakref

import httpx2
import pytest
from llm_gateway.domain.providers import ProviderCredentials, ProviderKind
from llm_gateway.ports.providers import Provider
from llm_gateway.providers.registry import ProviderRegistry

from tests.adapters.clock import FakeClock
from tests.providers.conftest import config


class Desk:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.registry = ProviderRegistry(clock=self.clock, private_addresses_allowed=True)

    def open(self, key: str = "sk-one", url: str = "http://127.0.0.1:9/v1") -> Provider:
        return self.registry.open(config(ProviderKind.LLAMA_CPP, url), ProviderCredentials(api_key=key))


def _http_of(provider: Provider) -> httpx2.Client:
    return provider.wire._posting.http  # type: ignore[attr-defined]


def test_equal_addresses_and_credentials_share_an_adapter() -> None:
    desk = Desk()
    one = desk.open()
    assert desk.open() is one
    assert desk.open("sk-two") is not one
    assert desk.open(url="http://127.0.0.1:10/v1") is not one
    assert desk.open() is one


def test_an_adapter_that_nobody_uses_is_gone_and_its_connections_with_it() -> None:
    desk = Desk()
    unused, http = weakref.ref(desk.open("sk-deleted")), _http_of(desk.open("sk-deleted"))
    used = desk.open()
    for _ in range(2):
        desk.clock.advance(301)
        assert desk.open() is used
    gc.collect()
    assert unused() is None
    assert http.is_closed
    assert not _http_of(used).is_closed


@pytest.mark.parametrize(("others", "is_kept"), [(63, True), (64, False)])
def test_the_one_that_was_used_longest_ago_makes_room(others: int, is_kept: bool) -> None:
    desk = Desk()
    desk.open("sk-older")
    first = desk.open()
    for number in range(others - 1):
        desk.open(f"sk-{number}")
    desk.open("sk-last")
    assert (desk.open() is first) is is_kept
