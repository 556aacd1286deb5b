"""Planning: who is asked, in which order, with what, and who is passed over."""

from collections import Counter
from random import Random

import pytest
from llm_gateway.domain.chat import ImagePart, Message, MessageRole, OutputFormat, Parameters, TextPart, Tool
from llm_gateway.domain.providers import Capability, ModelConfig, ProviderKind, ProviderLimits
from llm_gateway.domain.queries import Attempt, AttemptOutcome
from llm_gateway.domain.routing import Step, candidates
from llm_gateway.errors import (
    ContextWindowExceeded,
    NoProviderAvailable,
    ProviderNotFound,
    UnsupportedParameter,
    ValidationFailed,
)

from tests.adapters.engine import Engine, provider, question

SCHEMA = OutputFormat(type="json_schema", schema={"type": "object", "required": ["name"]})


def without(*capabilities: Capability, name: str, **changes) -> tuple[ModelConfig, ...]:
    """The models of a provider whose only one lacks these."""
    return (ModelConfig(name=name, capabilities=frozenset(Capability) - set(capabilities), **changes),)


def unable(provider_id: str, *capabilities: Capability, **changes):
    return provider(provider_id, models=without(*capabilities, name=f"{provider_id}-model"), **changes)


def windowed(provider_id: str, window: int):
    return provider(provider_id, models=(ModelConfig(name=f"{provider_id}-model", context_window=window),))


def planned(engine: Engine, **asked) -> list[str]:
    """The plan in short: `provider/model` for a step, `provider: code` for one that is passed over."""
    plan = engine.planner.plan(question(**asked))
    return [
        f"{place.candidate.provider.id}/{place.candidate.model.name}"
        if isinstance(place, Step)
        else f"{place.provider}: {place.error_code}"
        for place in plan
    ]


@pytest.fixture
def three(engine: Engine) -> Engine:
    return engine.add(provider("a"), provider("b"), provider("c"))


# --- Order


def test_by_priority(engine: Engine) -> None:
    engine.add(provider("a", priority=3), provider("b", priority=1), provider("c", priority=2))

    assert planned(engine) == ["b/b-model", "c/c-model", "a/a-model"]


def test_equals_go_by_what_is_drawn(engine: Engine) -> None:
    engine.add(*(provider(name, priority=1) for name in "abc"), provider("first", priority=0))

    engine.draws[:] = [0.1, 0.9, 0.5, 0.0]
    assert planned(engine)[1:] == ["b/b-model", "c/c-model", "a/a-model"]
    engine.draws[:] = [0.9, 0.1, 0.5, 0.0]
    assert planned(engine)[1:] == ["a/a-model", "c/c-model", "b/b-model"]


def test_chances_are_in_proportion_to_weights() -> None:
    providers = [provider(name, priority=1, weight=weight) for name, weight in (("a", 1), ("b", 3), ("c", 6))]
    draw = Random(7).random  # noqa: S311 - the same draws on every run

    firsts = Counter(candidates(question(), providers, draw=draw)[0].provider.id for _ in range(10_000))

    assert {name: round(count / 10_000, 1) for name, count in firsts.items()} == {"a": 0.1, "b": 0.3, "c": 0.6}


def test_the_heaviest_weight_and_the_smallest_draw_are_no_trouble() -> None:
    providers = [provider("a", priority=1, weight=1_000_000), provider("b", priority=1)]

    assert len(candidates(question(), providers, draw=lambda: 0.0)) == 2


def test_a_query_stays_with_the_one_it_names(three: Engine) -> None:
    assert planned(three, provider="b") == planned(three, model="b/b-model") == ["b/b-model"]
    assert planned(three, provider="b", fallback=("*",)) == ["b/b-model", "a/a-model", "c/c-model"]


def test_fallbacks_come_in_their_own_order(three: Engine) -> None:
    assert planned(three, provider="b", fallback=("c", "a")) == ["b/b-model", "c/c-model", "a/a-model"]


def test_no_fallbacks(three: Engine) -> None:
    assert planned(three, provider="b", fallback=()) == ["b/b-model"]


def test_nobody_is_asked_twice(three: Engine) -> None:
    plan = three.planner.plan(question(provider="a", fallback=("b", "a", "b/b-model", "b/other")))

    assert [place.candidate.model.name for place in plan] == ["a-model", "b-model", "other"]
    assert plan[0].candidate.named


def test_one_that_nobody_named_may_be_replaced_before_it_is_called(three: Engine) -> None:
    plan = three.planner.plan(question(fallback=("c/other",)))

    assert [(place.candidate.provider.id, place.candidate.spare) for place in plan] == [
        ("a", False),
        ("b", True),
        ("c", True),
        ("c", False),
    ]


