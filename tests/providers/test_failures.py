"""The contract of every adapter, where something goes wrong: the same fault from all, in time, in the gateway's own words."""

import json
import socket
import time
import traceback
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gateway.domain.chat import FinishReason, TextDelta
from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderFault,
    ProviderNotConnected,
    ProviderRateLimited,
    ProviderRefused,
    ProviderRejected,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.domain.tokens import probable_usage
from llm_gateway.domain.vendors import VENDORS
from llm_gateway.errors import ContextWindowExceeded, GatewayError, UnsupportedParameter
from llm_gateway.ports.providers import Provider
from llm_gateway.providers.registry import ProviderRegistry

from tests.adapters.upstream import Answer, HangUp, Raw, Refusal, StreamFault
from tests.adapters.upstream_wires import Counts, Said, SaidCall
from tests.patience import FOREVER_S, LATE_S, PATIENCE_S
from tests.providers.conftest import Subject, asking, config

TIMEOUTS = Timeouts(connect_s=2, first_token_s=2, total_s=5)
HASTY = Timeouts(connect_s=0.2, first_token_s=0.2, total_s=0.6)

STATUSES = {
    301: ProviderRefused,
    307: ProviderRefused,
    400: ProviderRejected,
    401: ProviderAuthFailed,
    402: ProviderRefused,
    403: ProviderRefused,
    404: ProviderRefused,
    408: ProviderFailed,
    409: ProviderFailed,
    413: ProviderRejected,
    418: ProviderRefused,
    422: ProviderRejected,
    429: ProviderRateLimited,
    500: ProviderFailed,
    502: ProviderFailed,
    503: ProviderFailed,
    504: ProviderFailed,
    529: ProviderFailed,
}


def complete(provider: Provider, timeouts: Timeouts = TIMEOUTS) -> ProviderFault:
    with pytest.raises(ProviderFault) as caught:
        provider.complete(asking(), timeouts=timeouts)
    return caught.value


def stream(provider: Provider, timeouts: Timeouts = TIMEOUTS) -> tuple[list, ProviderFault]:
    """What came before the fault, and the fault."""
    came = []
    with pytest.raises(ProviderFault) as caught:
        came.extend(provider.stream(asking(), timeouts=timeouts))
    return came, caught.value


@pytest.mark.parametrize("status", STATUSES)
def test_maps_statuses(subject: Subject, status: int) -> None:
    refusal = Refusal(status=status, headers={"location": "/elsewhere"})
    subject.upstream.script(refusal, refusal)

    fault = complete(subject.provider)
    came, streamed = stream(subject.provider)

    assert type(fault) is type(streamed) is STATUSES[status]
    assert came == []
    assert len(subject.upstream.requests) == 2, "one call each, and no redirect followed"
    assert fault.usage is None


@pytest.mark.parametrize(
    ("headers", "expected_s"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_tells_when_to_come_back(subject: Subject, headers: dict, expected_s: float | None, status: int) -> None:
    subject.upstream.script(Refusal(status=status, headers=headers))

    assert complete(subject.provider).retry_after_s == expected_s


@pytest.mark.parametrize(
    "body", [b"", b"<html>SECRET-WORDS</html>", b'"SECRET-WORDS"', b'{"error": 5}', b"[]", b"\xff\xfe"]
)
def test_an_error_with_any_body_is_what_its_status_says(subject: Subject, body: bytes) -> None:
    subject.upstream.script(Refusal(status=500, body=body))

    assert type(complete(subject.provider)) is ProviderFailed


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (Refusal(status=429, code="insufficient_quota"), ProviderRefused),
        (Refusal(status=400, code="model_not_found"), ProviderRefused),
        (Refusal(status=400, code="invalid_api_key"), ProviderAuthFailed),
        (Refusal(status=400, code="context_length_exceeded"), ContextWindowExceeded),
        (Refusal(status=400, code="unsupported_parameter", param="temperature"), UnsupportedParameter),
    ],
)
def test_a_code_says_more_than_the_status(openai: Subject, refusal: Refusal, expected: type[GatewayError]) -> None:
    openai.upstream.script(refusal)

    with pytest.raises(expected):
        openai.provider.complete(asking(), timeouts=TIMEOUTS)


