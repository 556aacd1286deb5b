"""What a fault says: why there was no connection, which limit struck, and the provider's own message where it has one."""

import socket
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderFault,
    ProviderNotConnected,
    ProviderRefused,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.errors import ContextWindowExceeded, GatewayError
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers import untrusted
from llm_gateway.providers.registry import ProviderRegistry

from tests.adapters.certificates import self_signed
from tests.adapters.upstream import Answer, Raw, Refusal, ScriptedUpstream, StreamFault
from tests.providers.conftest import API_KEY, Subject, asking, config

TIMEOUTS = Timeouts(connect_s=2, first_token_s=5, total_s=10)


def failing(provider, timeouts: Timeouts = TIMEOUTS, *, streamed: bool = False) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        list(provider.stream(asking(), timeouts=timeouts)) if streamed else provider.complete(
            asking(), timeouts=timeouts
        )
    return caught.value


def at(registry: ProviderRegistry, base_url: str):
    return registry.open(config(ProviderKind.OPENAI_COMPATIBLE, base_url), None)


# --- Connections


def test_a_port_at_which_nobody_listens(registry: ProviderRegistry) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        fault = failing(at(registry, f"http://127.0.0.1:{closed.getsockname()[1]}/v1"))

    assert type(fault) is ProviderNotConnected
    assert fault.detail == "No connection to the provider could be made: its host refuses connections at that port."


def test_a_name_that_nobody_knows(registry: ProviderRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> list:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    fault = failing(at(registry, "http://nowhere.example/v1"))

    assert type(fault) is ProviderNotConnected
    assert fault.detail.endswith("its host's name is unknown.")


@pytest.mark.holds("API7", "API10")
def test_an_address_that_may_not_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def private(*_: object, **__: object) -> list:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", private)
    registry = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=False)

    assert "may not be called" in failing(at(registry, "https://inside.example/v1")).detail


