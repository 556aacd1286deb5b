"""What a provider says that a request's tokens are."""

from collections.abc import Iterable

from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.providers import untrusted
from llm_gateway.providers.sse import Document, Event


def counted(answer: Iterable[Event], *, name: str) -> int:
    """The member `name` of the answer. Raises `ProviderResponseInvalid` where it is no number of tokens."""
    body = next((event for event in answer if isinstance(event, Document)), None)
    found = (
        None if body is None else untrusted.count(untrusted.record(untrusted.parsed(body.data), name="count").get(name))
    )
    if found is None:
        raise ProviderResponseInvalid("The provider's answer tells no number of tokens.")
    return found