# --- Names


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ({"model": "b/b-large"}, "b/b-large"),
        ({"model": "b/vendor/large"}, "b/vendor/large"),
        ({"model": "b/"}, "b/b-model"),
        ({"provider": "b", "model": "b-large"}, "b/b-large"),
        ({"provider": "b", "model": "b/b-large"}, "b/b-large"),
        # As a server of many vendors' models has it.
        ({"provider": "b", "model": "a/large"}, "b/a/large"),
        ({"model": "c-model"}, "c/c-model"),
    ],
)
def test_models_are_named_with_and_without_their_provider(three: Engine, asked: dict, first: str) -> None:
    assert planned(three, **asked, fallback=())[0] == first


@pytest.mark.parametrize(
    ("fallback", "then"), [("c", "c/c-model"), ("c/large", "c/large"), ("c/vendor/large", "c/vendor/large")]
)
def test_a_fallback_names_its_model_or_takes_the_providers_own(three: Engine, fallback: str, then: str) -> None:
    assert planned(three, model="a/large", fallback=(fallback,)) == ["a/large", then]


def test_only_those_who_list_a_model_are_asked_for_it(engine: Engine) -> None:
    both = (ModelConfig(name="shared"),)
    engine.add(provider("a"), provider("b", models=both), provider("c", models=both, default_model="shared"))

    assert planned(engine, model="shared") == ["b/shared", "c/shared"]


def test_others_than_the_named_one_take_the_model_if_they_have_it(engine: Engine) -> None:
    engine.add(provider("a"), provider("b"), provider("c", models=(ModelConfig(name="shared"),)))

    for asked in ({"provider": "a", "model": "shared"}, {"model": "a/shared"}):
        assert planned(engine, **asked, fallback=("*",)) == ["a/shared", "b/b-model", "c/shared"]


def test_a_model_that_nobody_lists(three: Engine) -> None:
    with pytest.raises(ValidationFailed) as caught:
        planned(three, model="gpt-7")
    assert [error.field for error in caught.value.errors] == ["model"]


@pytest.mark.parametrize("asked", [{"provider": "nobody"}, {"fallback": ("a", "nobody/model")}])
def test_a_provider_that_does_not_exist(three: Engine, asked: dict) -> None:
    with pytest.raises(ProviderNotFound):
        planned(three, **asked)


# --- Who is passed over


def test_nobody_is_registered(engine: Engine) -> None:
    with pytest.raises(NoProviderAvailable):
        planned(engine)


def test_those_that_are_disabled_are_no_candidates(engine: Engine) -> None:
    engine.add(provider("a", enabled=False), provider("b"))

    assert planned(engine) == ["b/b-model"]


def test_one_that_is_named_and_disabled_is_passed_over(engine: Engine) -> None:
    engine.add(provider("a", enabled=False), provider("b"), provider("c", enabled=False))

    assert planned(engine, provider="a", fallback=("*",)) == ["a: provider_disabled", "b/b-model"]
    assert planned(engine, provider="b", fallback=("c",)) == ["b/b-model", "c: provider_disabled"]


def test_everybody_is_disabled(engine: Engine) -> None:
    engine.add(provider("a", enabled=False))

    for asked in ({}, {"provider": "a"}, {"provider": "a", "fallback": ()}, {"model": "a-model"}):
        with pytest.raises(NoProviderAvailable) as caught:
            planned(engine, **asked)
        assert caught.value.retry_after_s >= 1


UNABLE = [
    (Capability.TEMPERATURE, {"parameters": Parameters(temperature=0.5)}, "parameters.temperature"),
    (Capability.TOP_P, {"parameters": Parameters(top_p=0.5)}, "parameters.top_p"),
    (Capability.STOP, {"parameters": Parameters(stop=("\n",))}, "parameters.stop"),
    (Capability.SEED, {"parameters": Parameters(seed=1)}, "parameters.seed"),
    (Capability.TOOLS, {"tools": (Tool(name="look"),)}, "tools"),
    (
        Capability.IMAGES,
        {"messages": (Message(role=MessageRole.USER, content=(ImagePart(url="https://example.com/owl.png"),)),)},
        "messages[0].content[0]",
    ),
]


@pytest.mark.parametrize(("capability", "asked", "field"), UNABLE, ids=lambda value: str(value)[:20])
def test_what_the_named_one_cannot_take_is_refused(engine: Engine, capability, asked: dict, field: str) -> None:
    engine.add(unable("a", capability), provider("b"))

    with pytest.raises(UnsupportedParameter) as caught:
        planned(engine, provider="a", **asked)

    assert [error.field for error in caught.value.errors] == [field]
    assert "a-model" in caught.value.detail


