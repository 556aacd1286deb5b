"""A thousand random contexts in random windows: what is sent fits, and hardly anything that would have fitted stays behind."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final, get_args

import pytest
from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.context.windows import Window
from llm_gateway.domain.model_table import BYTES, CL100K, CLAUDE, CLAUDE_4_7, O200K, Tokenizer
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.query_context import ContextWish, ItemReport, Strategy
from llm_gateway.domain.tokens import TokenRange, estimate, tokens_of
from llm_gateway.errors import ContextWindowExceeded
from llm_gateway.instruments.tokens import TiktokenCounter

from layers.tokenizers.build import build
from tests.adapters.contexts import assembler, random_items, random_text, said, window
from tests.adapters.local_model import missing_for_local_model

_LOCAL: Final = Tokenizer(encoding="local")
# Of a word, and of the marks around a further item, nobody can send a part.
_WORD, _MARKS = 24, 48

Count = Callable[[str, str], TokenRange]


@pytest.fixture(scope="module")
def public() -> Count:
    return TiktokenCounter(build() / "tiktoken").count


@pytest.fixture(scope="module")
def local() -> Iterator[Count]:
    """The bundled model's own tokenizer."""
    if reason := missing_for_local_model():
        pytest.skip(reason)
    import llama_cpp
    from local_model.model_file import find_model
    from local_model.settings import read_settings

    path, _ = find_model(read_settings({}))
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)

    def count(text: str, encoding: str) -> TokenRange:
        tokens = len(model.tokenize(text.encode(), add_bos=False, special=False))
        return TokenRange(least=tokens, most=tokens)

    yield count
    model.close()


@pytest.mark.parametrize("tokenizer", [O200K, CL100K, CLAUDE, CLAUDE_4_7, BYTES], ids=str)
@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_what_is_sent_fits_and_uses_what_there_is(tokenizer: Tokenizer, strategy: Strategy, public: Count) -> None:
    for seed in range(36):
        _check(_random(f"{tokenizer}-{strategy}-{seed}"), tokenizer, strategy, public)


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_so_it_is_with_the_local_models_own_tokenizer(strategy: Strategy, local: Count) -> None:
    for seed in range(20):
        _check(_random(f"local-{strategy}-{seed}"), _LOCAL, strategy, local)


def _random(seed: str) -> Random:
    return Random(seed)  # noqa: S311


def _check(random: Random, tokenizer: Tokenizer, strategy: Strategy, count: Count) -> ChatRequest | None:
    """Assembles one random context; the request that would be sent, or None where it is refused."""
    profile = window(random.choice((700, 2_048, 4_096, 16_000)), tokenizer=tokenizer)
    wish = ContextWish(
        items=random_items(random),
        strategy=strategy,
        max_tokens=random.choice((None, random.randint(100, 6_000))),
    )
    question = said(random_text(random, random.choice((20, 200))))
    chat = ChatRequest(model="m", messages=(question,), system=random.choice((None, "Be brief.")))
    reserved = random.choice((100, 4_096))
    by = assembler(count)
    prepared = by.prepare(_request(chat, wish), wish)
    room = Window.of(profile, output_tokens=reserved, asked=False)
    assert room.input is not None
    alone = estimate(chat, profile, count).most
    try:
        found = prepared.fit(chat, profile, output_tokens=reserved)
    except ContextWindowExceeded:
        assert any(item.pinned for item in wish.items)
        return None

    used = estimate(found.chat, profile, count).most
    assert used <= max(room.input, alone)
    assert wish.max_tokens is None or found.report.tokens <= wish.max_tokens
    budget = min(room.input - alone, wish.max_tokens or room.input)
    unused = max(0, budget - found.report.tokens)
    left_out = [told for told in found.report.items if told.reason == "no_room"]
    if strategy == "recent":
        sizes = [tokens_of(_text_of(told, wish), profile, count).most for told in left_out]
        assert not sizes or unused <= max(budget // 20, min(sizes) + _MARKS * _share(tokenizer))
    elif left_out:
        assert unused <= budget // 20 + (_WORD + _MARKS) * _share(tokenizer)
    for told in found.report.items:
        assert told.outcome != "included" or _text_of(told, wish) in (found.chat.system or "")
    return found.chat


def _share(tokenizer: Tokenizer) -> float:
    """How many tokens more than a public encoding has such a tokenizer counts."""
    return 2.5 if tokenizer.encoding is None else tokenizer.reserve_percent / 100


def _text_of(told: ItemReport, wish: ContextWish) -> str:
    return next(item.text for item in wish.items if item.id == told.id)


def _request(chat: ChatRequest, wish: ContextWish) -> QueryRequest:
    return QueryRequest(messages=chat.messages, system=chat.system, context=wish)
