"""Runs of tests that are asked for: once under an `Idempotency-Key`, and with where to read on while they go on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from starlette.requests import Request

from llm_gateway.domain.idempotency import Idempotency
from llm_gateway.domain.prompts.runs import RunStatus
from llm_gateway.entrypoints.declared import Depends
from llm_gateway.entrypoints.http import Gateway
from llm_gateway.entrypoints.idempotency import IdempotencyKey
from llm_gateway.entrypoints.prefix import address
from llm_gateway.entrypoints.replies import Reply
from llm_gateway.wire.runs import RunShown


@dataclass(frozen=True, slots=True)
class _Running:
    gateway: Gateway
    idempotency: Idempotency | None
    request: Request

    def once(self, start: Callable[[], RunShown]) -> Reply[RunShown]:
        """What `start` gives, or gave the first time."""
        if self.idempotency is None:
            return self._reply(start(), {})
        first, replayed = self.gateway.replay.do(self.idempotency, lambda: start().model_dump_json().encode())
        headers = {"Idempotent-Replayed": "true"} if replayed else {}
        return self._reply(RunShown.model_validate_json(first), headers)

    def _reply(self, run: RunShown, headers: dict[str, str]) -> Reply[RunShown]:
        if run.status != RunStatus.RUNNING.value:
            return Reply(run, headers=headers)
        return Reply(run, status=202, headers={"Location": address(self.request, run.own_path()), **headers})


def _running(request: Request, gateway: Gateway, idempotency: IdempotencyKey) -> _Running:
    return _Running(gateway=gateway, idempotency=idempotency, request=request)


Running = Annotated[_Running, Depends(_running)]
