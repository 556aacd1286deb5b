"""The whole gateway with nothing outside of it: what `bootstrap` wires, over the fakes."""

from dataclasses import dataclass, field
from typing import Any

from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.keys import ApiKey, KeySpec, Role
from llm_gateway.ports.queries import Delivery
from llm_gateway.settings import Settings

from tests.adapters.authors import BY
from tests.adapters.outside import FakeOutside


@dataclass(frozen=True)
class FakeGateway(Gateway):
    """A test may look into its `outside`, and script the `models` there."""

    settings: Settings = field(default_factory=lambda: Settings.from_environment({}))
    outside: FakeOutside = field(default_factory=FakeOutside)

    def new_key(self, role: Role, **said: Any) -> tuple[ApiKey, str]:
        """A key of that role and its secret."""
        issued = self.key_changes.create(KeySpec(**{"name": role.value, "role": role, **said}), by=BY)
        return issued.key, issued.secret

    def work_off(self) -> None:
        """What the queues' workers do: every message that is there is dealt with, and those that follow from it."""
        queue = self.outside.queue
        while queue.sent:
            sent = queue.sent.pop(0)
            delivery = Delivery(query_id=sent.query_id, receipt="r", queue_arn="arn:aws:sqs:::queries", count=1)
            self.worker_of(delivery).process(delivery)
