"""The gateway as its engine's tests want it: scripted providers, gates that are watched, and a clock that stands still."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.chat import ChatAnswer, Message, MessageRole, Parameters, TextPart
from llm_gateway.domain.providers import (
    CircuitPolicy,
    CredentialsNote,
    ModelConfig,
    ProviderConfig,
    ProviderCredentials,
    ProviderKind,
    ProviderLimits,
    RetryPolicy,
    Timeouts,
)
from llm_gateway.domain.queries import Attempt, QueryRequest
from llm_gateway.domain.routing import Step
from llm_gateway.ports.providers import Prices, Providers
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.calls import Calls
from llm_gateway.services.queries.dispatch import Dispatcher
from llm_gateway.services.queries.planning import Planner
from llm_gateway.services.queries.progress import Ahead, Deadline, Pieces, Progress
from llm_gateway.settings import Settings

from tests.adapters.clock import FakeClock
from tests.adapters.credential_store import InMemoryCredentialStore
from tests.adapters.gates import in_memory_gates
from tests.adapters.ids import FakeIds
from tests.adapters.outside import FakeOutside
from tests.adapters.prices import FlatPrices
from tests.adapters.provider_store import InMemoryProviderStore
from tests.adapters.recording_gates import RecordingGates
from tests.adapters.scripted_providers import ScriptedProviders
from tests.adapters.token_counter import WordCounter


def provider(provider_id: str, **changes: Any) -> ProviderConfig:
    """A provider that takes everything; its only model is `<id>-model`, and later letters come later."""
    now = FakeClock().now()
    fields: dict[str, Any] = {
        "id": provider_id,
        "name": provider_id.upper(),
        "kind": ProviderKind.OPENAI_COMPATIBLE,
        "base_url": "http://127.0.0.1:1/v1",
        "default_model": f"{provider_id}-model",
        "models": (ModelConfig(name=f"{provider_id}-model"),),
        "enabled": True,
        "priority": ord(provider_id[0]),
        "weight": 1,
        "limits": ProviderLimits(),
        "timeouts": Timeouts(),
        "retry": RetryPolicy(max_attempts=1),
        "circuit": CircuitPolicy(),
        "credentials": None,
        "revision": 1,
        "created_at": now,
        "updated_at": now,
    }
    return ProviderConfig(**{**fields, **changes})


def with_key(config_id: str, **changes: Any) -> ProviderConfig:
    """A provider that has credentials."""
    return provider(config_id, credentials=CredentialsNote(hint="…1234", updated_at=FakeClock().now()), **changes)


def question(text: str = "Say hello.", **changes: Any) -> QueryRequest:
    messages = (Message(role=MessageRole.USER, content=(TextPart(text=text),)),)
    return QueryRequest(**{"messages": messages, "parameters": Parameters(max_output_tokens=100), **changes})


@dataclass
class Engine:
    """`draws` are what chance decides, in turn, and 0.5 after that."""

    prices: Prices = field(default_factory=FlatPrices)
    clock: Clock = field(default_factory=FakeClock)
    store: InMemoryProviderStore = field(default_factory=InMemoryProviderStore)
    credentials: InMemoryCredentialStore = field(default_factory=InMemoryCredentialStore)
    counter: WordCounter = field(default_factory=WordCounter)
    draws: list[float] = field(default_factory=list)
    real_providers: Providers | None = None
    private_addresses_allowed: bool = False

    @cached_property
    def providers(self) -> ScriptedProviders:
        assert isinstance(self.clock, FakeClock)
        return ScriptedProviders(clock=self.clock)

    @cached_property
    def gates(self) -> RecordingGates:
        return RecordingGates(gates=in_memory_gates(self.clock, FakeIds(self.clock)))

    @cached_property
    def gateway(self) -> Gateway:
        outside = FakeOutside(
            clock=self.clock,
            provider_store=self.store,
            credentials=self.credentials,
            counter=self.counter,
            prices=self.prices,
            models=self.real_providers or self.providers,
            draw=lambda: self.draws.pop(0) if self.draws else 0.5,
        )
        outside.gates = self.gates
        return Gateway(self.settings, outside)

    @property
    def settings(self) -> Settings:
        return Settings.from_environment({"ALLOW_PRIVATE_ADDRESSES": str(self.private_addresses_allowed).lower()})

    @property
    def planner(self) -> Planner:
        return self.gateway.planner

    @property
    def calls(self) -> Calls:
        return self.gateway.calls

    @property
    def dispatcher(self) -> Dispatcher:
        return self.gateway.dispatcher

    def add(self, *configs: ProviderConfig) -> "Engine":
        for config in configs:
            self.store.add(config)
            if config.credentials:
                self.credentials.put(config.id, ProviderCredentials(api_key=f"key-of-{config.id}"))
        return self

    def progress(self, request: QueryRequest) -> Progress:
        now_s = self.clock.monotonic_s()
        return Progress(deadline=Deadline(since_s=now_s, ends_s=now_s + request.timeout_s, timeout_s=request.timeout_s))

    def ask(self, request: QueryRequest, progress: Progress | None = None) -> tuple[ChatAnswer, Progress]:
        """Plans and asks, and settles what was answered."""
        progress = progress or self.progress(request)
        answered = self.dispatcher.ask(self.planner.plan(request), progress)
        settle(progress)
        return answered, progress

    def ahead(self, step: Step | Attempt, progress: Progress) -> Ahead:
        assert isinstance(step, Step)
        return Ahead.ask(step, self.gates, progress.deadline, now_s=self.clock.monotonic_s())

    def stream(self, request: QueryRequest, progress: Progress) -> Pieces:
        return self.dispatcher.stream(self.planner.plan(replace(request, mode="stream")), progress)


def settle(progress: Progress) -> None:
    """What is done beside storing the answer."""
    if progress.unsettled:
        progress.unsettled.settle()


def story(progress: Progress) -> list[tuple[str, str, str | None]]:
    """The attempts in short: who, how it ended, with which error."""
    return [(attempt.provider, attempt.outcome.value, attempt.error_code) for attempt in progress.attempts]
