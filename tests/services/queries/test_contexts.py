"""Queries with a context: assembled for each candidate's window, told of the one that answered, kept with the query."""

from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.chat import ChatRequest, Usage
from llm_gateway.domain.embeddings import Embeddings
from llm_gateway.domain.faults import ProviderFailed, ProviderUnreachable
from llm_gateway.domain.idempotency import Replayed
from llm_gateway.domain.keys import Allowed, KeyLimits
from llm_gateway.domain.providers import ModelConfig, ProviderKind
from llm_gateway.domain.queries import Attempt
from llm_gateway.domain.query_context import ContextWish
from llm_gateway.domain.routing import Step
from llm_gateway.domain.terms import Terms
from llm_gateway.errors import ContextWindowExceeded, ModelNotAllowed, ProviderNotFound, ValidationFailed

from tests.adapters.contexts import item, items
from tests.adapters.engine import Engine, provider, question, with_key
from tests.adapters.prices import FlatPrices
from tests.adapters.query_engine import ALICE, QueryEngine, idempotency

PAGES = items(*(f"Page {number} says that what is sent back in time is refunded in full. " * 8 for number in range(30)))
WISH = ContextWish(items=PAGES)


def sized(name: str, tokens: int, **changes: Any) -> Any:
    return provider(name, models=(ModelConfig(name=f"{name}-model", context_window=tokens),), **changes)


def steps(engine: Engine, **changes: Any) -> list[Step]:
    plan = engine.planner.plan(question(**{"context": WISH, **changes}))
    return [step for step in plan if isinstance(step, Step)]


def test_each_candidate_gets_as_much_as_its_window_takes() -> None:
    small, large = steps(Engine().add(sized("a", 1_000), sized("b", 100_000)))
    assert small.context is not None
    assert large.context is not None
    assert large.context.ids("dropped") == ()
    assert small.context.ids("dropped")
    assert len(small.chat.system or "") < len(large.chat.system or "")


def test_the_answer_tells_of_the_candidate_that_answered() -> None:
    engine = QueryEngine()
    engine.add(sized("a", 1_000), sized("b", 100_000))
    engine.providers.script("a", ProviderFailed("no"))
    query = engine.run(engine.asked(question(context=WISH)))
    assert query.answer is not None
    assert query.answer.provider == "b"
    assert query.answer.context is not None
    assert query.answer.context.ids("dropped") == ()
    assert len(engine.providers.called[0].request.system or "") < len(engine.providers.called[1].request.system or "")


def test_a_query_without_a_context_has_none() -> None:
    engine = QueryEngine()
    engine.add(provider("a"))
    query = engine.run(engine.asked(question()))
    assert query.answer is not None
    assert query.answer.context is None
    assert engine.providers.called[0].request.system is None


def test_a_worker_assembles_what_an_async_query_kept() -> None:
    engine = QueryEngine()
    engine.add(sized("a", 1_000))
    accepted = engine.accept(engine.asked(question(context=WISH, mode="async", timeout_s=300)))
    stored = engine.queries.get(accepted.id)
    assert stored.request.context == WISH
    engine.worker.process(engine.delivery(accepted.id))
    ended = engine.queries.get(accepted.id)
    assert ended.answer.context.ids("dropped")
    assert ended.answer.context.tokens <= 1_000


def test_pinned_items_that_fit_one_candidate_alone_pass_the_other_over() -> None:
    wish = ContextWish(items=(item("rules", "Zebras are not refunded. " * 200, pinned=True),))
    passed, step = Engine().add(sized("a", 500), sized("b", 100_000)).planner.plan(question(context=wish))
    assert isinstance(passed, Attempt)
    assert passed.error_code == "context_window_exceeded"
    assert isinstance(step, Step)
    with pytest.raises(ContextWindowExceeded) as refused:
        Engine().add(sized("a", 500)).planner.plan(question(context=wish))
    assert [error.field for error in refused.value.errors] == ["context.items"]


def test_messages_that_alone_overflow_are_refused_as_ever() -> None:
    with pytest.raises(ContextWindowExceeded) as refused:
        Engine().add(sized("a", 200)).planner.plan(question("internationalization " * 900, context=WISH))
    assert [error.field for error in refused.value.errors] == ["messages"]


def test_what_was_left_out_of_the_conversation_is_a_warning() -> None:
    engine = QueryEngine()
    engine.add(provider("a"))
    asked = question("now", context=ContextWish(history_tokens=1))
    talk = (*question("long ago").messages, *asked.messages)
    query = engine.run(engine.asked(replace(asked, messages=talk)))
    assert query.answer is not None
    assert query.answer.warnings == ("1 earlier messages were left out (context.history.max_tokens: 1).",)
    assert engine.providers.called[0].request.messages == asked.messages