def test_a_parameter_that_is_refused_is_named_as_the_client_knows_it(openai: Subject) -> None:
    openai.upstream.script(Refusal(status=400, code="unsupported_value", param="max_completion_tokens"))

    with pytest.raises(UnsupportedParameter) as caught:
        openai.provider.complete(asking(), timeouts=TIMEOUTS)

    assert [error.field for error in caught.value.errors] == ["parameters.max_output_tokens"]


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (Refusal(status=429, code="enforced_spend_limit_reached"), ProviderRefused),
        (Refusal(status=400, code="organization_on_hold"), ProviderRefused),
        (Refusal(status=400, code="request_body_timeout"), ProviderFailed),
    ],
)
def test_anthropics_codes_say_more_than_the_status(anthropic: Subject, refusal: Refusal, expected: type) -> None:
    anthropic.upstream.script(refusal)

    assert type(complete(anthropic.provider)) is expected


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation"])
def test_a_prompt_that_is_filtered_is_an_answer(compatible: Subject, code: str) -> None:
    refusal = Refusal(status=400, code=code)
    compatible.upstream.script(refusal, refusal)

    whole = compatible.provider.complete(asking(), timeouts=TIMEOUTS)

    assert (whole.text, whole.finish_reason) == ("", FinishReason.CONTENT_FILTER)
    assert whole.usage.estimated
    assert list(compatible.provider.stream(asking(), timeouts=TIMEOUTS)) == [whole]


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Hello</body></html>",
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"choices": [], "content": null}',
        b'{"choices": {}, "content": {}}',
        b'{"choices": [null], "content": [null], "stop_reason": "end_turn"}',
        b'{"choices": [{"message": {"content": 7}, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": "x"}, "finish_reason": null}]}',
        b'{"choices": [{"message": {"content": "x"}, "finish_reason": "whim"}]}',
        b'{"choices": [{"message": {"tool_calls": [{"id": "1"}]}, "finish_reason": "tool_calls"}]}',
        b'{"content": [{"type": "text", "text": 7}], "stop_reason": "end_turn"}',
        b'{"content": [{"type": "text", "text": "x"}], "stop_reason": null}',
        b'{"content": [{"type": "tool_use", "id": "1", "name": "n", "input": "{}"}], "stop_reason": "tool_use"}',
        b"[" * 100_000,
    ],
)
def test_garbage_after_a_200_is_refused(subject: Subject, body: bytes) -> None:
    subject.upstream.script(
        Raw(body=body),
        Raw(body=body, content_type="text/html"),
        Raw(body=body),
        Raw(body=body, content_type="text/event-stream"),
    )

    assert type(complete(subject.provider)) is ProviderResponseInvalid
    assert type(complete(subject.provider)) is ProviderResponseInvalid
    assert type(stream(subject.provider)[1]) is ProviderResponseInvalid
    assert type(stream(subject.provider)[1]) is ProviderResponseInvalid


NAMES = [
    *(
        "choices",
        "message",
        "delta",
        "content",
        "tool_calls",
        "finish_reason",
        "index",
        "function",
        "usage",
        "type",
        "error",
    ),
    *("code", "text", "stop_reason", "content_block", "prompt_tokens", "completion_tokens", "input_tokens"),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["stop", "end_turn", "text", "tool_use"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)
EVENTS = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
]


@settings(max_examples=40)
@given(body=JSON, events=st.lists(st.tuples(st.sampled_from([*EVENTS, "error"]), JSON), max_size=4))
def test_whatever_comes_is_an_answer_or_a_fault(subject: Subject, body, events) -> None:
    data = [{"type": kind, **value} if isinstance(value, dict) else value for kind, value in events]
    sse = "".join(f"data: {json.dumps(value)}\n\n" for value in data).encode()
    subject.upstream.script(Raw(body=json.dumps(body).encode()), Raw(body=sse, content_type="text/event-stream"))

    with suppress(GatewayError):
        subject.provider.complete(asking(), timeouts=TIMEOUTS)
    with suppress(GatewayError):
        list(subject.provider.stream(asking(), timeouts=TIMEOUTS))
    assert len(subject.upstream.requests) % 2 == 0


def test_hanging_up_is_no_answer(subject: Subject) -> None:
    subject.upstream.script(HangUp(), HangUp())

    assert type(complete(subject.provider)) is ProviderUnreachable
    came, fault = stream(subject.provider)
    assert (came, type(fault), fault.usage) == ([], ProviderUnreachable, None)


