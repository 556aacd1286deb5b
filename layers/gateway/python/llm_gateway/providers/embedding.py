"""One exchange for embeddings, whatever its wire: texts go out, and what comes back is checked. Imported on first use."""

import base64
import binascii
import math
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.embeddings import EmbeddingRequest, Embeddings, Vector
from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.domain.providers import Timeouts
from llm_gateway.domain.tokens import by_bytes
from llm_gateway.providers import untrusted
from llm_gateway.providers.deadline import Deadline
from llm_gateway.providers.faults import FaultTable
from llm_gateway.providers.transport import http_timeout

if TYPE_CHECKING:
    import httpx2

# Several times what any model makes today.
_MOST_DIMENSIONS: Final = 65_536
# What a model's own marks add to a text, and a vendor's prompt to a call.
_MARKS_A_TEXT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What an answer holds, as it was told: vectors in whatever form, in the order of the texts, and counts to believe or not."""

    vectors: Sequence[object]
    tokens: object = None
    model: object = None


class EmbeddingWire(Protocol):
    """How one API is asked for embeddings."""

    @property
    def faults(self) -> FaultTable: ...

    def opened(
        self, request: EmbeddingRequest, *, timeout: "httpx2.Timeout"
    ) -> AbstractContextManager[Iterable[bytes]]:
        """Sends the request, and gives the body of the answer. Leaving it closes the connection."""
        ...

    def read(self, body: dict[str, Any], request: EmbeddingRequest) -> Read:
        """What the body says. Raises `ProviderResponseInvalid`."""
        ...


def embedded(wire: EmbeddingWire, request: EmbeddingRequest, deadline: Deadline, timeouts: Timeouts) -> Embeddings:
    """Raises a `ProviderFault` for whatever fails; `complete` of an answer that came whole and cannot be used."""
    faults = wire.faults
    deadline.renew()
    with (
        faults.raised(deadline=deadline),
        deadline.enforced(),
        wire.opened(request, timeout=http_timeout(timeouts, deadline)) as chunks,
    ):
        data = b"".join(chunks)
    try:
        with faults.raised():
            body = untrusted.record(untrusted.parsed(data), name="body")
            if body.get("error"):
                raise faults.of_event(body["error"])
            return _checked(wire.read(body, request), request)
    except ProviderResponseInvalid as fault:
        fault.complete, fault.usage = True, _usage(None, request)
        raise


def _checked(read: Read, request: EmbeddingRequest) -> Embeddings:
    if len(read.vectors) != len(request.texts):
        raise ProviderResponseInvalid(
            f"The provider answered {len(request.texts)} texts with {len(read.vectors)} embeddings."
        )
    vectors = tuple(map(_vector, read.vectors))
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1 or (request.dimensions is not None and lengths != {request.dimensions}):
        raise ProviderResponseInvalid("The provider's embeddings have not the asked length, or not all the same.")
    model = untrusted.model_name(read.model, asked=request.model)
    return Embeddings(vectors=vectors, model=model, usage=_usage(read.tokens, request))


def by_index(items: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The items in the order of their texts. Raises `ProviderResponseInvalid` where a place is told twice, or is none.

    Where no item tells its place, they stand in order.
    """
    if all(item.get("index") is None for item in items):
        return iter(items)
    placed = {untrusted.index(item.get("index")): item for item in items}
    if placed.keys() != set(range(len(items))):
        raise ProviderResponseInvalid("The provider's embeddings do not say in order which text each is of.")
    return (placed[place] for place in range(len(items)))


def _vector(value: object) -> Vector:
    """Finite numbers, or the base64 of 32-bit floats, which is how OpenAI's SDK asks for them."""
    numbers = _unpacked(value) if isinstance(value, str) else value
    if not isinstance(numbers, list) or not 0 < len(numbers) <= _MOST_DIMENSIONS:
        raise ProviderResponseInvalid("The provider's answer has an embedding that is no list of numbers.")
    return tuple(map(_finite, numbers))


def _finite(value: object) -> float:
    try:
        number = float(value) if type(value) in (int, float) else math.nan  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ProviderResponseInvalid("The provider's answer has an embedding with something that is no finite number.")
    return number


def _unpacked(text: str) -> list[float]:
    floats = array("f")
    try:
        floats.frombytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ProviderResponseInvalid("The provider's answer has an embedding that is no base64 of floats.") from error
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tolist()


def _usage(told: object, request: EmbeddingRequest) -> Usage:
    """A count beyond reason is none: a tokenizer makes at most a token of a byte, and a few marks; and of no text nothing."""
    tokens = untrusted.count(told)
    most = sum(len(text.encode("utf-8", "replace")) + _MARKS_A_TEXT for text in request.texts)
    if tokens and tokens <= most:
        return Usage(input_tokens=tokens)
    return Usage(input_tokens=sum(by_bytes(text).middle for text in request.texts), estimated=True)