class Counting:
    """Providers of which each counts a token for so many characters; `asked` tells who was asked to."""

    def __init__(self, engine: Engine, *, fails: bool = False) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self._engine, self._fails = engine, fails

    def open(self, config: Any, credentials: Any) -> Any:
        opened = self._engine.providers.open(config, credentials)
        outer = self

        class _Counting(type(opened)):  # type: ignore[misc]
            __slots__ = ()

            def count_tokens(self, request: ChatRequest, *, timeouts: Any) -> int | None:
                outer.asked.append((config.id, credentials.api_key if credentials else None))
                if outer._fails:
                    raise ProviderUnreachable("no")
                return len(request.system or "") // 6 + 20

        return _Counting(opened.providers, config, credentials)


def counting(*configs: Any, fails: bool = False) -> tuple[Engine, Counting]:
    engine = Engine()
    found = Counting(engine, fails=fails)
    engine.real_providers = found  # type: ignore[assignment]
    return engine.add(*configs), found


def test_the_first_candidate_alone_is_asked_to_count_and_only_where_a_query_wants_it() -> None:
    engine, found = counting(with_key("a"), sized("b", 2_000))
    plain, exact = replace(WISH, max_tokens=800), replace(WISH, max_tokens=800, exact=True)
    estimated = steps(engine, context=plain)[0].context
    assert found.asked == []
    counted, other = steps(engine, context=exact)
    assert {who for who, _ in found.asked} == {"a"}
    assert {key for _, key in found.asked} == {"key-of-a"}
    assert counted.context is not None
    assert estimated is not None
    assert other.context is not None
    assert counted.context.exact
    assert len(counted.context.ids("included")) > len(estimated.ids("included"))
    assert not other.context.exact


def test_a_candidate_that_is_passed_over_is_not_asked_to_count() -> None:
    passed = provider("a", kind=ProviderKind.OPENAI, models=(ModelConfig(name="o3"),), default_model="o3")
    engine, found = counting(passed, sized("b", 2_000))
    request = question(context=replace(WISH, exact=True))
    engine.planner.plan(replace(request, parameters=replace(request.parameters, temperature=0.5)))
    assert {who for who, _ in found.asked} == {"b"}


def test_a_provider_that_fails_to_count_is_asked_all_the_same() -> None:
    engine, _ = counting(sized("a", 2_000), fails=True)
    (step,) = steps(engine, context=replace(WISH, exact=True))
    assert step.context is not None
    assert step.context.warnings == ("The provider did not count the tokens of the context: they are estimated.",)


def foretold(engine: Engine, **changes: Any) -> Any:
    return engine.gateway.foretelling.foretell(question(**changes), Terms(), key_id="key_alice")


def test_a_plan_tells_tokens_by_part_and_costs_and_asks_nobody() -> None:
    engine, found = counting(sized("a", 1_000), sized("b", 100_000))
    talk = (*question("One turn before.").messages, *question("And now?").messages)
    told = foretold(engine, messages=talk, system="Be brief.", context=replace(WISH, exact=True))
    small, large = told.candidates
    assert (small.provider, small.outcome, large.provider) == ("a", "ready", "b")
    parts = small.tokens
    assert parts.system > 0
    assert parts.history > 0
    assert parts.question > 0
    assert parts.tools == 0
    assert parts.context == told.context.tokens < large.tokens.context
    assert parts.total == parts.system + parts.context + parts.history + parts.question + parts.tools
    assert 0 < small.estimated_usd <= small.max_usd
    assert told.system.startswith("Be brief.")
    assert told.context.ids("dropped")
    assert told.warnings == (
        "context.exact: a plan asks no provider to count; the query itself may be sent a little more or less.",
    )
    assert found.asked == []
    assert engine.providers.called == []


def test_a_plan_tells_who_would_be_skipped_and_prices_that_nobody_knows() -> None:
    engine = Engine(prices=FlatPrices("b-model")).add(sized("a", 300), sized("b", 100_000))
    wish = ContextWish(items=(item("rules", "Zebras are not refunded. " * 200, pinned=True),))
    skipped, ready = foretold(engine, context=wish).candidates
    assert (skipped.outcome, skipped.tokens, skipped.max_usd) == ("skipped", None, None)
    assert "pinned items" in skipped.detail
    assert (ready.outcome, ready.estimated_usd, ready.max_usd) == ("ready", None, None)


def test_a_plan_of_a_query_that_would_be_refused_is_refused() -> None:
    wish = ContextWish(items=(item("rules", "Zebras are not refunded. " * 200, pinned=True),))
    with pytest.raises(ContextWindowExceeded):
        foretold(Engine().add(sized("a", 300)), context=wish)


def test_a_plan_without_context_has_none() -> None:
    told = foretold(Engine().add(provider("a")))
    assert (told.context, told.system, told.warnings) == (None, None, ())
    assert told.candidates[0].tokens.context == 0


