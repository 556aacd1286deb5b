"""Mending: an answer of the wrong form, and the one request to put it right."""

from decimal import Decimal

import pytest
from llm_gateway.domain.chat import OutputFormat, Usage
from llm_gateway.domain.faults import ProviderFailed, ProviderRejected, ResponseValidationFailed
from llm_gateway.domain.providers import (
    ModelConfig,
    RetryPolicy,
)
from llm_gateway.errors import ContextWindowExceeded, NoProviderAvailable

from tests.adapters.engine import Engine, provider, question
from tests.adapters.scripted_providers import Says, failing
from tests.services.queries.dispatching import NEVER_OPEN, fails, outcomes

JSON = OutputFormat(type="json_schema", schema={"type": "object", "required": ["name"]})


BROKEN = Says(text='{"nome": "Ada"}', usage=Usage(input_tokens=100, output_tokens=50))
GOOD = Says(text='{"name": "Ada"}')


def test_an_answer_of_the_asked_form(alone: Engine) -> None:
    alone.providers.script("a", GOOD)

    answered, progress = alone.ask(question(output=JSON))

    assert answered.json == {"name": "Ada"}
    assert outcomes(progress) == ["a ok"]


def test_one_request_to_mend_it_carries_the_validators_message(alone: Engine) -> None:
    alone.providers.script("a", BROKEN, GOOD)

    answered, progress = alone.ask(question(output=JSON))

    assert answered.json == {"name": "Ada"}
    assert outcomes(progress) == ["a error response_validation_failed", "a ok"]
    assert [attempt.cost_usd for attempt in progress.attempts] == [Decimal("0.00015"), Decimal("0.000015")]
    first, repair = (call.request for call in alone.providers.called)
    assert repair.messages[:-2] == first.messages
    assert repair.messages[-2].text == BROKEN.text
    assert "'name' is a required property" in repair.messages[-1].text
    assert (repair.output, repair.parameters) == (first.output, first.parameters)


def test_what_cannot_be_mended_falls_over(two: Engine) -> None:
    two.providers.script("a", BROKEN, BROKEN)
    two.providers.script("b", GOOD)

    _, progress = two.ask(question(output=JSON))

    assert progress.answering.provider.id == "b"
    assert outcomes(progress) == ["a error response_validation_failed"] * 2 + ["b ok"]
    # The next one is asked the question itself, not to mend another's answer.
    assert len(two.providers.called[-1].request.messages) == 1


def test_what_cannot_be_mended_is_an_error(alone: Engine) -> None:
    alone.providers.otherwise = BROKEN

    fault = fails(alone, ResponseValidationFailed, output=JSON)

    assert (fault.status, fault.code) == (502, "response_validation_failed")
    assert len(alone.providers.called) == 2


def test_nobodys_answer_has_the_form(two: Engine) -> None:
    two.providers.otherwise = BROKEN

    fails(two, NoProviderAvailable, output=JSON)

    assert two.providers.order == ["a", "a", "b", "b"]


@pytest.mark.parametrize("refusal", [ProviderRejected("No."), ContextWindowExceeded("Too long.")])
def test_a_provider_that_refuses_to_mend_does_not_make_the_request_wrong(two: Engine, refusal: Exception) -> None:
    two.providers.script("a", BROKEN, refusal)
    two.providers.script("b", GOOD)

    _, progress = two.ask(question(provider="a", fallback=("b",), output=JSON))

    assert progress.answering.provider.id == "b"
    assert len(progress.attempts) == 3
    two.providers.script("a", BROKEN, refusal)
    fails(two, ResponseValidationFailed, provider="a", output=JSON)


def test_mending_fails_for_another_reason(two: Engine) -> None:
    two.providers.script("a", BROKEN, failing(ProviderFailed))
    two.providers.script("b", GOOD)

    _, progress = two.ask(question(output=JSON))

    assert outcomes(progress) == ["a error response_validation_failed", "a error provider_error", "b ok"]


def test_mending_counts_as_a_call(engine: Engine) -> None:
    engine.add(provider("a", retry=RetryPolicy(max_attempts=6), circuit=NEVER_OPEN))
    engine.providers.script("a", *[failing(ProviderFailed)] * 5, BROKEN, GOOD)

    fails(engine, ResponseValidationFailed, output=JSON)

    assert len(engine.providers.called) == 6


def test_a_form_in_words_is_mended_in_words(engine: Engine) -> None:
    engine.add(provider("a", models=(ModelConfig(name="a-model", capabilities=frozenset()),)))
    engine.providers.script("a", Says(text="Ada."), Says(text='```json\n{"name": "Ada"}\n```'))

    answered, _ = engine.ask(question(output=JSON))

    assert answered.json == {"name": "Ada"}
    assert [call.request.output.type for call in engine.providers.called] == ["text", "text"]
    assert all("JSON schema" in call.request.system for call in engine.providers.called)