def test_a_longer_answer_than_the_model_writes_is_refused_with_its_maximum(engine: Engine) -> None:
    engine.add(provider("a", models=without(Capability.SEED, name="a-model", max_output_tokens=700)))

    with pytest.raises(UnsupportedParameter) as caught:
        planned(engine, parameters=Parameters(max_output_tokens=701, seed=1))

    assert {error.field: error.message for error in caught.value.errors} == {
        "parameters.max_output_tokens": "a-model writes at most 700 tokens: ask for no more of them, or for another model",
        "parameters.seed": "a-model cannot take this: leave it out or ask for another model",
    }
    assert "at most 700 tokens" in caught.value.detail
    assert planned(engine, parameters=Parameters(max_output_tokens=700)) == ["a/a-model"]


@pytest.mark.parametrize(("capability", "asked", "field"), UNABLE, ids=lambda value: str(value)[:20])
def test_what_the_only_one_cannot_take_is_refused(engine: Engine, capability, asked: dict, field: str) -> None:
    engine.add(unable("a", capability))

    with pytest.raises(UnsupportedParameter):
        planned(engine, **asked)


@pytest.mark.parametrize(("capability", "asked", "field"), UNABLE, ids=lambda value: str(value)[:20])
def test_another_that_cannot_take_it_is_passed_over(engine: Engine, capability, asked: dict, field: str) -> None:
    engine.add(provider("a"), unable("b", capability), provider("c"))

    assert planned(engine, **asked) == ["a/a-model", "b: unsupported_parameter", "c/c-model"]
    assert planned(engine, provider="a", fallback=("b",), **asked) == ["a/a-model", "b: unsupported_parameter"]


def test_the_best_one_that_can_take_it_is_chosen_also_where_there_are_no_fallbacks(engine: Engine) -> None:
    engine.add(unable("a", Capability.SEED), provider("b"))

    asked = {"parameters": Parameters(seed=1), "fallback": ()}
    assert planned(engine, **asked) == ["a: unsupported_parameter", "b/b-model"]


def test_one_that_is_passed_over_is_an_attempt_that_cost_nothing(engine: Engine) -> None:
    engine.add(unable("a", Capability.SEED), provider("b"))

    passed_over, _ = engine.planner.plan(question(parameters=Parameters(seed=1)))

    assert passed_over == Attempt(
        provider="a",
        model="a-model",
        outcome=AttemptOutcome.SKIPPED,
        error_code="unsupported_parameter",
        detail="parameters.seed: a-model cannot take this: leave it out or ask for another model",
        cause="parameters.seed: a-model cannot take this: leave it out or ask for another model",
    )


# --- Windows


def test_a_smaller_window_is_not_sent_what_cannot_fit(engine: Engine) -> None:
    engine.add(windowed("a", 200), windowed("b", 100_000))

    assert planned(engine, text="word " * 2_000) == ["a: context_window_exceeded", "b/b-model"]


def test_the_answer_needs_room_too(engine: Engine) -> None:
    engine.add(windowed("a", 150), windowed("b", 1_000))

    text = "word " * 40
    assert planned(engine, text=text, parameters=Parameters(max_output_tokens=149))[0] == "a: context_window_exceeded"
    assert planned(engine, text=text, parameters=Parameters(max_output_tokens=20))[0] == "a/a-model"


@pytest.mark.parametrize("asked", [{}, {"provider": "a"}, {"provider": "a", "fallback": ()}])
def test_what_fits_nobodys_window_is_refused(engine: Engine, asked: dict) -> None:
    engine.add(windowed("a", 200), windowed("b", 100))

    with pytest.raises(ContextWindowExceeded) as caught:
        planned(engine, text="word " * 2_000, **asked)
    assert [error.field for error in caught.value.errors] == ["messages"]
    assert "the window of a-model: 200 tokens" in caught.value.detail
    assert ("b: At least" in caught.value.detail) == (asked == {})
    assert [attempt.provider for attempt in caught.value.attempts] == (["a"] if asked else ["a", "b"])


def test_what_does_not_fit_the_named_ones_window_goes_to_the_fallback(engine: Engine) -> None:
    engine.add(windowed("a", 200), windowed("b", 100_000))

    asked = {"provider": "a", "fallback": ("b",)}
    assert planned(engine, text="word " * 2_000, **asked) == ["a: context_window_exceeded", "b/b-model"]


