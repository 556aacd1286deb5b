"""Likeness: how near an answer is to a text by what both mean, as a model of embeddings has it."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

from llm_gateway.domain.embeddings import EmbeddingQuery, Vector, messages_of
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.prompts.suites import Similar
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.terms import Terms
from llm_gateway.errors import GatewayError
from llm_gateway.ports.embeddings import Embedder
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.services.evals.assertions import Verdict
from llm_gateway.services.evals.judging import Judgement, cost_of_failure
from llm_gateway.services.privacy.policies import Policies


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    embedder: Embedder
    clock: Clock
    ids: Ids
    policies: Callable[[], Policies]

    def judge(
        self, assertion: Similar, answer: str, *, caller: Caller, timeout_s: float, pii: tuple[PiiRule, ...] = ()
    ) -> Judgement:
        """Embeds both texts within the caller's limits and budget, under its policies and those that its query was under (`pii`).
        Where that cannot be done, there is no verdict."""
        texts: tuple[str, ...] = (assertion.value, answer or " ")
        rules = (*caller.pii, *pii)
        try:
            if rules:
                covered = self.policies().cover(QueryRequest(messages=messages_of(texts)), rules, key_id=caller.key_id)
                texts = tuple(message.text for message in covered.request.messages)
            found = self.embedder.embed(self._asked(assertion, texts, caller, timeout_s, rules))
        except GatewayError as error:
            measured = f"the texts cannot be embedded ({error.code}: {error.detail})"
            return Judgement(verdict=Verdict(holds=None, measured=measured), cost_usd=cost_of_failure(error))
        near = cosine(*found.vectors)
        measured = f"the similarity is {near:.2f}, of {assertion.threshold:g} at least"
        return Judgement(verdict=Verdict(holds=near >= assertion.threshold, measured=measured), cost_usd=found.cost_usd)

    def _asked(
        self,
        assertion: Similar,
        texts: tuple[str, ...],
        caller: Caller,
        timeout_s: float,
        rules: tuple[PiiRule, ...],
    ) -> EmbeddingQuery:
        return EmbeddingQuery(
            id=QUERY_PREFIX + self.ids.ulid(),
            owner=caller.key_id,
            texts=texts,
            model=assertion.model or "",
            terms=Terms.of(caller),
            ends_s=self.clock.monotonic_s() + timeout_s,
            timeout_s=timeout_s,
            pii=rules,
        )


def cosine(one: Vector, other: Vector) -> float:
    """Of the angle between two vectors; 0 where one has no direction."""
    lengths = sqrt(sum(each * each for each in one)) * sqrt(sum(each * each for each in other))
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0