@pytest.mark.holds("API10")
def test_a_certificate_that_is_not_trusted(registry: ProviderRegistry, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    with ScriptedUpstream(tls=context) as upstream:
        fault = failing(at(registry, upstream.openai_base_url))

    assert isinstance(fault, ProviderUnreachable)
    assert fault.detail.endswith("its TLS certificate is not trusted.")


def test_tls_where_none_is_spoken(registry: ProviderRegistry, upstream: ScriptedUpstream) -> None:
    fault = failing(at(registry, upstream.openai_base_url.replace("http:", "https:")))

    assert fault.detail.endswith("TLS could not be agreed on.")


def test_a_host_that_takes_no_connection_in_time(registry: ProviderRegistry) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(2)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        provider = at(registry, f"http://127.0.0.1:{full.getsockname()[1]}/v1")

        fault = failing(provider, Timeouts(connect_s=0.2, total_s=5))
        for one in waiting:
            one.close()

    assert fault.detail == "No connection to the provider could be made within 0.2 s (connect_s)."


# --- Time


@pytest.mark.parametrize(
    ("timeouts", "streamed", "expected"),
    [
        (Timeouts(connect_s=2, first_token_s=0.1, total_s=9), True, ("first_token_s", 0.1)),
        (Timeouts(connect_s=2, first_token_s=9, total_s=0.2), True, ("total_s", 0.2)),
        (Timeouts(connect_s=2, first_token_s=0.1, total_s=0.3), False, ("total_s", 0.3)),
    ],
)
def test_the_limit_that_struck_is_named(subject: Subject, timeouts: Timeouts, streamed: bool, expected) -> None:
    subject.provider.complete(asking(), timeouts=TIMEOUTS)
    subject.upstream.script(Answer(fault=StreamFault(kind="stall", after=0, lasting_s=3), delay_s=0 if streamed else 3))

    fault = failing(subject.provider, timeouts, streamed=streamed)

    assert isinstance(fault, ProviderTimeout)
    assert (fault.limit, fault.limit_s) == expected
    assert fault.detail == f"The provider did not answer within {expected[1]:.4g} s ({expected[0]})."


# --- The provider's own words


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ProviderRejected), (401, ProviderAuthFailed), (404, ProviderRefused), (529, ProviderFailed)],
)
def test_the_message_of_an_error_is_handed_on(subject: Subject, status: int, kind: type) -> None:
    subject.upstream.script(Refusal(status=status))

    fault = failing(subject.provider)

    assert type(fault) is kind
    assert (fault.provider_message, fault.upstream_status) == ("SECRET-WORDS", status)
    assert "SECRET-WORDS" not in fault.detail


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": "not today"}', "not today"),
        (b'[{"error": {"message": "listed"}}]', "listed"),
        (b'{"error": {"message": "two\\nlines\\u0000 \\u2028and\\ttabs"}}', "two lines and tabs"),
        (b'{"error": {"message": "half \\ud83d"}}', "half \N{REPLACEMENT CHARACTER}"),
        (b'{"error": {"message": "' + b"x" * 9_000 + b'"}}', "x" * 500),
        (b'{"error": {"message": "key sk-0123456789abcdef0123 is wrong"}}', "key [redacted] is wrong"),
        (b'{"message": "of nobody knows what", "detail": "likewise"}', None),
        (b'{"error": {"message": {"deep": "x"}}}', None),
        (b'{"error": {"message": " "}}', None),
        (b"<html>SECRET-WORDS</html>", None),
        (b'"text"', None),
        (b'{"error": {"message": "cut off', None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
@pytest.mark.parametrize("status", [400, 500])
def test_only_the_message_of_a_json_error(subject: Subject, body: bytes, message: str | None, status: int) -> None:
    subject.upstream.script(Refusal(status=status, body=body))

    assert failing(subject.provider).provider_message == message


def test_the_key_is_taken_out(keyed: Subject) -> None:
    keyed.upstream.script(Refusal(status=400, body=f'{{"error": {{"message": "no {API_KEY}!"}}}}'.encode()))

    assert failing(keyed.provider).provider_message == "no [redacted]!"


def test_a_key_of_no_known_shape_is_taken_out_too(keyed: Subject) -> None:
    key = "our own kind of key".replace(" ", "/")
    keyed.upstream.script(Refusal(status=401, body=f'{{"error": {{"message": "{key} is unknown"}}}}'.encode()))

    assert failing(keyed.open(key)).provider_message == "[redacted] is unknown"


def test_an_error_in_a_stream_has_its_message(subject: Subject) -> None:
    subject.upstream.script(Answer(fault=StreamFault(kind="error", error={"type": "api_error", "message": "sorry"})))

    fault = failing(subject.provider, streamed=True)

    assert (fault.provider_message, fault.upstream_status) == ("sorry", None)


def test_a_window_that_is_too_small_carries_it_too(openai: Subject) -> None:
    openai.upstream.script(Refusal(status=400, code="context_length_exceeded"))

    fault = failing(openai.provider)

    assert isinstance(fault, ContextWindowExceeded)
    assert (fault.provider_message, fault.upstream_status) == ("SECRET-WORDS", 400)


def test_an_answer_that_cannot_be_read_has_none(subject: Subject) -> None:
    subject.upstream.script(Raw(body=b'{"message": "x"}'))

    fault = failing(subject.provider)

    assert isinstance(fault, ProviderFault)
    assert fault.provider_message is None


@given(st.text())
def test_a_message_is_one_bounded_line(text: str) -> None:
    message = untrusted.message(text, longest=50)
    assert message is None or ((0 < len(message) <= 50 and message.isprintable()) or not message.isascii())


# --- What fails before anything is sent


def test_what_no_json_text_can_carry_is_the_requests_fault(subject: Subject) -> None:
    fault = failing_with(subject, asking("half \ud83d"))

    assert (fault.status, fault.code) == (422, "validation_failed")
    assert [error.field for error in fault.errors] == ["messages"]
    assert subject.upstream.requests == []


def failing_with(subject: Subject, request) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        subject.provider.complete(request, timeouts=TIMEOUTS)
    return caught.value
