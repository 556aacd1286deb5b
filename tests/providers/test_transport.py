"""Connections: what may be dialled, and by what they are secured. Resolving an address that is written out asks nobody."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from llm_gateway.domain.chat import TextDelta
from llm_gateway.domain.faults import ProviderAuthFailed, ProviderNotConnected, ProviderUnreachable
from llm_gateway.domain.providers import ProviderCredentials, ProviderKind, Timeouts
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.providers.transport import _shares, _ssl_context, callable_addresses

from tests.adapters.certificates import self_signed
from tests.adapters.upstream import Answer, ScriptedUpstream, StreamFault
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


@contextmanager
def _says_nothing(address: str, port: int) -> Iterator[None]:
    """An address whose host lets a connection wait, as one behind a firewall does."""
    with ExitStack() as sockets:
        full = sockets.enter_context(socket.socket())
        full.bind((address, port))
        full.listen(0)
        for _ in range(2):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield


def _named(monkeypatch: pytest.MonkeyPatch, name: str, addresses: list[str]) -> None:
    resolved = socket.getaddrinfo

    def resolve(host: str, port: int, *arguments: object, **named: object) -> list:
        if host != name:
            return resolved(host, port, *arguments, **named)  # type: ignore[arg-type]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.parametrize("silent", [("127.0.0.2",), ("127.0.0.2", "127.0.0.3")])
def test_an_address_that_says_nothing_leaves_time_for_the_next(
    registry: ProviderRegistry, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch, silent: tuple[str, ...]
) -> None:
    """As where a name has an IPv6 address that no packet reaches."""
    _named(monkeypatch, "half.dead.example", [*silent, "127.0.0.1"])
    url = upstream.openai_base_url.replace("127.0.0.1", "half.dead.example")
    provider = registry.open(config(ProviderKind.OPENAI_COMPATIBLE, url), None)
    with ExitStack() as hosts:
        for address in silent:
            hosts.enter_context(_says_nothing(address, int(url.split(":")[2].split("/")[0])))
        assert provider.complete(asking(), timeouts=Timeouts(connect_s=1.5, total_s=10)).text


def test_addresses_that_all_say_nothing_are_no_connection(
    registry: ProviderRegistry, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(upstream.url.split(":")[2])
    _named(monkeypatch, "dead.example", ["127.0.0.2", "127.0.0.3"])
    provider = registry.open(config(ProviderKind.OPENAI_COMPATIBLE, f"http://dead.example:{port}/v1"), None)
    with (
        _says_nothing("127.0.0.2", port),
        _says_nothing("127.0.0.3", port),
        pytest.raises(ProviderNotConnected) as raised,
    ):
        provider.complete(asking(), timeouts=Timeouts(connect_s=0.2, total_s=10))
    assert raised.value.detail == "No connection to the provider could be made within 0.2 s (connect_s)."


def test_the_time_that_an_address_leaves_is_the_others() -> None:
    assert list(_shares(None, 2)) == [None, None]
    assert list(_shares(5.0, 0)) == []
    hasty = list(_shares(6.0, 3))
    assert [round(share or 0, 1) for share in hasty] == [2.0, 3.0, 6.0]
    assert all(share is not None and share > 0 for share in _shares(0.0, 3))


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


def test_one_provider_streams_to_hundreds_at_once(registry: ProviderRegistry, upstream: ScriptedUpstream) -> None:
    upstream.otherwise = Answer(fault=StreamFault(kind="stall", after=1, lasting_s=20))
    provider = registry.open(config(ProviderKind.OPENAI_COMPATIBLE, upstream.openai_base_url), None)
    streams = [
        provider.stream(asking(), timeouts=Timeouts(connect_s=2, first_token_s=20, total_s=20)) for _ in range(150)
    ]
    assert {next(stream) for stream in streams} == {TextDelta(text="Hello")}
    assert len({request.connection for request in upstream.requests}) == len(streams)
    for stream in streams:
        stream.close()


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
