"""Queries at Amazon Bedrock as the engine asks them: answered, streamed, mended, and answered elsewhere where it cannot."""

from collections.abc import Iterator

import pytest
from llm_gateway.domain.chat import (
    ChatAnswer,
    ImagePart,
    Message,
    MessageRole,
    OutputFormat,
    TextDelta,
    TextPart,
    Usage,
)
from llm_gateway.domain.providers import ProviderKind, RetryPolicy
from llm_gateway.providers import signature

from tests.adapters.engine import Engine, provider, question, story
from tests.adapters.real_engine import real_engine
from tests.adapters.upstream import Answer, Refusal, ScriptedUpstream, StreamFault
from tests.adapters.upstream_converse import ACCESS_KEY, SECRET_KEY, TOKEN
from tests.adapters.upstream_wires import Said

CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
NAME = OutputFormat(type="json_schema", schema={"type": "object", "required": ["name"], "properties": {"name": {}}})


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    signature.session.cache_clear()
    yield
    signature.session.cache_clear()


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def engine(upstream: ScriptedUpstream) -> Engine:
    """Bedrock, and a server that is asked where it does not answer."""
    bedrock = provider(
        "a", kind=ProviderKind.BEDROCK, base_url=upstream.url, region="eu-central-1", default_model=CLAUDE, models=()
    )
    return real_engine().add(bedrock, provider("b", base_url=upstream.openai_base_url))


def test_it_answers(engine: Engine, upstream: ScriptedUpstream) -> None:
    answer, progress = engine.ask(question())

    assert (answer.text, answer.model, answer.usage) == (
        "Hello there.",
        CLAUDE,
        Usage(input_tokens=20, output_tokens=7),
    )
    assert story(progress) == [("a", "ok", None)]
    assert "/eu-central-1/bedrock/aws4_request" in upstream.requests[0].headers["authorization"]


def test_it_streams(engine: Engine) -> None:
    *deltas, answer = engine.stream(question(), engine.progress(question()))

    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["Hello", " there", "."]
    assert isinstance(answer, ChatAnswer)


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refusal(status=429, headers={"x-amzn-errortype": "ThrottlingException"}), "provider_rate_limited"),
        (Refusal(status=403, headers={"x-amzn-errortype": "AccessDeniedException"}), "provider_error"),
        (Refusal(status=424, headers={"x-amzn-errortype": "ModelErrorException"}), "provider_error"),
    ],
)
def test_where_it_does_not_answer_another_does(engine: Engine, upstream: ScriptedUpstream, refusal, code: str) -> None:
    upstream.script(refusal)

    _, progress = engine.ask(question())

    assert story(progress) == [("a", "error", code), ("b", "ok", None)]


def test_an_exception_before_the_first_piece_of_a_stream_falls_over(engine: Engine, upstream: ScriptedUpstream) -> None:
    upstream.script(Answer(fault=StreamFault(kind="error", after=0, error={"type": "modelStreamErrorException"})))
    progress = engine.progress(question())

    *_, answer = engine.stream(question(), progress)

    assert isinstance(answer, ChatAnswer)
    assert story(progress) == [("a", "error", "provider_error"), ("b", "ok", None)]


def test_what_it_has_no_word_for_is_asked_elsewhere(engine: Engine, upstream: ScriptedUpstream) -> None:
    content = (TextPart(text="What is it?"), ImagePart(url="https://example.com/a.png"))
    image = Message(role=MessageRole.USER, content=content)

    _, progress = engine.ask(question(messages=(image,)))

    assert story(progress) == [("a", "skipped", "unsupported_parameter"), ("b", "ok", None)]
    assert [request.path for request in upstream.requests] == ["/v1/chat/completions"]


def test_an_answer_of_the_wrong_form_is_mended(engine: Engine, upstream: ScriptedUpstream) -> None:
    upstream.script(Answer(said=Said(pieces=("{}",))), Answer(said=Said(pieces=('{"name": "Ann"}',))))

    answer, progress = engine.ask(question(output=NAME, provider="a"))

    assert answer.json == {"name": "Ann"}
    assert story(progress) == [("a", "error", "response_validation_failed"), ("a", "ok", None)]
    assert len(upstream.requests[1].body["messages"]) == 3


def test_it_is_tried_again_after_its_limit(upstream: ScriptedUpstream) -> None:
    engine = real_engine().add(
        provider(
            "a",
            kind=ProviderKind.BEDROCK,
            base_url=upstream.url,
            region="eu-central-1",
            retry=RetryPolicy(max_attempts=2),
        )
    )
    throttled = {"x-amzn-errortype": "ThrottlingException", "retry-after-ms": "10"}
    upstream.script(Refusal(status=429, headers=throttled))

    _, progress = engine.ask(question())

    assert story(progress) == [("a", "error", "provider_rate_limited"), ("a", "ok", None)]