def test_an_unknown_window_is_the_providers_own_affair(engine: Engine) -> None:
    engine.add(provider("a"))

    assert planned(engine, text="word " * 100_000) == ["a/a-model"]


# --- Tokens to reserve


def limited(provider_id: str, per_minute: int, kind: ProviderKind = ProviderKind.OPENAI):
    return provider(
        provider_id, kind=kind, default_model="gpt-4.1", limits=ProviderLimits(tokens_per_minute=per_minute)
    )


def reserved(engine: Engine, text: str) -> int:
    (step,) = engine.planner.plan(question(text))
    return step.tokens


def test_nothing_is_reserved_where_nothing_is_limited(engine: Engine) -> None:
    engine.add(provider("a"))

    assert reserved(engine, "word " * 100) == 0
    assert engine.counter.counted == []


def test_a_request_that_is_small_beside_the_limit_is_not_counted(engine: Engine) -> None:
    engine.add(limited("a", 1_000_000))

    assert reserved(engine, "word " * 100) >= 500
    assert engine.counter.counted == []


def test_a_request_that_is_large_beside_the_limit_is_counted(engine: Engine) -> None:
    engine.add(limited("a", 2_000))

    tokens = reserved(engine, "word " * 100)

    assert 100 + 100 <= tokens < 500
    assert engine.counter.counted


# --- Structured output


@pytest.mark.parametrize(
    ("missing", "output"),
    [(Capability.JSON_SCHEMA, SCHEMA), (Capability.JSON, OutputFormat(type="json"))],
)
def test_a_form_is_asked_for_in_words_where_the_model_has_no_field_for_it(engine: Engine, missing, output) -> None:
    engine.add(unable("a", missing), provider("b"))

    in_words, in_a_field = engine.planner.plan(question(output=output, system="Be brief."))

    assert in_words.chat.output == OutputFormat()
    assert "JSON" in in_words.chat.system
    assert in_words.chat.system.startswith("Be brief.")
    assert in_words.output == output
    assert (in_a_field.chat.output, in_a_field.chat.system) == (output, "Be brief.")


def test_a_schema_that_cannot_be_used_is_refused_first(engine: Engine) -> None:
    with pytest.raises(ValidationFailed) as caught:
        planned(engine, output=OutputFormat(type="json_schema", schema={"type": "objekt"}))
    assert [error.field for error in caught.value.errors] == ["output.schema"]


def test_a_wire_that_demands_a_maximum_gets_one(engine: Engine) -> None:
    engine.add(provider("a", kind=ProviderKind.ANTHROPIC, default_model="claude-haiku-4-5", models=()), provider("b"))

    with_one, without_one = engine.planner.plan(question(parameters=Parameters()))

    assert with_one.chat.parameters.max_output_tokens == 4_096
    assert without_one.chat.parameters.max_output_tokens is None


def test_everything_asked_reaches_the_candidate(engine: Engine) -> None:
    engine.add(provider("a"))
    request = question(
        system="Be brief.",
        tools=(Tool(name="look"),),
        tool_choice="required",
        messages=(Message(role=MessageRole.USER, content=(TextPart(text="Hm?"),)),),
        parameters=Parameters(temperature=0.1, top_p=0.2, stop=("x",), seed=3, max_output_tokens=4),
    )

    (step,) = engine.planner.plan(request)

    assert step.chat.messages == request.messages
    assert (step.chat.system, step.chat.tools, step.chat.tool_choice) == ("Be brief.", request.tools, "required")
    assert step.chat.parameters == request.parameters


@pytest.mark.parametrize("host", ["localhost", "10.0.0.7", "127.1", "[64:ff9b::10.0.0.7]"])
def test_an_image_at_a_private_address_is_loaded_only_where_they_are_allowed(host: str) -> None:
    parts = (TextPart(text="What is this?"), ImagePart(url=f"https://{host}/a.png"))
    hello = question().messages
    request = question(messages=(*hello, Message(role=MessageRole.USER, content=parts)))
    with pytest.raises(ValidationFailed) as refused:
        Engine().add(provider("a")).planner.plan(request)
    assert [error.field for error in refused.value.errors] == ["messages[1].content[1].image_url.url"]
    assert Engine(private_addresses_allowed=True).add(provider("a")).planner.plan(request)


@pytest.mark.parametrize("url", ["https://example.com/a.png", "data:image/png;base64,AAAA"])
def test_other_images_are_let_through(url: str) -> None:
    request = question(messages=(Message(role=MessageRole.USER, content=(ImagePart(url=url),)),))
    assert Engine().add(provider("a")).planner.plan(request)
