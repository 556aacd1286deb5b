"""Erasures that are asked for: once under an `Idempotency-Key`, and with where to read on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from starlette.requests import Request

from llm_gateway.domain.idempotency import Idempotency
from llm_gateway.entrypoints.declared import Depends
from llm_gateway.entrypoints.http import Gateway
from llm_gateway.entrypoints.idempotency import IdempotencyKey
from llm_gateway.entrypoints.prefix import address
from llm_gateway.entrypoints.replies import Reply
from llm_gateway.wire.erasures import ErasureShown


@dataclass(frozen=True, slots=True)
class _Erasing:
    gateway: Gateway
    idempotency: Idempotency | None
    request: Request

    def once(self, start: Callable[[], ErasureShown]) -> Reply[ErasureShown]:
        """What `start` gives, or gave the first time."""
        if self.idempotency is None:
            return self._reply(start(), {})
        first, replayed = self.gateway.replay.do(self.idempotency, lambda: start().model_dump_json().encode())
        return self._reply(ErasureShown.model_validate_json(first), {"Idempotent-Replayed": "true"} if replayed else {})

    def _reply(self, erasure: ErasureShown, headers: dict[str, str]) -> Reply[ErasureShown]:
        return Reply(erasure, headers={"Location": address(self.request, erasure.own_path()), **headers})


def _erasing(request: Request, gateway: Gateway, idempotency: IdempotencyKey) -> _Erasing:
    return _Erasing(gateway=gateway, idempotency=idempotency, request=request)


Erasing = Annotated[_Erasing, Depends(_erasing)]
