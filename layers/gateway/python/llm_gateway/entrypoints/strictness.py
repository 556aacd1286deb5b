"""What a request brings along and its route has no use for: it is refused, so that none of it silently does nothing."""

from llm_gateway.entrypoints.declared import HEADER, QUERY
from llm_gateway.entrypoints.read_request import ReadRequest
from llm_gateway.entrypoints.taking import Taken
from llm_gateway.errors import ValidationFailed


class Strictness:
    """That of one route."""

    def __init__(self, taken: Taken) -> None:
        self._known = frozenset(taken.names(QUERY))
        self._headers = frozenset(taken.names(HEADER))
        self._takes_body = taken.body is not None

    def check(self, request: ReadRequest) -> None:
        """Raises `ValidationFailed` for a parameter, a header's second line or a body that the route has no use for."""
        given = [name for name, _ in request.query_params.multi_items()]
        for name in given:
            if name not in self._known:
                raise ValidationFailed.of(name or "query", "is not a known parameter of this route")
            # Such a name is that of a list. Any other ends this at its second, before counting takes long.
            if not name.endswith("[]") and given.count(name) > 1:
                raise ValidationFailed.of(name, "must be there once")
        for name in self._headers:
            if len(set(request.headers.getlist(name))) > 1:
                raise ValidationFailed.of(name.title(), "must be there once, or each time with the same value")
        if not self._takes_body and request.content.strip() not in (b"", b"{}"):
            raise ValidationFailed.of("body", "must be empty: this route takes none")
