"""Embeddings that a caller asks for: queries like any other, recorded and counted, whose output is null."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.chat import JsonObject
from llm_gateway.domain.embeddings import Embedded, EmbeddingQuery, messages_of
from llm_gateway.domain.idempotency import Idempotency
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.queries import (
    Attempt,
    Figures,
    Latency,
    Output,
    Query,
    QueryAnswer,
    QueryProblem,
    QueryRequest,
    QueryStatus,
)
from llm_gateway.errors import GatewayError
from llm_gateway.ports.embeddings import Embedder
from llm_gateway.ports.queries import Journal, QueryStore
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.closing import NOT_STORED, wordless
from llm_gateway.services.queries.states import States

if TYPE_CHECKING:
    from llm_gateway.services.privacy.policies import Policies

_log = logging.getLogger(__name__)

# Whose parameter `user` is.
_VENDOR: Final = "openai"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedToEmbed:
    """What a caller asks, since when (a time of the monotonic clock), and who is told which query it has become.

    `metadata` is kept with the query, and goes to no provider.
    """

    query: EmbeddingQuery
    caller: Caller
    received_s: float
    tell_id: Callable[[str | None], None]
    metadata: JsonObject = field(default_factory=dict)
    idempotency: Idempotency | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingAsker:
    """Takes such a query from its texts to its end."""

    embedder: Embedder
    store: QueryStore
    states: States
    journal: Journal
    clock: Clock
    policies: "Callable[[], Policies]"

    def ask(self, asked: AskedToEmbed) -> tuple[Query, Embedded]:
        """The vectors, and the query as it ended. Raises what `Embedder.embed` does.

        A query for which nobody was called leaves no trace. An end that cannot be stored is given all the same, with a warning.
        """
        asked, query = self._begun(asked)
        asked.tell_id(query.id)
        try:
            embedded = self.embedder.embed(asked.query)
        except GatewayError as error:
            self._close_failed(query, error, asked)
            raise
        return self._close(self._ended(query, embedded, asked), embedded.attempts), embedded

    def _begun(self, asked: AskedToEmbed) -> tuple[AskedToEmbed, Query]:
        """What may be sent, by what the key asks of personal data, and the query as it begins. Raises as `Policies.cover`."""
        request, rules = _request(asked), asked.query.terms.pii
        if not rules:
            return asked, self._new(request, asked)
        covered = self.policies().cover(request, rules, key_id=asked.query.owner)
        query = self.policies().with_sealed_values(self._new(covered.request, asked), covered.values)
        texts = tuple(message.text for message in covered.request.messages)
        user = covered.request.vendor[_VENDOR]["user"] if asked.query.user is not None else None
        return replace(asked, query=replace(asked.query, texts=texts, user=user, pii=rules)), query

    def _new(self, request: QueryRequest, asked: AskedToEmbed) -> Query:
        made = self.states.new(request, asked.caller, status=QueryStatus.RUNNING, idempotency=asked.idempotency)
        # By its id an erasure finds the answer that is kept under an idempotency key.
        return replace(made, id=asked.query.id)

    def _close_failed(self, query: Query, error: GatewayError, asked: AskedToEmbed) -> None:
        if not error.attempts:
            asked.tell_id(None)
            return
        error.query_id = query.id
        error.overhead_ms = self._latency(error.attempts, asked).overhead_ms
        now, problem = self.clock.now(), QueryProblem.of(error)
        failed = replace(query, status=QueryStatus.FAILED, completed_at=now, problem=problem, lease=None)
        self._close(failed, error.attempts)

    def _close(self, end: Query, calls: tuple[Attempt, ...]) -> Query:
        kept = wordless(end)
        try:
            kept = self.policies().kept(end) if end.request.privacy else end
            self.store.add(kept)
        except Exception as error:
            # It is paid for: whatever fails now, it is counted, and its caller has its vectors.
            _log.error("An embeddings query ends, and cannot be stored: %s.", type(error).__qualname__)
            end = end if end.answer is None else replace(end, answer=replace(end.answer, warnings=(NOT_STORED,)))
        self.journal.ended(kept, calls=calls)
        return end

    def _ended(self, query: Query, embedded: Embedded, asked: AskedToEmbed) -> Query:
        answer = QueryAnswer(
            output=Output(text=None),
            finish_reason=None,
            provider=embedded.provider,
            model=embedded.model,
            usage=embedded.usage,
            cost_usd=embedded.cost_usd,
            attempts=embedded.attempts,
            latency=self._latency(embedded.attempts, asked),
        )
        return replace(
            query,
            status=QueryStatus.SUCCEEDED,
            completed_at=self.clock.now(),
            answer=answer,
            figures=Figures.of(answer),
            lease=None,
        )

    def _latency(self, attempts: tuple[Attempt, ...], asked: AskedToEmbed) -> Latency:
        total_ms = round((self.clock.monotonic_s() - asked.received_s) * 1000)
        # Some calls are made at the same time.
        provider_ms = min(total_ms, sum(attempt.latency_ms for attempt in attempts))
        return Latency(total_ms=total_ms, provider_ms=provider_ms, waiting_ms=0)


def _request(asked: AskedToEmbed) -> QueryRequest:
    query = asked.query
    return QueryRequest(
        messages=messages_of(query.texts),
        model=query.model,
        provider=query.provider,
        vendor={} if query.user is None else {_VENDOR: {"user": query.user}},
        cache="bypass",
        timeout_s=query.timeout_s,
        metadata=asked.metadata,
    )
