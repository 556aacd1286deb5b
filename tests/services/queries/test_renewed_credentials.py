"""Credentials: a refused one is read anew once, and one that cannot be had is no reason to give up."""

from llm_gateway.domain.faults import ProviderAuthFailed
from llm_gateway.domain.providers import (
    ProviderCredentials,
    ProviderLimits,
)
from llm_gateway.errors import DependencyUnavailable

from tests.adapters.engine import Engine, provider, question, settle, with_key
from tests.adapters.scripted_providers import failing
from tests.services.queries.dispatching import PATIENT, fails, outcomes


def test_a_new_key_is_used_at_once_after_a_refusal(engine: Engine) -> None:
    engine.add(with_key("a"))
    engine.credentials = Rotated(engine.credentials, "a", "new-key")
    engine.providers.script("a", failing(ProviderAuthFailed))

    _, progress = engine.ask(question())
    engine.ask(question())

    assert outcomes(progress) == ["a error provider_auth_failed", "a ok"]
    assert [call.credentials.api_key for call in engine.providers.called] == ["key-of-a", "new-key", "new-key"]
    assert engine.credentials.read_anew == 1


class Rotated:
    """A store whose copy of a secret is old until it is read anew."""

    def __init__(self, store, provider_id: str, api_key: str) -> None:
        self.read_anew = 0
        self._store, self._id, self._new = store, provider_id, ProviderCredentials(api_key=api_key)

    def get(self, provider_id: str, *, fresh: bool = False, **_: object) -> ProviderCredentials | None:
        if fresh:
            self.read_anew += 1
            self._store.put(self._id, self._new)
        return self._store.get(provider_id)


def test_a_key_that_is_refused_and_not_new_is_not_sent_again(engine: Engine) -> None:
    engine.add(with_key("a", retry=PATIENT))
    engine.providers.otherwise = failing(ProviderAuthFailed)

    fault = fails(engine, ProviderAuthFailed)

    assert (fault.status, fault.provider) == (502, "a")
    assert len(engine.providers.called) == 1


def test_a_new_key_is_refused_too(engine: Engine) -> None:
    engine.add(with_key("a", retry=PATIENT), provider("b"))
    engine.credentials = Rotated(engine.credentials, "a", "new-key")
    engine.providers.script("a", failing(ProviderAuthFailed), failing(ProviderAuthFailed))

    _, progress = engine.ask(question())

    assert outcomes(progress) == ["a error provider_auth_failed"] * 2 + ["b ok"]


def test_a_provider_without_credentials_has_none_to_renew(engine: Engine) -> None:
    engine.add(provider("a"))
    engine.providers.script("a", failing(ProviderAuthFailed))

    fails(engine, ProviderAuthFailed)

    assert [call.credentials for call in engine.providers.called] == [None]


class Away:
    def get(self, *_: object, **__: object) -> ProviderCredentials | None:
        raise DependencyUnavailable("The credentials cannot be reached.", retry_after_s=1)


def test_one_whose_credentials_cannot_be_had_is_passed_by(engine: Engine) -> None:
    engine.add(with_key("a"), provider("b"))
    engine.credentials = Away()

    _, progress = engine.ask(question())

    assert outcomes(progress) == ["a skipped dependency_unavailable", "b ok"]


def test_nobodys_credentials_can_be_had(engine: Engine) -> None:
    engine.add(with_key("a"), with_key("b"))
    engine.credentials = Away()

    fault = fails(engine, DependencyUnavailable)

    assert fault.status == 503
    assert engine.gates.admitted == []


def test_what_was_admitted_ahead_is_given_back_where_the_call_is_not_made(engine: Engine) -> None:
    engine.add(with_key("a", limits=ProviderLimits(max_concurrent=1)), provider("b"))
    engine.credentials = Away()
    request = question()
    progress, plan = engine.progress(request), engine.planner.plan(request)

    progress.ahead = engine.ahead(plan[0], progress)
    engine.dispatcher.ask(plan, progress)
    settle(progress)

    assert len(engine.gates.withdrawn) == 1
    assert engine.gates.all_ended_once


def test_limits_that_cannot_be_reached_let_nobody_through(two: Engine) -> None:
    two.gates.refusals.update({name: [DependencyUnavailable("The limits cannot be reached.")] for name in "ab"})

    fails(two, DependencyUnavailable)

    assert two.providers.called == []
