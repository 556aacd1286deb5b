"""A provider's state: read from its gate, and from a live call where one is asked for by those who may."""

import pytest
from llm_gateway.domain.faults import ProviderAuthFailed, ProviderFailed, ProviderRateLimited, ProviderRejected
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.providers import ProviderKind
from llm_gateway.errors import DependencyUnavailable, Forbidden, ProviderNotFound
from llm_gateway.services.provider_status import StatusService

from tests.adapters.engine import Engine, provider
from tests.adapters.scripted_providers import Raises, Says, failing

OPERATOR = Caller(key_id="key_operator", role=Role.OPERATOR)
AUDITOR = Caller(key_id="key_auditor", role=Role.AUDITOR)


@pytest.fixture
def engine() -> Engine:
    return Engine().add(provider("a"), provider("b"))


@pytest.fixture
def service(engine: Engine) -> StatusService:
    return StatusService(providers=engine.store, gates=engine.gates, dispatcher=engine.dispatcher, clock=engine.clock)


def test_looking_calls_nobody(engine: Engine, service: StatusService) -> None:
    config, state = service.status("a", probe=False, caller=AUDITOR)
    assert config.id == "a"
    assert state.metrics.requests == 0
    assert engine.providers.called == []
    assert engine.gates.admitted == []


def test_a_probe_is_a_call_like_any_other(engine: Engine, service: StatusService) -> None:
    engine.providers.script("a", Says(after_s=0.2))
    _, state = service.status("a", probe=True, caller=OPERATOR)
    (called,) = engine.providers.called
    assert called.provider == "a"
    assert called.timeouts.total_s <= 15
    assert called.request.parameters.max_output_tokens == 16
    assert engine.gates.all_ended_once
    assert (state.metrics.requests, state.metrics.errors) == (1, 0)
    assert state.last_success_at == engine.clock.now()


@pytest.mark.parametrize(("model", "by_responses"), [("gpt-5-pro", True), ("gpt-4.1-mini", False)])
def test_a_probe_asks_by_the_api_by_which_queries_ask(
    engine: Engine, service: StatusService, model: str, *, by_responses: bool
) -> None:
    engine.add(provider("o", kind=ProviderKind.OPENAI, default_model=model))
    service.status("o", probe=True, caller=OPERATOR)
    assert [called.request.by_responses for called in engine.providers.called] == [by_responses]


def test_a_probe_that_fails_shows_in_the_state(engine: Engine, service: StatusService) -> None:
    engine.providers.script("a", ProviderFailed("500"))
    _, state = service.status("a", probe=True, caller=OPERATOR)
    assert (state.metrics.requests, state.metrics.errors) == (1, 1)
    assert state.last_error is not None
    assert state.last_error.code == "provider_error"
    assert engine.providers.order == ["a"], "nobody else answers for it"


@pytest.mark.parametrize(
    ("behavior", "code", "words"),
    [
        (
            failing(ProviderAuthFailed, upstream_status=401, provider_message="Incorrect API key."),
            "provider_auth_failed",
            "It failed: Incorrect API key.",
        ),
        (
            failing(ProviderRejected, upstream_status=400, provider_message="No model 'a-model'."),
            "validation_failed",
            "It failed: No model 'a-model'.",
        ),
        (Says(after_s=100), "provider_timeout", "The provider did not answer in time (the time of a probe: 15 s)."),
    ],
)
def test_a_probe_says_what_is_wrong_in_a_line(
    engine: Engine, service: StatusService, behavior: Says | Raises, code: str, words: str
) -> None:
    engine.providers.script("a", behavior)
    _, state = service.status("a", probe=True, caller=OPERATOR)
    assert state.last_error is not None
    assert (state.last_error.code, state.last_error.detail) == (code, words)
    assert state.last_error.at == engine.clock.now()


@pytest.mark.parametrize("fault", [ProviderRateLimited("Full.", retry_after_s=9), DependencyUnavailable("away")])
def test_a_probe_that_may_not_pass_is_not_made(engine: Engine, service: StatusService, fault: Exception) -> None:
    engine.gates.refusals["a"] = [fault]
    service.status("a", probe=True, caller=OPERATOR)
    assert engine.providers.called == []


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.CALLER, Role.PROMPT_EDITOR])
def test_who_only_reads_may_not_probe(engine: Engine, service: StatusService, role: Role) -> None:
    with pytest.raises(Forbidden):
        service.status("a", probe=True, caller=Caller(key_id="key_x", role=role))
    assert engine.providers.called == []


@pytest.mark.parametrize("probe", [False, True])
def test_one_that_is_not_there(service: StatusService, probe: bool) -> None:
    with pytest.raises(ProviderNotFound):
        service.status("nobody", probe=probe, caller=OPERATOR)