def test_nobody_there(subject: Subject, registry: ProviderRegistry) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        provider = registry.open(config(subject.kind, f"http://127.0.0.1:{closed.getsockname()[1]}"), None)

        assert type(complete(provider)) is ProviderNotConnected


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (StreamFault(kind="disconnect"), ProviderUnreachable),
        (StreamFault(kind="truncate"), ProviderResponseInvalid),
        (StreamFault(kind="malformed"), ProviderResponseInvalid),
        (StreamFault(kind="error"), ProviderFailed),
        (StreamFault(kind="error", error={"type": "rate_limit_error", "message": "SECRET-WORDS"}), ProviderRateLimited),
        (StreamFault(kind="error", error={"type": "invalid_request_error"}), ProviderRejected),
        (StreamFault(kind="error", error={"type": 7, "message": None}), ProviderFailed),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_half_a_stream_is_no_answer_and_is_billed(subject: Subject, fault: StreamFault, expected: type) -> None:
    subject.upstream.script(Answer(fault=fault))

    came, caught = stream(subject.provider)

    assert came == [TextDelta(text="Hello"), TextDelta(text=" there")]
    assert type(caught) is expected
    expected = probable_usage(asking(), "Hello there", VENDORS[subject.kind].profile("model"))
    # Anthropic says at once what the input is billed.
    assert caught.usage == replace(expected, input_tokens=20) if subject.speaks_messages else expected
    assert caught.usage.output_tokens > 0
    assert not caught.complete


def test_an_error_event_may_carry_a_status(compatible: Subject) -> None:
    compatible.upstream.script(Answer(fault=StreamFault(kind="error", error={"code": 429, "message": "SECRET-WORDS"})))

    assert type(stream(compatible.provider)[1]) is ProviderRateLimited


def test_a_stream_cut_before_any_content_bills_what_the_provider_said(subject: Subject) -> None:
    subject.upstream.script(Answer(fault=StreamFault(kind="truncate", after=0)))

    came, caught = stream(subject.provider)

    assert came == []
    assert (caught.usage is not None) == subject.speaks_messages


def test_a_call_cut_in_its_arguments_is_billed(subject: Subject) -> None:
    said = Said(pieces=(), calls=(SaidCall(name="weather", arguments=('{"city": "' + "x" * 400, "y" * 400, '"}')),))
    subject.upstream.script(Answer(said=said, fault=StreamFault(kind="disconnect", after=3)))

    assert stream(subject.provider)[1].usage.output_tokens > 50


def test_what_breaks_after_the_last_piece_spoils_nothing(openai: Subject) -> None:
    whole = b'data: {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}\n\ndata: {"half'
    openai.upstream.script(Raw(body=whole + b"\n\n", content_type="text/event-stream"))

    *_, last = openai.provider.stream(asking(), timeouts=TIMEOUTS)

    assert (last.text, last.usage.estimated) == ("x", True)


# --- Time


def timed(provider: Provider, call, timeouts: Timeouts = HASTY) -> tuple[ProviderFault, float]:
    started_s = time.monotonic()
    result = call(provider, timeouts)
    return result[1] if isinstance(result, tuple) else result, time.monotonic() - started_s


def test_a_whole_answer_has_its_total_time(subject: Subject) -> None:
    subject.upstream.script(Answer(delay_s=FOREVER_S))

    fault, took_s = timed(subject.provider, complete)

    assert type(fault) is ProviderTimeout
    assert HASTY.total_s <= took_s < HASTY.total_s + LATE_S


def test_a_whole_answer_is_not_bound_by_the_first_token(subject: Subject) -> None:
    subject.upstream.script(Answer(delay_s=0.4))
    timeouts = Timeouts(connect_s=2, first_token_s=0.2, total_s=PATIENCE_S)

    assert subject.provider.complete(asking(), timeouts=timeouts).text == "Hello there."


def test_a_trickle_does_not_push_the_deadline(subject: Subject) -> None:
    subject.upstream.script(Raw(body=b" " * 1_200, dripped_s=0.05))

    fault, took_s = timed(subject.provider, complete)

    assert type(fault) is ProviderTimeout
    assert took_s < HASTY.total_s + LATE_S


@pytest.mark.parametrize("kind", ["stall", "chatter"])
@pytest.mark.parametrize("after", [0, 2])
def test_silence_in_a_stream_ends_it_whatever_keeps_the_connection_alive(subject: Subject, kind, after: int) -> None:
    subject.upstream.script(Answer(fault=StreamFault(kind=kind, after=after, lasting_s=FOREVER_S)))
    # Pings are the only events that Anthropic's stream has to show while it waits, and they do not count.
    timeouts = Timeouts(connect_s=2, first_token_s=0.2, total_s=0.6 if kind == "chatter" else FOREVER_S)

    fault, took_s = timed(subject.provider, stream, timeouts)

    assert type(fault) is ProviderTimeout
    assert took_s < timeouts.first_token_s + LATE_S


