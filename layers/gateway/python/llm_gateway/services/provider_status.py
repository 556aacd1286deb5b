"""How a provider is doing, as told by what passes its gate, and by a live call where one is asked for."""

from dataclasses import dataclass, replace
from typing import Final

from llm_gateway.access import Permission
from llm_gateway.domain.capabilities import capabilities_of
from llm_gateway.domain.chat import ChatRequest, Message, MessageRole, OutputFormat, Parameters, TextPart
from llm_gateway.domain.health import GateState
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.providers import ProviderConfig, RetryPolicy
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
        if probe:
            self._probe(config)
        return config, self.gates.state(config)

    def _probe(self, config: ProviderConfig) -> None:
        model = config.model(config.default_model)
        once = replace(config, retry=RetryPolicy(max_attempts=1))
        candidate = Candidate(provider=once, model=model, profile=capabilities_of(config.kind, model))
        chat = ChatRequest(model=model.name, messages=_PROBE, parameters=Parameters(max_output_tokens=_PROBE_TOKENS))
        step = Step(candidate=candidate, chat=chat, output=OutputFormat(), tokens=_PROBE_TOKENS * 2)
        now_s = self.clock.monotonic_s()
        progress = Progress(deadline=_deadline(now_s))
        try:
            self.dispatcher.ask((step,), progress)
        except GatewayError:
            # The state tells of it.
            return
        if progress.unsettled:
            progress.unsettled.settle()


def _deadline(now_s: float) -> Deadline:
    ends_s = now_s + _PROBE_TIMEOUT_S
    return Deadline(since_s=now_s, ends_s=ends_s, timeout_s=_PROBE_TIMEOUT_S, whose="the time of a probe")
