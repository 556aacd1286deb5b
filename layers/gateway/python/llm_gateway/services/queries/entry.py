"""Entry: what was sent becomes what may be asked, for every way of asking. Nothing is planned that did not come through here.

A prompt and roles are put in first; then what the query asks of its own texts is done, and what its key and its prompt ask of
personal data.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from llm_gateway.domain.chat import MessageRole
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.terms import Terms
from llm_gateway.values import dataclass

if TYPE_CHECKING:
    from llm_gateway.domain.prompts.choices import Choices
    from llm_gateway.services.privacy.policies import Policies
    from llm_gateway.services.queries.assembly import Assembly


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A request that may be planned, and the values that its placeholders stand for."""

    request: QueryRequest
    values: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Imports prompts and policies for those queries alone that have any."""

    assembly: "Callable[[], Assembly]"
    policies: "Callable[[], Policies]"

    def admit(self, request: QueryRequest, choices: "Choices | None", terms: Terms, *, key_id: str) -> Entered | None:
        """What may be planned; None where that is `request` as it stands.

        Raises what `Assembly.assemble`, `sanitized` and `Policies.cover` raise.
        """
        sent = request
        if choices is not None:
            request = self.assembly().assemble(request, choices)
        if (
            request.sanitize is not None
            or request.context is not None
            or (len(request.messages) > 1 and _has_results(request))
        ):
            from llm_gateway.services.privacy.sanitizing import sanitized

            request = sanitized(request)
        rules = terms.pii if request.origin is None else (*terms.pii, *request.origin.pii)
        if not rules:
            return None if request is sent else Entered(request=request)
        covered = self.policies().cover(request, rules, key_id=key_id)
        return Entered(request=covered.request, values=covered.values)


def _has_results(request: QueryRequest) -> bool:
    """Whether tools have answered: somebody had asked before that."""
    return any(message.role is MessageRole.TOOL for message in request.messages)
