"""The same adapters against somebody else's idea of the vendors: llmock, a mock with faults of its own."""

import pytest
from llm_gateway.domain.chat import FinishReason
from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderRateLimited,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.ports.providers import Provider
from llm_gateway.providers.registry import ProviderRegistry

from tests.providers.conftest import asking, config

TIMEOUTS = Timeouts(connect_s=1, first_token_s=0.5, total_s=3)


@pytest.fixture(params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest, llmock, registry: ProviderRegistry) -> Provider:
    return registry.open(config(ProviderKind(request.param), llmock.base_url(request.param)), None)


def test_answers(provider: Provider, llmock) -> None:
    llmock.reply("A true word.", times=2)

    whole = provider.complete(asking(), timeouts=TIMEOUTS)
    *deltas, last = provider.stream(asking(), timeouts=TIMEOUTS)

    assert whole.text == last.text == "".join(delta.text for delta in deltas) == "A true word."
    assert not whole.usage.estimated
    assert not last.usage.estimated


def test_calls_a_tool(provider: Provider, llmock) -> None:
    llmock.call_tool("weather", {"city": "Paris"}, times=2)

    whole = provider.complete(asking(), timeouts=TIMEOUTS)
    *_, last = provider.stream(asking(), timeouts=TIMEOUTS)

    assert whole.finish_reason is last.finish_reason is FinishReason.TOOL_CALLS
    assert [call.name for call in whole.tool_calls] == [call.name for call in last.tool_calls] == ["weather"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, ProviderAuthFailed), (500, ProviderFailed), (503, ProviderFailed), (529, ProviderFailed)],
)
def test_failures(provider: Provider, llmock, status: int, expected: type) -> None:
    llmock.fail(status)

    with pytest.raises(expected):
        provider.complete(asking(), timeouts=TIMEOUTS)
    assert len(llmock.requests) == 1


def test_a_limit(provider: Provider, llmock) -> None:
    llmock.rate_limit(retry_after=2.5)

    with pytest.raises(ProviderRateLimited) as caught:
        provider.complete(asking(), timeouts=TIMEOUTS)
    assert caught.value.retry_after_s == 2.5


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("disconnect", ProviderUnreachable),
        ("truncate", ProviderResponseInvalid),
        ("corrupt", ProviderResponseInvalid),
        ("stall", ProviderTimeout),
    ],
)
def test_broken_streams(provider: Provider, llmock, fault: str, expected: type) -> None:
    llmock.reply("One two three four five six.")
    getattr(llmock, fault)(after_chunks=5)

    with pytest.raises(expected) as caught:
        list(provider.stream(asking(), timeouts=TIMEOUTS))
    assert caught.value.usage.output_tokens > 0


def test_a_delay(provider: Provider, llmock) -> None:
    llmock.delay(5)

    with pytest.raises(ProviderTimeout):
        provider.complete(asking(), timeouts=Timeouts(connect_s=1, total_s=0.3))
