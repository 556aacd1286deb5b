"""Ranking by embeddings: vectors of passages and of the question, asked for once for each text and model."""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from llm_gateway.domain.embeddings import EmbeddingQuery
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.terms import Terms
from llm_gateway.errors import ValidationFailed
from llm_gateway.ports.embeddings import Embedder
from llm_gateway.ports.system import Cancelled, Ids
from llm_gateway.services.context.memory import digest_of

MOST_NUMBERS: Final = 4_000_000
"""Of all vectors that are kept: 16 MB."""

MOST_TEXTS: Final = 2_000
"""That one query may have embedded, passages and the question together."""

Vectors = Sequence[Sequence[float]]
Embed = Callable[[Sequence[str]], Vectors]
"""A vector for each text. Raises `GatewayError`s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The caller that embeddings are for. They count against its limits and budget, and come before `ends_s` or not at all.

    `pii` are the policies that were applied to the texts.
    """

    owner: str
    terms: Terms
    ends_s: float
    timeout_s: float
    cancelled: Cancelled
    pii: tuple[PiiRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVectors:
    """Asks for the vectors of texts that are new, and keeps those that were used last, by a hash of text, model and key.

    What the key may ask is a part of that: with another `allow` its vectors are asked for anew, and refused where they are to be.
    """

    embedder: Embedder
    ids: Ids
    most: int = MOST_NUMBERS
    _kept: OrderedDict[bytes, "array[float]"] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def of(self, model: str, asker: Asker) -> Embed:
        """What embeds texts with `model` (`provider/model`)."""

        whose = digest_of((asker.owner, asker.terms.allow, model))

        def embed(texts: Sequence[str]) -> Vectors:
            keys = [digest_of((whose, text)) for text in texts]
            found = self._recall(keys)
            missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
            if len(missing) > MOST_TEXTS:
                message = f"has more passages than can be embedded at once: {MOST_TEXTS} at most"
                raise ValidationFailed.of("context.items", message)
            if missing:
                found |= self._new(missing, model, asker)
            if len({len(vector) for vector in found.values()}) > 1:
                # Another model has the name now: its vectors do not compare with those that were kept.
                found = self._new(dict(zip(keys, texts, strict=True)), model, asker)
            return [found[key] for key in keys]

        return embed

    def _new(self, texts: Mapping[bytes, str], model: str, asker: Asker) -> "dict[bytes, array[float]]":
        new = dict(zip(texts, self._asked(tuple(texts.values()), model, asker), strict=True))
        self._keep(new)
        return new

    def _asked(self, texts: tuple[str, ...], model: str, asker: Asker) -> list["array[float]"]:
        provider, _, name = model.partition("/")
        query = EmbeddingQuery(
            id=QUERY_PREFIX + self.ids.ulid(),
            owner=asker.owner,
            texts=texts,
            model=name,
            provider=provider,
            terms=asker.terms,
            pii=asker.pii,
            ends_s=asker.ends_s,
            timeout_s=asker.timeout_s,
            cancelled=asker.cancelled,
        )
        return [array("f", vector) for vector in self.embedder.embed(query).vectors]

    def _recall(self, keys: Sequence[bytes]) -> dict[bytes, "array[float]"]:
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
        return found

    def _keep(self, vectors: dict[bytes, "array[float]"]) -> None:
        with self._lock:
            self._kept.update(vectors)
            numbers = sum(map(len, self._kept.values()))
            while numbers > self.most:
                numbers -= len(self._kept.popitem(last=False)[1])
