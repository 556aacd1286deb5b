"""A gateway on a port of its own, with a provider of each vendor, whose models do what they are asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from llm_gateway.instruments.system import SystemClock
from llm_gateway.ports.queries import Delivery
from llm_gateway.settings import Settings

from tests.adapters.gateway import FakeGateway
from tests.adapters.obliging import ObligingProviders, WorkingQueue
from tests.adapters.outside import FakeOutside
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving

_PROVIDERS: Final[dict[str, dict[str, Any]]] = {
    "local": {"priority": 20},
    "openai": {"kind": "openai", "base_url": None, "default_model": "gpt-5.4-mini", "priority": 1},
    "anthropic": {"kind": "anthropic", "base_url": None, "default_model": "claude-sonnet-5", "priority": 2},
}


@contextmanager
def obliging_house() -> Iterator[Serving]:
    clock, queue = SystemClock(), WorkingQueue()
    outside = FakeOutside(clock=clock, models=ObligingProviders(), queue=queue)
    settings = Settings.from_environment({"ALLOW_PRIVATE_ADDRESSES": "true"})
    gateway = FakeGateway(settings=settings, outside=outside)

    def work(delivery: Delivery) -> None:
        (gateway.run_worker if delivery.is_of_a_run else gateway.worker).process(delivery)

    queue.work = work
    with Serving(gateway) as serving:
        for name, changes in _PROVIDERS.items():
            described = PROVIDER | {"id": name, "name": name} | changes
            response, body = serving.call("POST", "/api/v1/llm/providers", described)
            assert response.status == 201, body
        yield serving
        queue.wait()


def address_and_key(serving: Serving) -> dict[str, str]:
    """The variables that the guide's commands take for granted."""
    return {"GATEWAY_URL": f"http://127.0.0.1:{serving.port}", "GATEWAY_KEY": serving.key}
