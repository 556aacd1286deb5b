"""Requests for embeddings, in OpenAI's dialect."""

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import Request

from llm_gateway.domain.idempotency import Idempotency
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.terms import Terms
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
            headers: dict[str, str] = {}
            make = partial(self._shown, asked, body, headers)
            if self.idempotency is None:
                return make(), headers
            shown, replayed = self.gateway.replay.do(self.idempotency, make, reference=asked.query.id)
            return shown, {"Idempotent-Replayed": "true"} if replayed else headers

        return whole_answer(self.request, answer, silence_s=self.gateway.settings.keep_alive_s)

    def _shown(self, asked: "AskedToEmbed", body: "EmbeddingsBody", headers: dict[str, str]) -> bytes:
        query, embedded = self.gateway.asking_to_embed.ask(asked)
        headers.update(headers_of(query.answer) if query.answer else {})
        return json.dumps(embeddings_shown(query, embedded, encoding=body.encoding_format)).encode()

    def _asked(self, body: "EmbeddingsBody") -> "AskedToEmbed":
        from llm_gateway.services.queries.embedding import AskedToEmbed

        state = state_of(self.request)
        return AskedToEmbed(
            query=self._query(body),
            caller=self.caller,
            received_s=state.received_s,
            tell_id=partial(setattr, state, "query_id"),
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
            terms=Terms.of(self.caller),
            ends_s=state.received_s + timeout_s,
            timeout_s=timeout_s,
            cancelled=state.left.is_set,
            tell_room=partial(setattr, state, "room"),
        )


async def _embedding(request: Request, caller: Caller, gateway: Gateway, idempotency: IdempotencyKey) -> _Embedding:
    return _Embedding(request=request, caller=caller, gateway=gateway, idempotency=idempotency)


Embedding = Annotated[_Embedding, Depends(_embedding)]