def test_a_stream_that_goes_on_may_take_longer_than_the_first_token(subject: Subject) -> None:
    pieces = tuple("abcdefghijklmn")
    subject.upstream.script(Answer(said=Said(pieces=pieces), between_s=0.2))

    *_, last = subject.provider.stream(asking(), timeouts=Timeouts(connect_s=2, first_token_s=2, total_s=PATIENCE_S))

    assert last.text == "abcdefghijklmn"


def test_thoughts_count_as_tokens(subject: Subject) -> None:
    subject.upstream.script(Answer(said=Said(thoughts=("hm",) * 14), between_s=0.2))

    *_, last = subject.provider.stream(asking(), timeouts=Timeouts(connect_s=2, first_token_s=2, total_s=PATIENCE_S))

    assert last.text == "Hello there."


def test_a_stream_has_its_total_time(subject: Subject) -> None:
    subject.upstream.script(Answer(said=Said(pieces=("x",) * 1_200), between_s=0.05))
    # The first word comes at once, and has its time on a busy machine, too.
    timeouts = Timeouts(connect_s=2, first_token_s=1, total_s=1.2)

    fault, took_s = timed(subject.provider, stream, timeouts)

    assert type(fault) is ProviderTimeout
    assert timeouts.total_s <= took_s < timeouts.total_s + LATE_S
    assert fault.usage.output_tokens > 0


def test_a_host_that_does_not_take_the_connection(registry: ProviderRegistry) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(2)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        provider = registry.open(config(ProviderKind.OPENAI_COMPATIBLE, f"http://127.0.0.1:{address[1]}/v1"), None)

        fault, took_s = timed(provider, complete, Timeouts(connect_s=0.2, total_s=FOREVER_S))

        assert type(fault) is ProviderNotConnected
        assert took_s < 0.2 + LATE_S
        for one in waiting:
            one.close()


# --- Leaving


def test_closing_the_stream_closes_the_connection_at_once(subject: Subject) -> None:
    subject.upstream.script(Answer(fault=StreamFault(kind="stall", after=1, lasting_s=FOREVER_S)))
    answer = subject.provider.stream(
        asking(), timeouts=Timeouts(connect_s=2, first_token_s=FOREVER_S, total_s=FOREVER_S)
    )

    assert next(answer) == TextDelta(text="Hello")
    answer.close()

    assert subject.upstream.requests[-1].left.wait(PATIENCE_S)


def test_nothing_is_sent_before_the_stream_is_read(subject: Subject) -> None:
    answer = subject.provider.stream(asking(), timeouts=TIMEOUTS)

    assert subject.upstream.requests == []
    answer.close()


# --- Words


@pytest.mark.parametrize(
    "behavior", [Refusal(status=401), Refusal(status=500, body=b"SECRET-WORDS"), Raw(body=b"SECRET-WORDS")]
)
def test_neither_body_nor_key_shows_anywhere(subject: Subject, behavior, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    subject.upstream.script(behavior)
    api_key = "sk-SECRET-KEY"

    with pytest.raises(ProviderFault) as caught:
        subject.open(api_key).complete(asking(), timeouts=TIMEOUTS)

    told = "".join(traceback.format_exception(caught.value)) + caught.value.detail + caplog.text
    assert not [word for word in ("SECRET-WORDS", api_key) if word in told]
    assert subject.upstream.url not in caught.value.detail
    assert caught.value.__cause__ is not None or type(behavior) is Raw


@pytest.mark.parametrize("api_key", ["sk-with-newline\n", " sk-padded", "sk-ключ", "sk-\x00"])
def test_a_key_that_no_header_can_carry_is_told_without_its_words(keyed: Subject, api_key: str) -> None:
    with pytest.raises(ProviderAuthFailed) as caught:
        keyed.open(api_key).complete(asking(), timeouts=TIMEOUTS)

    assert "sk-" not in caught.value.detail
    assert keyed.upstream.requests == []
    assert caught.value.__cause__ is None


def test_a_wrong_key(keyed: Subject) -> None:
    with pytest.raises(ProviderAuthFailed):
        keyed.open("wrong").complete(asking(), timeouts=TIMEOUTS)


def test_counts_that_make_no_sense_are_estimated(openai: Subject) -> None:
    openai.upstream.script(Answer(counts=Counts(input=-1)))

    assert openai.provider.complete(asking(), timeouts=TIMEOUTS).usage.estimated
