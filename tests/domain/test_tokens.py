"""Token estimates: the bounds bound, the reserves reserve, and what is free stays free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.capabilities import capabilities_of
from llm_gateway.domain.chat import ChatRequest, ImagePart, Message, MessageRole, OutputFormat, TextPart, Tool, ToolCall
from llm_gateway.domain.providers import ModelConfig, ProviderKind
from llm_gateway.domain.tokens import TokenRange, by_bytes, estimate, upper_bound

from tests.adapters.token_counter import WordCounter

GPT = capabilities_of(ProviderKind.OPENAI, ModelConfig(name="gpt-4.1"))
CLAUDE = capabilities_of(ProviderKind.ANTHROPIC, ModelConfig(name="claude-sonnet-4-5"))
CLAUDE_5 = capabilities_of(ProviderKind.ANTHROPIC, ModelConfig(name="claude-sonnet-5"))
LOCAL = capabilities_of(ProviderKind.LLAMA_CPP, ModelConfig(name="smollm2"))

# Half a surrogate pair is a text that JSON can carry.
ANY_TEXT = st.text(st.characters(codec=None) | st.characters(categories=["Cs"]), max_size=60)
MESSAGES = st.builds(
    lambda text, name, arguments: Message(
        role=MessageRole.ASSISTANT,
        content=(TextPart(text=text),),
        name=name,
        tool_calls=(ToolCall(id="1", name="f", arguments=arguments),),
    ),
    ANY_TEXT,
    st.none() | ANY_TEXT,
    ANY_TEXT,
)
REQUESTS = st.builds(
    lambda system, messages, description: ChatRequest(
        model="m", system=system, messages=tuple(messages), tools=(Tool(name="f", description=description),)
    ),
    st.none() | ANY_TEXT,
    st.lists(MESSAGES, max_size=4),
    ANY_TEXT,
)


def saying(text, **fields):
    return ChatRequest(model="m", messages=(Message(role=MessageRole.USER, content=(TextPart(text=text),)),), **fields)


@given(REQUESTS, st.sampled_from([GPT, CLAUDE, CLAUDE_5, LOCAL]), st.integers(1, 5))
def test_no_estimate_exceeds_the_upper_bound(request, profile, bytes_per_token):
    def count(text, encoding):
        tokens = -(-len(text.encode("utf-8", "surrogatepass")) // bytes_per_token)
        return TokenRange(least=tokens, most=tokens)

    tokens = estimate(request, profile, count)
    assert 0 <= tokens.least <= tokens.most <= upper_bound(request, profile)


@given(ANY_TEXT)
def test_an_estimate_by_bytes_is_a_range_within_the_bytes(text):
    tokens = by_bytes(text)
    assert 0 <= tokens.least <= tokens.most <= len(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("text", "most"), [("", 0), ("a", 1), ("abc def", 3), ("1234", 4), ("{}", 2), ("漢字", 6), ("naïve", 4)]
)
def test_letters_count_a_third_and_all_else_by_bytes(text, most):
    assert by_bytes(text).most == most


def test_blanks_alone_are_hardly_a_reason_to_refuse():
    assert by_bytes(" \n" * 100_000).least == 0


def test_a_chat_costs_its_words_and_its_marks():
    counter = WordCounter()
    tokens = estimate(saying("one two three", system="be brief"), GPT, counter.count)
    assert tokens == TokenRange(least=5, most=5 + 2 * 4 + 3)


@pytest.mark.parametrize(("profile", "reserved"), [(GPT, 100), (CLAUDE, 150), (CLAUDE_5, 190)])
def test_claude_reserves_more_and_refuses_no_sooner(profile, reserved):
    tokens = estimate(saying("word " * 100), profile, WordCounter().count)
    assert tokens == TokenRange(least=100, most=reserved + 4 + 3)


def test_tools_and_schema_are_reserved_but_refuse_nothing():
    tool = Tool(name="look", description="find it", parameters={"type": "object"})
    counter = WordCounter()
    plain = estimate(saying("hi"), CLAUDE, counter.count)
    armed = estimate(
        saying("hi", tools=(tool,), output=OutputFormat(type="json_schema", schema={"title": "a b c"})),
        CLAUDE,
        counter.count,
    )
    assert armed.least == plain.least
    assert armed.most > plain.most + CLAUDE.tokenizer.tools_prompt_tokens
    assert any("find it" in text for text in counter.counted)
    assert any("a b c" in text for text in counter.counted)


def test_an_image_is_reserved_by_the_model_and_not_by_its_base64():
    picture = ImagePart(url="data:image/png;base64," + "A" * 1_000_000)
    request = ChatRequest(model="m", messages=(Message(role=MessageRole.USER, content=(picture, picture)),))
    tokens = estimate(request, CLAUDE, WordCounter().count)
    assert tokens == TokenRange(least=0, most=2 * 1_600 + 4 + 3)
    assert upper_bound(request, CLAUDE) == tokens.most


def test_a_local_models_tokens_need_no_tokenizer():
    counter = WordCounter()
    tokens = estimate(saying("The quick brown fox jumps over the lazy dog"), LOCAL, counter.count)
    assert counter.counted == []
    assert tokens.least <= 9 <= tokens.most
