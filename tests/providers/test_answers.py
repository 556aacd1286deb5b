"""The contract of every adapter, where all goes well: what is asked arrives, what is answered comes back the same from all."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from llm_gateway.domain.chat import (
    UNTOLD_TIER,
    ChatAnswer,
    FinishReason,
    Parameters,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from llm_gateway.domain.faults import ProviderAuthFailed, ProviderRefused
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.domain.tokens import probable_usage
from llm_gateway.domain.vendors import VENDORS
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry

from tests.adapters.upstream import Answer, Raw
from tests.adapters.upstream_wires import MESSAGES, Counts, Said, SaidCall
from tests.providers.conftest import Subject, asking, subject_of

TIMEOUTS = Timeouts(connect_s=2, first_token_s=5, total_s=10)
CALLS = (
    SaidCall(name="weather"),
    SaidCall(name="clock", id="call_2", arguments=()),
    SaidCall(name="tide", id="call_3"),
)


def complete(subject: Subject, answer: Answer, request=None) -> ChatAnswer:
    subject.upstream.script(answer)
    return subject.provider.complete(request or asking(), timeouts=TIMEOUTS)


def stream(subject: Subject, answer: Answer, request=None) -> list:
    subject.upstream.script(answer)
    return list(subject.provider.stream(request or asking(), timeouts=TIMEOUTS))


def test_answers_whole(subject: Subject) -> None:
    assert complete(subject, Answer()) == ChatAnswer(
        text="Hello there.",
        finish_reason=FinishReason.STOP,
        model=subject.answering_model,
        usage=Usage(input_tokens=20, output_tokens=7),
    )
    assert len(subject.upstream.requests) == 1


def test_streams_deltas_and_then_the_same_answer(subject: Subject) -> None:
    *deltas, last = stream(subject, Answer())

    assert deltas == [TextDelta(text="Hello"), TextDelta(text=" there"), TextDelta(text=".")]
    assert last == complete(subject, Answer())


@pytest.fixture
def strangers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the vendors' SDKs look for: it is meant for their own servers, by somebody else."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "sk-of-the-environment")
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_WEBHOOK_SECRET", "ANTHROPIC_WEBHOOK_SIGNING_KEY"):
        monkeypatch.setenv(name, "id-of-the-environment")
    for vendor in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{vendor}_BASE_URL", "http://127.0.0.1:9/of-the-environment")
        headers = (
            "X-Secret: of-the-environment\nAuthorization: Bearer of-the-environment\nX-Api-Key: of-the-environment"
        )
        monkeypatch.setenv(f"{vendor}_CUSTOM_HEADERS", headers)


@pytest.mark.usefixtures("strangers_environment")
@pytest.mark.parametrize("api_key", [None, "sk-of-this-provider-alone"])
def test_sends_the_providers_own_credential_and_nothing_of_the_environment(keyed: Subject, api_key: str | None) -> None:
    opened = subject_of(
        keyed.kind, keyed.upstream, ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True)
    )
    for ask in (asking(), asking(by_responses=keyed.kind is ProviderKind.OPENAI)):
        with suppress(ProviderAuthFailed):
            opened.open(api_key).complete(ask, timeouts=TIMEOUTS)

    assert len(keyed.upstream.requests) == 2
    for request in keyed.upstream.requests:
        shown = {name: value for name, value in request.headers.items() if name in ("authorization", "x-api-key")}
        assert {*shown.values()} == ({f"Bearer {api_key}"} if api_key else set())
        assert "of-the-environment" not in str([*request.headers.items(), request.path, request.body])


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_normalises_finish_reasons(subject: Subject, reason: str) -> None:
    answer = Answer(said=Said(finish=reason))

    assert complete(subject, answer).finish_reason == FinishReason(reason)
    assert stream(subject, answer)[-1].finish_reason == FinishReason(reason)


def test_a_refusal_is_a_filtered_answer_with_its_text(openai: Subject) -> None:
    answer = Answer(said=Said(pieces=(), refusal="I cannot help with that."))

    whole = complete(openai, answer)

    assert (whole.text, whole.finish_reason) == ("I cannot help with that.", FinishReason.CONTENT_FILTER)
    assert stream(openai, answer) == [TextDelta(text="I cannot help with that."), whole]


def test_calls_tools(subject: Subject) -> None:
    whole = complete(subject, Answer(said=Said(pieces=(), calls=CALLS[:1], finish="tool_calls")))

    assert whole.text is None
    assert whole.finish_reason is FinishReason.TOOL_CALLS
    assert whole.tool_calls == (ToolCall(id="call_1", name="weather", arguments='{"city": "Paris"}'),)


def test_streams_the_pieces_of_tool_calls_by_index(subject: Subject) -> None:
    *deltas, last = stream(subject, Answer(said=Said(calls=CALLS, finish="tool_calls")))
    pieces = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]

    assert last.text == "Hello there."
    assert [(piece.index, piece.id, piece.name) for piece in pieces if piece.name] == [
        (0, "call_1", "weather"),
        (1, "call_2", "clock"),
        (2, "call_3", "tide"),
    ]
    joined = ["".join(piece.arguments for piece in pieces if piece.index == index) for index in range(3)]
    assert [call.arguments for call in last.tool_calls] == joined
    assert joined[0] == joined[2] == '{"city": "Paris"}'
    assert last.finish_reason is FinishReason.TOOL_CALLS


def test_thoughts_are_no_part_of_the_answer(subject: Subject) -> None:
    answer = Answer(said=Said(thoughts=("Let me", " think.")), counts=Counts(output=30, reasoning=23))

    whole = complete(subject, answer)

    assert whole.text == "Hello there."
    # Bedrock counts them as output, and does not say how many they were.
    assert (whole.usage.output_tokens, whole.usage.reasoning_tokens) == (30, 0 if subject.speaks_converse else 23)
    assert stream(subject, answer)[-1] == whole


def test_input_includes_what_the_cache_gave_and_took(subject: Subject) -> None:
    answer = Answer(counts=Counts(input=100, output=5, cached=60, cache_write=30, cache_write_1h=10))
    expected = Usage(
        input_tokens=100,
        output_tokens=5,
        cached_input_tokens=60,
        cache_write_tokens=30,
        cache_write_1h_tokens=10 if subject.speaks_messages or subject.speaks_converse else 0,
    )

    assert complete(subject, answer).usage == expected
    assert stream(subject, answer)[-1].usage == expected


def test_zero_is_not_missing(subject: Subject) -> None:
    answer = Answer(said=Said(pieces=()), counts=Counts(input=0, output=0))

    assert complete(subject, answer).usage == Usage()
    assert stream(subject, answer)[-1].usage == Usage()


def test_missing_usage_is_estimated_and_marked(subject: Subject) -> None:
    asked = asking("x" * 400)
    whole = complete(subject, Answer(counts=None), asked)

    assert whole.usage == probable_usage(asked, "Hello there.", VENDORS[subject.kind].profile("model"))
    assert whole.usage.estimated
    assert 60 < whole.usage.input_tokens < 400
    assert stream(subject, Answer(counts=None), asking("x" * 400))[-1].usage == whole.usage


def test_an_empty_answer_is_an_empty_text(subject: Subject) -> None:
    assert complete(subject, Answer(said=Said(pieces=()))).text == ""
    assert stream(subject, Answer(said=Said(pieces=())))[-1].text == ""


def _split_everywhere(event: bytes):
    return [event[position : position + 1] for position in range(len(event))]


def _many_lines(event: bytes):
    """The same event with its data over several lines, ends of lines of another kind, a comment and an id."""
    text = event.decode().replace(', "', ',\ndata: "').replace("\n", "\r\n")
    return [b": a comment\r\nid: 7\r\n" + text.encode()]


def test_reads_events_however_they_are_cut(subject: Subject) -> None:
    answer = Answer(said=Said(pieces=("Grüße", " 日本", " 🌊")))

    assert stream(subject, replace(answer, sse=_split_everywhere)) == stream(subject, answer)
    assert stream(subject, answer)[-1].text == "Grüße 日本 🌊"


def test_reads_events_of_many_lines(keyed: Subject) -> None:
    answer = Answer(said=Said(pieces=("Grüße", " 日本", " 🌊")))

    assert stream(keyed, replace(answer, sse=_many_lines)) == stream(keyed, answer)


def test_reuses_its_connection(subject: Subject) -> None:
    for _ in range(2):
        complete(subject, Answer())
        stream(subject, Answer())

    assert len({request.connection for request in subject.upstream.requests}) == 1


def test_equal_providers_share_an_adapter_and_rotated_credentials_do_not(subject: Subject) -> None:
    assert subject.open("sk-one") is subject.open("sk-one")
    assert subject.open("sk-one") is not subject.open("sk-two")
    assert "sk-one" not in repr(subject.open("sk-one"))


CITED = {"type": "url_citation", "url": "https://example.org", "title": "Owls"}
LIKELY = {"token": "Hello", "logprob": -0.25, "bytes": [72], "top_logprobs": []}


def test_citations_are_kept(subject: Subject) -> None:
    if subject.speaks_converse:
        pytest.skip("Converse's citations come with tools that are not offered.")
    answer = Answer(said=Said(annotations=(CITED,)))

    assert complete(subject, answer).annotations == (CITED,)
    assert stream(subject, answer)[-1].annotations == (CITED,)
    assert complete(subject, Answer()).annotations is None


def test_probabilities_are_kept_where_they_were_asked_for(subject: Subject) -> None:
    if subject.speaks_converse or subject.speaks_messages:
        pytest.skip("It has none.")
    answer, asked = Answer(said=Said(logprobs=(LIKELY,))), asking(parameters=Parameters(logprobs=0))

    assert complete(subject, answer, asked).logprobs == (LIKELY,)
    assert stream(subject, answer, asked)[-1].logprobs == (LIKELY,)
    assert complete(subject, answer).logprobs is None


@pytest.mark.parametrize(("told", "billed"), [(None, None), ("flex", "flex"), ("standard", None), ("default", None)])
def test_the_tier_that_served_is_told_where_it_changes_the_price(subject: Subject, told, billed) -> None:
    if not subject.speaks_converse:
        answer = Answer(said=Said(tier=told))
        assert complete(subject, answer).usage.service_tier == billed
        assert stream(subject, answer)[-1].usage.service_tier == billed


def test_a_tier_that_was_asked_for_and_not_told_is_not_known(subject: Subject) -> None:
    asked = asking(vendor={"service_tier": "flex"})
    assert probable_usage(asked, "x", VENDORS[subject.kind].profile("model")).service_tier == UNTOLD_TIER


def test_a_refusal_of_claudes_is_a_filtered_answer(anthropic: Subject) -> None:
    assert complete(anthropic, Answer(said=Said(finish="refusal"))).finish_reason is FinishReason.CONTENT_FILTER


def test_claudes_full_window_is_an_answer_cut_short(anthropic: Subject) -> None:
    answer = complete(anthropic, Answer(said=Said(finish="model_context_window_exceeded")))
    assert answer.finish_reason is FinishReason.LENGTH


def test_a_turn_paused_for_tools_of_the_providers_own_is_a_fault(anthropic: Subject) -> None:
    for ask in (complete, stream):
        with pytest.raises(ProviderRefused, match="paused its answer for tools of its own") as caught:
            ask(anthropic, Answer(said=Said(finish="pause_turn")))
        assert caught.value.usage is not None


@pytest.mark.parametrize(("kind", "warned"), [("thinking_dropped", True), ("thinking_mismatch_allowed", False)])
def test_what_anthropic_left_out_of_the_thoughts_is_told(anthropic: Subject, kind: str, warned: bool) -> None:
    change = {"type": kind, "path": "messages.1.content.0", "reason": "prefix_binding_mismatch"}
    body = {**MESSAGES.whole(Said(), Counts()), "input_transformations": [change]}
    answer = complete(anthropic, Raw(body=json.dumps(body).encode()))
    assert answer.text == "Hello there."
    assert (answer.warnings == ("The provider left out some of the reasoning that was sent back.",)) == warned
