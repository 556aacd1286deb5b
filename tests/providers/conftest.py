"""One suite, every adapter: each is called over HTTP on loopback, against an upstream that is scripted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from llm_gateway.domain.chat import ChatRequest, Message, MessageRole, Parameters, TextPart
from llm_gateway.domain.providers import (
    CircuitPolicy,
    ProviderConfig,
    ProviderCredentials,
    ProviderKind,
    ProviderLimits,
    RetryPolicy,
    Timeouts,
)
from llm_gateway.instruments.system import SystemClock
from llm_gateway.ports.providers import Provider
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.providers.signature import session

from tests.adapters.upstream import ScriptedUpstream
from tests.adapters.upstream_converse import ACCESS_KEY, SECRET_KEY, TOKEN

RESPONSES = "responses"
API_KEY = "sk-test-1234567890"
_OPENAI_WIRE = (ProviderKind.OPENAI, ProviderKind.OPENAI_COMPATIBLE, ProviderKind.LLAMA_CPP)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def config(kind: ProviderKind, base_url: str) -> ProviderConfig:
    return ProviderConfig(
        id="under-test",
        name="Under test",
        kind=kind,
        base_url=base_url,
        default_model="model",
        models=(),
        enabled=True,
        priority=10,
        weight=1,
        limits=ProviderLimits(),
        timeouts=Timeouts(),
        retry=RetryPolicy(),
        circuit=CircuitPolicy(),
        credentials=None,
        revision=1,
        created_at=NOW,
        updated_at=NOW,
    )


def asking(text: str = "Say hello.", **changes: object) -> ChatRequest:
    """A plain question, with some of its fields changed."""
    plain = ChatRequest(
        model="model",
        messages=(Message(role=MessageRole.USER, content=(TextPart(text=text),)),),
        parameters=Parameters(max_output_tokens=100),
    )
    return replace(plain, **changes)


@dataclass(frozen=True)
class Subject:
    """An adapter, and the upstream that it calls."""

    kind: ProviderKind
    upstream: ScriptedUpstream
    open: Callable[[str | None], Provider]
    by_responses: bool = False

    @property
    def provider(self) -> Provider:
        return self.open(API_KEY)

    @property
    def speaks_messages(self) -> bool:
        return self.kind is ProviderKind.ANTHROPIC

    @property
    def speaks_converse(self) -> bool:
        return self.kind is ProviderKind.BEDROCK

    @property
    def answering_model(self) -> str:
        """What an answer says its model is: Bedrock does not say, so it is what was asked."""
        return "model" if self.speaks_converse else "model-2026-11-01"

    @property
    def body(self) -> dict:
        return self.upstream.requests[-1].body

    @property
    def headers(self):
        return self.upstream.requests[-1].headers


@pytest.fixture(scope="session", autouse=True)
def aws_credentials() -> Iterator[None]:
    """Those of the process, which a session of botocore reads once."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        environment.setenv("AWS_SESSION_TOKEN", TOKEN)
        environment.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        session.cache_clear()
        yield
        session.cache_clear()


@pytest.fixture(scope="session")
def registry() -> ProviderRegistry:
    return ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True)


@pytest.fixture(scope="session")
def upstream_server() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(upstream_server: ScriptedUpstream) -> Iterator[ScriptedUpstream]:
    upstream_server.reset()
    yield upstream_server
    upstream_server.reset()


@dataclass(frozen=True, eq=False)
class AskedByResponses:
    """A provider whose every request is made by its vendor's Responses API."""

    provider: Provider

    @property
    def wire(self) -> Any:
        return self.provider.wire

    def complete(self, request: ChatRequest, **how: Any) -> Any:
        return self.provider.complete(replace(request, by_responses=True), **how)

    def stream(self, request: ChatRequest, **how: Any) -> Any:
        return self.provider.stream(replace(request, by_responses=True), **how)


def subject_of(
    kind: ProviderKind, upstream: ScriptedUpstream, registry: ProviderRegistry, *, by_responses: bool = False
) -> Subject:
    asked: dict[int, AskedByResponses] = {}
    base_url = upstream.openai_base_url if kind in _OPENAI_WIRE else upstream.url

    def open_adapter(api_key: str | None) -> Provider:
        opened = registry.open(config(kind, base_url), ProviderCredentials(api_key=api_key) if api_key else None)
        return asked.setdefault(id(opened), AskedByResponses(opened)) if by_responses else opened

    return Subject(kind, upstream, open_adapter, by_responses=by_responses)


@pytest.fixture(params=[*ProviderKind, RESPONSES], ids=str)
def subject(request: pytest.FixtureRequest, upstream: ScriptedUpstream, registry: ProviderRegistry) -> Subject:
    """Each wire in turn, and each kind of provider."""
    by_responses = request.param == RESPONSES
    return subject_of(
        ProviderKind.OPENAI if by_responses else request.param, upstream, registry, by_responses=by_responses
    )


@pytest.fixture
def responses(upstream: ScriptedUpstream, registry: ProviderRegistry) -> Subject:
    return subject_of(ProviderKind.OPENAI, upstream, registry, by_responses=True)


@pytest.fixture(params=[kind for kind in ProviderKind if not kind.is_of_account], ids=str)
def keyed(request: pytest.FixtureRequest, upstream: ScriptedUpstream, registry: ProviderRegistry) -> Subject:
    """Each adapter that is given a key; they all read server-sent events."""
    return subject_of(request.param, upstream, registry)


@pytest.fixture
def openai(upstream: ScriptedUpstream, registry: ProviderRegistry) -> Subject:
    return subject_of(ProviderKind.OPENAI, upstream, registry)


@pytest.fixture
def compatible(upstream: ScriptedUpstream, registry: ProviderRegistry) -> Subject:
    return subject_of(ProviderKind.OPENAI_COMPATIBLE, upstream, registry)


@pytest.fixture
def anthropic(upstream: ScriptedUpstream, registry: ProviderRegistry) -> Subject:
    return subject_of(ProviderKind.ANTHROPIC, upstream, registry)


@pytest.fixture
def bedrock(upstream: ScriptedUpstream, registry: ProviderRegistry) -> Subject:
    return subject_of(ProviderKind.BEDROCK, upstream, registry)
