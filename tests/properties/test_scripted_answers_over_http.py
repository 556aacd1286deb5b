"""Answers with members missing, null and of other types, all the way: somebody answers, or the problem is a documented one.

They are those of `tests.providers.test_scripted_answers`, each given by the first candidate of a query that has a second.
"""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest
from llm_gateway.domain.chat import Parameters
from llm_gateway.domain.providers import CircuitPolicy, ModelConfig, ProviderKind, RetryPolicy
from llm_gateway.domain.queries import AttemptOutcome, QueryRequest
from llm_gateway.errors import GatewayError
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers import signature
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.wire.error_codes import ERROR_CODES

from tests.adapters.engine import Engine, provider, question
from tests.adapters.real_engine import calling, real_engine, upstreams
from tests.adapters.upstream import Answer, Raw, ScriptedUpstream
from tests.adapters.upstream_converse import ACCESS_KEY, SECRET_KEY, TOKEN
from tests.providers.test_scripted_answers import Script, is_counted, script

QUERIES = 400
PRICE = Decimal(27) / 1_000_000  # Of the tokens that an upstream counts unless told otherwise.
ASKED = {
    ProviderKind.OPENAI: ("a", "gpt-5.6-sol"),
    ProviderKind.ANTHROPIC: ("b", "claude-opus-5-5"),
    ProviderKind.OPENAI_COMPATIBLE: ("d", "model"),
    ProviderKind.BEDROCK: ("e", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
}
Upstreams = dict[str, ScriptedUpstream]


@pytest.fixture(scope="module", autouse=True)
def credentials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        environment.setenv("AWS_SESSION_TOKEN", TOKEN)
        signature.session.cache_clear()
        yield
    signature.session.cache_clear()


@pytest.fixture(scope="module")
def servers() -> Iterator[Upstreams]:
    with upstreams() as servers, ScriptedUpstream() as bedrock:
        yield {**servers, "e": bedrock}


@pytest.fixture(scope="module")
def engine(servers: Upstreams) -> Engine:
    """No circuit opens, and nothing is tried twice: each script is for one call."""
    patient = {"circuit": CircuitPolicy(failure_threshold=10**6), "retry": RetryPolicy(max_attempts=1)}
    engine = real_engine(ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True))
    for kind, (name, model) in ASKED.items():
        listed = {"default_model": model, "models": (ModelConfig(name=model),), **patient}
        if kind is ProviderKind.BEDROCK:
            engine.add(provider(name, kind=kind, base_url=servers[name].url, region="eu-central-1", **listed))
        else:
            engine.add(calling(name, servers[name].url, **listed))
    second = {"kind": ProviderKind.OPENAI_COMPATIBLE, "default_model": "model", "models": (ModelConfig(name="model"),)}
    return engine.add(calling("c", servers["c"].url, **second, **patient))


def asking(made: Script) -> QueryRequest:
    name, _ = ASKED[made.kind]
    # Converse has no word for an effort.
    effort = None if made.kind is ProviderKind.BEDROCK else "high"
    parameters = Parameters(max_output_tokens=4_000, reasoning_effort=effort)
    return question(provider=name, fallback=("c",), parameters=parameters, timeout_s=300)


def test_somebody_answers_or_the_problem_is_a_documented_one(engine: Engine, servers: Upstreams) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(QUERIES):
        made = script(number)
        name, _ = ASKED[made.kind]
        servers[name].script(Raw(body=made.body, content_type=made.content_type))
        servers["c"].otherwise = Answer()
        asked = asking(made)
        progress = engine.progress(asked)
        try:
            answer, _ = engine.ask(asked, progress)
        except GatewayError as error:
            outcomes[error.code] += 1
            continue
        first, *others = progress.attempts
        assert first.provider == name, number
        assert (first.outcome is AttemptOutcome.OK) == (not others), (
            f"{number}: the fallback answers where the first did not"
        )
        if others:
            assert answer.text == "Hello there.", number
        elif is_counted(made):
            assert first.cost_usd == PRICE, number
        outcomes["fallback" if others else "first"] += 1
    assert outcomes.keys() <= {"first", "fallback", *ERROR_CODES} - {"internal_error"}
    assert outcomes["first"] > QUERIES / 4, outcomes
    assert outcomes["fallback"] > QUERIES / 20, outcomes
