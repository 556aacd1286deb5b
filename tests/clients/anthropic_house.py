"""The gateway over real connections between Anthropic's SDK and scripted providers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import anthropic
from llm_gateway.domain.keys import Role
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.settings import Settings

from tests.adapters.gateway import FakeGateway
from tests.adapters.outside import FakeOutside
from tests.adapters.upstream import ScriptedUpstream
from tests.entrypoints.serving import Serving

CLAUDE = "claude-haiku-4-5"
GPT = "gpt-4.1-mini"
PRIVATE = {"ALLOW_PRIVATE_ADDRESSES": "true"}


@dataclass(frozen=True, kw_only=True)
class House:
    """A gateway with a provider `claude` and a provider `gpt`, and what each of them was asked."""

    serving: Serving
    claude: ScriptedUpstream
    gpt: ScriptedUpstream
    clients: list[anthropic.Anthropic] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.serving.port}"

    def client(self, **options: Any) -> anthropic.Anthropic:
        """A client that is closed when the house is made ready for the next test: its connection would outlive it."""
        self.clients.append(anthropic.Anthropic(**self._options(options)))
        return self.clients[-1]

    def async_client(self, **options: Any) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(**self._options(options))

    def secret(self, **said: Any) -> str:
        return self.serving.gateway.new_key(Role.CALLER, **said)[1]

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        own = {"base_url": self.address, "api_key": self.serving.key, "max_retries": 0}
        return own | options

    def reset(self) -> None:
        self.claude.reset()
        self.gpt.reset()
        self.close()

    def close(self) -> None:
        while self.clients:
            self.clients.pop().close()


@contextmanager
def house() -> Iterator[House]:
    with ExitStack() as opened:
        claude, gpt = (opened.enter_context(ScriptedUpstream()) for _ in range(2))
        clock = SystemClock()
        models = ProviderRegistry(clock=clock, private_addresses_allowed=True)
        settings = Settings.from_environment(PRIVATE)
        gateway = FakeGateway(settings=settings, outside=FakeOutside(clock=clock, models=models))
        serving = opened.enter_context(Serving(gateway))
        for provider in (
            _provider("claude", "anthropic", CLAUDE, claude.anthropic_base_url, 1),
            _provider("gpt", "openai", GPT, gpt.openai_base_url, 2),
        ):
            response, body = serving.call("POST", "/api/v1/llm/providers", provider)
            assert response.status == 201, body
        made = House(serving=serving, claude=claude, gpt=gpt)
        yield made
        made.close()


def _provider(name: str, kind: str, model: str, base_url: str, priority: int) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "kind": kind,
        "base_url": base_url,
        "default_model": model,
        "priority": priority,
        "retry": {"max_attempts": 1},
        "circuit": {"failure_threshold": 1000, "cooldown_s": 1},
        "credentials": {"api_key": f"sk-{name}-secret-1f3a"},
    }
