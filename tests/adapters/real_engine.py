"""The engine with its real adapters, which call scripted upstreams over HTTP on loopback; time is real too."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from llm_gateway.domain.providers import ProviderConfig, ProviderKind
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry

from tests.adapters.engine import Engine, with_key
from tests.adapters.upstream import ScriptedUpstream

KINDS: Mapping[str, ProviderKind] = {
    "a": ProviderKind.OPENAI,
    "b": ProviderKind.ANTHROPIC,
    "c": ProviderKind.LLAMA_CPP,
    "d": ProviderKind.OPENAI_COMPATIBLE,
}


@contextmanager
def upstreams() -> Iterator[dict[str, ScriptedUpstream]]:
    """One for each of the four providers that `calling` makes."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(ScriptedUpstream()) for name in KINDS}


def calling(name: str, url: str, **changes: Any) -> ProviderConfig:
    """The provider `name`, of its kind, at `url`; its model has a name that no table knows."""
    kind = KINDS[name]
    base_url = url if kind is ProviderKind.ANTHROPIC else f"{url}/v1"
    return with_key(name, **{"kind": kind, "base_url": base_url, **changes})


def real_engine(registry: ProviderRegistry | None = None) -> Engine:
    clock = SystemClock()
    return Engine(clock=clock, real_providers=registry or ProviderRegistry(clock=clock, private_addresses_allowed=True))
