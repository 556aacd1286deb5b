"""How a provider is doing, as told by what passes its gate, and by a live call where one is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from llm_gateway.access import Permission
from llm_gateway.domain.capabilities import capabilities_of
from llm_gateway.domain.chat import ChatRequest, Message, MessageRole, OutputFormat, Parameters, TextPart
from llm_gateway.domain.health import GateState
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.metrics import LastError
from llm_gateway.domain.providers import Api, ProviderConfig, RetryPolicy
from llm_gateway.domain.queries import Attempt, AttemptOutcome
from llm_gateway.domain.routing import Candidate, Step
from llm_gateway.errors import Forbidden, GatewayError
from llm_gateway.ports.providers import ProviderGates, ProviderStore
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.dispatch import Dispatcher
from llm_gateway.services.queries.progress import Deadline, Progress

_PROBE_TIMEOUT_S: Final = 15
_PROBE: Final = (Message(role=MessageRole.USER, content=(TextPart(text="Say ok."),)),)
# Enough for a model that thinks before it answers to be cut short without an error.
_PROBE_TOKENS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusService:
    """Reads the gates; a probe is an ordinary call, so it counts, costs, and can close a circuit."""

    providers: ProviderStore
    gates: ProviderGates
    dispatcher: Dispatcher
    clock: Clock

    def status(self, provider_id: str, *, probe: bool, caller: Caller) -> tuple[ProviderConfig, GateState]:
        """Raises `ProviderNotFound`, or `Forbidden` for a probe by one who may only read. A failed probe shows in the state."""
        if probe and not caller.may(Permission.MANAGE_PROVIDERS):
            raise Forbidden("A probe calls the provider: only those who manage providers may ask for one.")
        config = self.providers.get(provider_id)
        failed = self._probe(config) if probe else None
        state = self.gates.state(config)
        return config, replace(state, last_error=failed) if failed else state

    def _probe(self, config: ProviderConfig) -> LastError | None:
        """Why the call failed, where one was made: the gate does not note what may be its caller's fault, and here nothing is."""
        model = config.model(config.default_model)
        once = replace(config, retry=RetryPolicy(max_attempts=1))
        profile = capabilities_of(config.kind, model, config.api)
        chat = ChatRequest(
            model=model.name,
            messages=_PROBE,
            parameters=Parameters(max_output_tokens=_PROBE_TOKENS),
            by_responses=profile.api is Api.RESPONSES,
        )
        candidate = Candidate(provider=once, model=model, profile=profile)
        step = Step(candidate=candidate, chat=chat, output=OutputFormat(), tokens=_PROBE_TOKENS * 2)
        now_s = self.clock.monotonic_s()
        progress = Progress(deadline=_deadline(now_s))
        try:
            self.dispatcher.ask((step,), progress)
        except GatewayError:
            return _failure(progress.attempts, at=self.clock.now())
        if progress.unsettled:
            progress.unsettled.settle()
        return None


def _failure(attempts: Sequence[Attempt], *, at: datetime) -> LastError | None:
    for attempt in attempts:
        if attempt.outcome is AttemptOutcome.ERROR and attempt.error_code:
            code, status = attempt.error_code, attempt.upstream_status
            return LastError(code=code, at=at, detail=attempt.detail, upstream_status=status)
    return None


def _deadline(now_s: float) -> Deadline:
    ends_s = now_s + _PROBE_TIMEOUT_S
    return Deadline(since_s=now_s, ends_s=ends_s, timeout_s=_PROBE_TIMEOUT_S, whose="the time of a probe")