class Embedding:
    """Providers that embed too: a text about money is near another one about money. `asked` are the texts, in turn."""

    def __init__(self, engine: Engine, *, fails: bool = False) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._engine, self._fails = engine, fails

    def open(self, config: Any, credentials: Any) -> Any:
        opened, outer = self._engine.providers.open(config, credentials), self

        class _Embedding(type(opened)):  # type: ignore[misc]
            __slots__ = ()

            def embed(self, request: Any, *, timeouts: Any, cancelled: Any = None) -> Embeddings:
                outer.asked.append(request.texts)
                if outer._fails:
                    raise ProviderFailed("no")
                vectors = tuple(
                    (1.0, 0.0) if {"refund", "money"} & set(text.split()) else (0.0, 1.0) for text in request.texts
                )
                return Embeddings(vectors=vectors, model=request.model, usage=Usage(input_tokens=3))

        return _Embedding(opened.providers, config, credentials)


def embedding(*, fails: bool = False) -> tuple[QueryEngine, Embedding]:
    engine = QueryEngine()
    found = Embedding(engine, fails=fails)
    engine.real_providers = found  # type: ignore[assignment]
    engine.add(sized("a", 100_000), provider("e", models=(ModelConfig(name="embed-1"),), default_model="embed-1"))
    return engine, found


def by_embeddings(**changes: Any) -> Any:
    texts = items("The zebra sleeps at noon.", "A refund comes in a week.", "Parcels leave at noon.")
    wish = ContextWish(items=texts, ranking="embeddings", embedding_model="e/embed-1", max_tokens=110)
    return question("When do I see my money again at noon?", context=wish, provider="a", **changes)


def test_embeddings_rank_where_a_query_wants_them() -> None:
    engine, found = embedding()
    query = engine.run(engine.asked(by_embeddings()))
    assert query.answer is not None
    assert query.answer.context is not None
    assert [told.score for told in query.answer.context.items] == [0.0, 1.0, 0.0]
    assert query.answer.context.items[1].outcome == "included"
    assert query.answer.warnings == ()
    assert [len(texts) for texts in found.asked] == [4]


def test_a_text_is_embedded_once() -> None:
    engine, found = embedding()
    for _ in range(2):
        engine.run(engine.asked(by_embeddings()))
    other = by_embeddings()
    wish = replace(other.context, items=(*other.context.items, item("new", "Money back.")))
    engine.run(engine.asked(replace(other, context=wish)))
    assert [len(texts) for texts in found.asked] == [4, 1]


def test_a_replay_embeds_nothing() -> None:
    """Where no vectors are kept any more, planning it anew would pay for them again."""
    engine, found = embedding()
    first = engine.run(engine.asked(by_embeddings(), idempotency=idempotency()))
    found.asked.clear()
    texts = items("A cat.", "A dog.")
    anew = by_embeddings()
    unknown = replace(anew, context=replace(anew.context, items=texts))
    again = engine.asking.run(engine.asked(unknown, idempotency=idempotency()))
    assert isinstance(again, Replayed)
    assert (again.made.id, again.made.answer) == (first.id, first.answer)
    assert found.asked == []


def test_without_embeddings_words_rank_and_a_warning_says_so() -> None:
    engine, found = embedding(fails=True)
    query = engine.run(engine.asked(by_embeddings()))
    assert query.answer is not None
    assert query.answer.context is not None
    assert (query.answer.context.items[0].score or 0) > 0.9 > (query.answer.context.items[1].score or 0)
    (warning,) = query.answer.warnings
    assert (
        warning == "context.ranking: no embeddings came (provider_error); the items are ranked by their words (bm25)."
    )
    assert found.asked


def test_an_embedder_that_does_not_exist_is_named() -> None:
    engine, _ = embedding()
    request = by_embeddings()
    with pytest.raises(ProviderNotFound):
        engine.run(engine.asked(replace(request, context=replace(request.context, embedding_model="nobody/embed-1"))))


def test_a_key_that_may_not_ask_the_embedder_is_refused() -> None:
    engine, found = embedding()
    caller = replace(ALICE, allow=Allowed(models=("a-model",)))
    with pytest.raises(ModelNotAllowed):
        engine.run(engine.asked(by_embeddings(), caller=caller))
    assert found.asked == []


def test_embeddings_count_against_the_limit_of_the_key() -> None:
    engine, found = embedding()
    caller = replace(ALICE, limits=KeyLimits(tokens_per_minute=20))
    with pytest.raises(ValidationFailed):
        engine.run(engine.asked(by_embeddings(), caller=caller))
    assert found.asked == []


def test_a_plan_and_an_acceptance_ask_nobody_for_embeddings_and_the_worker_does() -> None:
    engine, found = embedding()
    told = foretold(engine, **{name: getattr(by_embeddings(), name) for name in ("messages", "context", "provider")})
    assert told.warnings[0].startswith("context.ranking: no embeddings came")
    accepted = engine.accept(engine.asked(by_embeddings(mode="async", timeout_s=300)))
    assert found.asked == []
    engine.worker.process(engine.delivery(accepted.id))
    assert found.asked
    assert engine.queries.get(accepted.id).answer.context.items[1].score == 1
