"""Exact counts: the provider's own decide how much is sent, in few calls, and its silence leaves the estimate."""

from collections.abc import Callable

import pytest
from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.query_context import ContextWish
from llm_gateway.services.context.fitted import Fitted

from tests.adapters.contexts import assembler, items, said, window

PAGES = items(
    *(
        f"Page {number} says that what is sent back in time is refunded in full, as everybody knows. " * 6
        for number in range(40)
    )
)
QUESTION = said("Is it refunded?")


class Provider:
    """Counts so many characters as a token."""

    def __init__(self, characters: float, *, answers: int = 99) -> None:
        self._characters, self._answers = characters, answers
        self.calls: list[ChatRequest] = []

    def count(self, chat: ChatRequest) -> int | None:
        self.calls.append(chat)
        text = (chat.system or "") + "".join(message.text for message in chat.messages)
        return int(len(text) / self._characters) if len(self.calls) <= self._answers else None


def fit(
    count: Callable[[ChatRequest], int | None] | None, *, max_tokens: int | None = None, tokens: int = 4_000
) -> Fitted:
    wish = ContextWish(items=PAGES, exact=True, max_tokens=max_tokens)
    chat = ChatRequest(model="m", messages=(QUESTION,))
    prepared = assembler().prepare(QueryRequest(messages=(QUESTION,)), wish)
    return prepared.fit(chat, window(tokens), output_tokens=100, exactly=count)


@pytest.mark.parametrize("characters", [6, 4, 3, 1.5])
def test_what_is_sent_fills_the_window_by_the_providers_count(characters: float) -> None:
    provider = Provider(characters)
    found = fit(provider.count)
    sent = Provider(characters).count(found.chat)
    assert sent is not None
    assert 3_900 * 0.93 <= sent <= 3_900
    assert found.report.exact
    assert found.report.tokens <= sent
    assert len(provider.calls) <= 4


def test_max_tokens_are_the_providers_too() -> None:
    found = fit(Provider(6).count, max_tokens=1_000)
    assert 930 <= found.report.tokens <= 1_000
    assert len(found.report.ids("included")) > len(fit(None, max_tokens=1_000).report.ids("included"))


def test_what_fits_whole_is_counted_and_left_as_it_is() -> None:
    provider = Provider(4)
    found = fit(provider.count, tokens=1_000_000)
    assert len(found.report.ids("included")) == 40
    assert found.report.exact
    assert len(provider.calls) == 2


@pytest.mark.parametrize("answers", [0, 1])
def test_a_provider_that_does_not_count_leaves_the_estimate_and_a_warning(answers: int) -> None:
    estimated = fit(None)
    found = fit(Provider(6, answers=answers).count)
    assert found.chat == estimated.chat
    assert not found.report.exact
    assert found.report.warnings == ("The provider did not count the tokens of the context: they are estimated.",)


def test_a_count_beyond_belief_leaves_nothing_that_is_too_long() -> None:
    provider = Provider(0.01)
    found = fit(provider.count)
    assert len(provider.calls) <= 4
    assert found.report.tokens <= 3_900
