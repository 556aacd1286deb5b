"""The gateway as a vendor's own client finds it: on a port of its own, with providers that do as a test tells them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.settings import Settings

from tests.adapters.gateway import FakeGateway
from tests.adapters.outside import FakeOutside
from tests.adapters.real_engine import KINDS
from tests.adapters.upstream import ScriptedUpstream
from tests.entrypoints.serving import Serving

MODELS = {"a": "gpt-4.1-mini", "b": "claude-haiku-4-5", "d": "small"}
PROVIDERS = "/api/v1/llm/providers"


def dropped_in() -> FakeGateway:
    """A gateway whose providers are called over HTTP."""
    clock = SystemClock()
    models = ProviderRegistry(clock=clock, private_addresses_allowed=True)
    settings = Settings.from_environment({"ALLOW_PRIVATE_ADDRESSES": "true"})
    return FakeGateway(settings=settings, outside=FakeOutside(clock=clock, models=models))


def register(serving: Serving, name: str, upstream: ScriptedUpstream, **changes: Any) -> None:
    """The provider `name`, of its kind, at `upstream`."""
    kind = KINDS[name]
    base_url = upstream.anthropic_base_url if kind == "anthropic" else upstream.openai_base_url
    described = {
        "id": name,
        "name": name,
        "kind": kind.value,
        "base_url": base_url,
        "default_model": MODELS[name],
        "models": [{"name": MODELS[name], "input_usd_per_mtok": "1", "output_usd_per_mtok": "1"}],
        "retry": {"max_attempts": 1},
        "circuit": {"failure_threshold": 1000},
        "credentials": {"api_key": "sk-a-vendors-own-secret-1f3a"},
    }
    response, body = serving.call("POST", PROVIDERS, described | changes)
    assert response.status == 201, body


@contextmanager
def served(upstreams: dict[str, ScriptedUpstream]) -> Iterator[Serving]:
    """All of `upstreams` as providers of a gateway that is served."""
    with Serving(dropped_in()) as serving:
        for name, upstream in upstreams.items():
            register(serving, name, upstream)
        yield serving


def client_of(serving: Serving, *, key: str | None = None, max_retries: int = 0) -> openai.OpenAI:
    """The SDK as a user makes it: another address, and a key of the gateway."""
    return openai.OpenAI(
        base_url=f"http://127.0.0.1:{serving.port}/v1", api_key=key or serving.key, max_retries=max_retries
    )
