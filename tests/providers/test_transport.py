"""Connections: what may be dialled, and by what they are secured. Resolving an address that is written out asks nobody."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from llm_gateway.domain.faults import ProviderAuthFailed, ProviderUnreachable
from llm_gateway.domain.providers import ProviderCredentials, ProviderKind, Timeouts
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.providers.transport import _ssl_context, callable_addresses

from tests.adapters.certificates import self_signed
from tests.adapters.upstream import ScriptedUpstream
from tests.providers.conftest import asking, config

METADATA = [
    "169.254.169.254",
    "fe80::1",
    "::ffff:169.254.169.254",
    "fd00:ec2::254",
    "100.100.100.200",
    "2002:a9fe:a9fe::",
]


@pytest.mark.parametrize("address", METADATA)
@pytest.mark.parametrize("private_allowed", [False, True])
def test_a_metadata_service_is_no_address_to_call(address: str, private_allowed: bool) -> None:
    assert callable_addresses(address, 80, private_allowed=private_allowed) == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.7", "fec0::1"])
def test_private_addresses_are_called_where_they_are_allowed(address: str) -> None:
    assert callable_addresses(address, 80, private_allowed=True) == [address]
    assert callable_addresses(address, 80, private_allowed=False) == []


def test_public_addresses_are_called() -> None:
    assert callable_addresses("93.184.216.34", 80, private_allowed=False) == ["93.184.216.34"]


def test_a_name_that_stands_for_a_private_address_is_not_connected_to(
    upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name passes where a provider is registered: only when it is called does it show where it leads."""
    url = upstream.openai_base_url.replace("127.0.0.1", "db.internal.example")
    resolved = socket.getaddrinfo

    def resolve(host: str, *arguments: object, **named: object) -> list:
        return resolved("127.0.0.1" if host == "db.internal.example" else host, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for allowed in (False, True):
        registry = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=allowed)
        provider = registry.open(config(ProviderKind.OPENAI_COMPATIBLE, url), None)
        if allowed:
            assert provider.complete(asking(), timeouts=Timeouts()).text
        else:
            with pytest.raises(ProviderUnreachable):
                provider.complete(asking(), timeouts=Timeouts())
        assert bool(upstream.requests) == allowed


def test_the_deployments_own_model_may_have_a_private_address(upstream: ScriptedUpstream) -> None:
    registry = ProviderRegistry(
        clock=SystemClock(), private_addresses_allowed=False, own_model_url=upstream.openai_base_url
    )
    provider = registry.open(config(ProviderKind.LLAMA_CPP, upstream.openai_base_url), None)
    assert provider.complete(asking(), timeouts=Timeouts()).text


def test_a_name_that_has_come_to_mean_a_metadata_service_is_not_called(
    registry: ProviderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: object, **__: object) -> list:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in METADATA]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("it was called"))
    provider = registry.open(config(ProviderKind.OPENAI_COMPATIBLE, "http://rebound.example/v1"), None)

    with pytest.raises(ProviderUnreachable):
        provider.complete(asking(), timeouts=Timeouts())


def test_proxies_of_the_environment_are_not_used(subject, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    fresh = subject.open("sk-never-seen-before")

    assert fresh.complete(asking(), timeouts=Timeouts()).text == "Hello there."


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


@pytest.fixture
def secured(certificate: Path) -> Iterator[ScriptedUpstream]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ScriptedUpstream(tls=context) as upstream:
        yield upstream


@pytest.fixture
def _certificates_read_anew() -> Iterator[None]:
    _ssl_context.cache_clear()
    yield
    _ssl_context.cache_clear()


@pytest.mark.usefixtures("_certificates_read_anew")
def test_speaks_tls_to_whom_it_trusts(
    secured: ScriptedUpstream, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    provider = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True).open(
        config(ProviderKind.OPENAI_COMPATIBLE, secured.openai_base_url), None
    )

    whole = provider.complete(asking(), timeouts=Timeouts())
    *_, last = provider.stream(asking(), timeouts=Timeouts())

    assert last == whole
    assert len({request.connection for request in secured.requests}) == 1


@pytest.mark.usefixtures("_certificates_read_anew")
def test_speaks_to_nobody_else(secured: ScriptedUpstream) -> None:
    provider = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True).open(
        config(ProviderKind.OPENAI_COMPATIBLE, secured.openai_base_url), None
    )

    with pytest.raises(ProviderUnreachable):
        provider.complete(asking(), timeouts=Timeouts())
    assert secured.requests == []


def test_a_key_that_was_given_for_another_server_is_not_sent(
    registry: ProviderRegistry, upstream: ScriptedUpstream
) -> None:
    """While a provider moves, its new address is known a moment before its new key."""
    moved = config(ProviderKind.OPENAI_COMPATIBLE, upstream.openai_base_url)
    elsewhere = ProviderCredentials(api_key="sk-of-another-server", given_for="openai https://api.openai.com:443")
    with pytest.raises(ProviderAuthFailed, match="another kind or address"):
        registry.open(moved, elsewhere)
    registry.open(moved, ProviderCredentials(api_key="sk-own", given_for=moved.server)).complete(
        asking(), timeouts=Timeouts()
    )
    assert [request.headers["authorization"] for request in upstream.requests] == ["Bearer sk-own"]
