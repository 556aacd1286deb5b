"""Likeness: how near an answer is to a text by what both mean, as a model of embeddings has it."""

from dataclasses import dataclass
from math import sqrt

from llm_gateway.domain.embeddings import EmbeddingQuery, Vector
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.prompts.suites import Similar
from llm_gateway.domain.terms import Terms
from llm_gateway.errors import GatewayError
from llm_gateway.ports.embeddings import Embedder
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.services.evals.assertions import Verdict
from llm_gateway.services.evals.judging import Judgement, cost_of_failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    embedder: Embedder
    clock: Clock
    ids: Ids

    def judge(self, assertion: Similar, answer: str, *, caller: Caller, timeout_s: float) -> Judgement:
        """Embeds both texts within the caller's limits and budget. Where that cannot be done, there is no verdict."""
        asked = EmbeddingQuery(
            id=QUERY_PREFIX + self.ids.ulid(),
            owner=caller.key_id,
            texts=(assertion.value, answer or " "),
            model=assertion.model or "",
            terms=Terms.of(caller),
            ends_s=self.clock.monotonic_s() + timeout_s,
            timeout_s=timeout_s,
        )
        try:
            found = self.embedder.embed(asked)
        except GatewayError as error:
            measured = f"the texts cannot be embedded ({error.code}: {error.detail})"
            return Judgement(verdict=Verdict(holds=None, measured=measured), cost_usd=cost_of_failure(error))
        near = cosine(*found.vectors)
        measured = f"the similarity is {near:.2f}, of {assertion.threshold:g} at least"
        return Judgement(verdict=Verdict(holds=near >= assertion.threshold, measured=measured), cost_usd=found.cost_usd)


def cosine(one: Vector, other: Vector) -> float:
    """Of the angle between two vectors; 0 where one has no direction."""
    lengths = sqrt(sum(each * each for each in one)) * sqrt(sum(each * each for each in other))
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0
