"""Requests for embeddings, in OpenAI's dialect."""

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

from starlette.requests import Request

from llm_gateway.domain.idempotency import Idempotency
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.terms import Terms
from llm_gateway.entrypoints.declared import Depends
from llm_gateway.entrypoints.http import Caller, Gateway
from llm_gateway.entrypoints.idempotency import IdempotencyKey
from llm_gateway.entrypoints.query_replies import headers_of
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.entrypoints.sse import EventStream as EventStream
from llm_gateway.entrypoints.streaming import LONGEST_HEAD_S, whole_answer
from llm_gateway.wire.openai.embeddings import embeddings_shown

if TYPE_CHECKING:
    from llm_gateway.domain.embeddings import EmbeddingQuery
    from llm_gateway.services.queries.embedding import AskedToEmbed
    from llm_gateway.wire.openai.embeddings import EmbeddingsBody

# A process is dead that has not answered by then.
_SPARE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Embedding:
    request: Request
    caller: Caller
    gateway: Gateway
    idempotency: Idempotency | None

    def embed(self, body: "EmbeddingsBody") -> EventStream:
        """A vector for each text."""
        asked = self._asked(body)

        def answer() -> tuple[bytes, dict[str, str]]:
            make = partial(self._made, asked, body)
            if self.idempotency is None:
                _, shown, headers = make()
                return shown, headers
            lasts = timedelta(seconds=asked.query.timeout_s) + _SPARE
            kept, replayed = self.gateway.replay.do(
                self.idempotency, lambda: _packed(*make()), reference=asked.query.id, lasts=lasts
            )
            query_id, shown, headers = _unpacked(kept)
            if replayed:
                state_of(self.request).query_id = query_id
                headers["Idempotent-Replayed"] = "true"
            return shown, headers

        return whole_answer(self.request, answer, silence_s=self.gateway.settings.keep_alive_s)

    def _made(self, asked: "AskedToEmbed", body: "EmbeddingsBody") -> tuple[str, bytes, dict[str, str]]:
        """The query's id, the body and the headers."""
        query, embedded = self.gateway.asking_to_embed.ask(asked)
        shown = json.dumps(embeddings_shown(query, embedded, encoding=body.encoding_format)).encode()
        return query.id, shown, headers_of(query.answer) if query.answer else {}

    def _asked(self, body: "EmbeddingsBody") -> "AskedToEmbed":
        from llm_gateway.services.queries.embedding import AskedToEmbed

        state = state_of(self.request)
        state.called = body.called
        return AskedToEmbed(
            query=self._query(body),
            caller=self.caller,
            received_s=state.received_s,
            tell_id=partial(setattr, state, "query_id"),
            metadata=body.gateway.metadata if body.gateway else {},
            idempotency=self.idempotency,
        )

    def _query(self, body: "EmbeddingsBody") -> "EmbeddingQuery":
        from llm_gateway.domain.embeddings import EmbeddingQuery

        state, options = state_of(self.request), body.gateway
        timeout_s = (options.timeout_s if options else None) or LONGEST_HEAD_S
        return EmbeddingQuery(
            id=f"{QUERY_PREFIX}{self.gateway.outside.ids.ulid()}",
            owner=self.caller.key_id,
            texts=body.texts,
            model=body.model,
            provider=options.provider if options else None,
            dimensions=body.dimensions,
            user=body.user,
            terms=Terms.of(self.caller),
            ends_s=state.received_s + timeout_s,
            timeout_s=timeout_s,
            cancelled=state.left.is_set,
            tell_room=partial(setattr, state, "room"),
        )


def _packed(query_id: str, shown: bytes, headers: dict[str, str]) -> bytes:
    """What is kept under an idempotency key: a line with the id and the headers, and the body."""
    return json.dumps({"query_id": query_id, "headers": headers}).encode() + b"\n" + shown


def _unpacked(kept: bytes) -> tuple[str, bytes, dict[str, str]]:
    line, _, shown = kept.partition(b"\n")
    head = json.loads(line)
    return head["query_id"], shown, head["headers"]


def _embedding(request: Request, caller: Caller, gateway: Gateway, idempotency: IdempotencyKey) -> _Embedding:
    return _Embedding(request=request, caller=caller, gateway=gateway, idempotency=idempotency)


Embedding = Annotated[_Embedding, Depends(_embedding)]
