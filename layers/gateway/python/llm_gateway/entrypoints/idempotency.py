"""The `Idempotency-Key` header: what a client asks to be done once however often it asks."""

from collections.abc import Callable
from typing import Annotated, TypeVar, cast

from starlette.requests import Request

from llm_gateway.domain.idempotency import Idempotency
from llm_gateway.domain.strict_json import digest
from llm_gateway.entrypoints.declared import Depends, FromHeader
from llm_gateway.entrypoints.http import Caller, Gateway
from llm_gateway.entrypoints.prefix import own_path
from llm_gateway.entrypoints.read_request import ReadRequest
from llm_gateway.entrypoints.replies import Reply
from llm_gateway.errors import ValidationFailed
from llm_gateway.values import dataclass
from llm_gateway.wire.schema import Revised

_LONGEST_KEY = 255


def _idempotency(
    request: Request, caller: Caller, idempotency_key: Annotated[str | None, FromHeader()] = None
) -> Idempotency | None:
    """What the `Idempotency-Key` header asks for. Raises `ValidationFailed` for a key that is none."""
    if idempotency_key is None:
        return None
    if not (0 < len(idempotency_key) <= _LONGEST_KEY and idempotency_key.isascii() and idempotency_key.isprintable()):
        raise ValidationFailed.of("Idempotency-Key", f"must have 1 to {_LONGEST_KEY} printable characters")
    scope = [caller.key_id, request.method, own_path(request), idempotency_key]
    document = cast(ReadRequest, request).document()
    return Idempotency(scope=digest(scope), fingerprint=digest(document))


R = TypeVar("R", bound=Revised)

IdempotencyKey = Annotated[Idempotency | None, Depends(_idempotency)]


@dataclass(frozen=True, slots=True)
class _Creating:
    """A creation on its way, which is done once under a key."""

    gateway: Gateway
    idempotency: Idempotency | None

    def once(self, resource: type[R], create: Callable[[], R]) -> Reply[R]:
        """What `create` makes, or made the first time."""
        if self.idempotency is None:
            return Reply(create())
        made: list[R] = []

        def document() -> bytes:
            made.append(create())
            return made[0].as_replayed().model_dump_json().encode()

        first_answer, replayed = self.gateway.replay.do(self.idempotency, document)
        if not replayed:
            return Reply(made[0])
        return Reply(resource.model_validate_json(first_answer), headers={"Idempotent-Replayed": "true"})


def _creating(gateway: Gateway, idempotency: IdempotencyKey) -> _Creating:
    return _Creating(gateway=gateway, idempotency=idempotency)


Creating = Annotated[_Creating, Depends(_creating)]
