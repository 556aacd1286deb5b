"""Findings: what was found where in a request, told by kinds and fields, and never by a word of it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from llm_gateway.domain.queries import QueryRequest
from llm_gateway.errors import FieldError, PiiBlocked

BLOCKED: Final = "The request holds personal data, and the key or the prompt lets none pass"
NOT_MASKABLE: Final = "The request holds personal data where no placeholder can stand"

_MOST_TOLD: Final = 20


class Findings:
    """Which kinds stand in which fields; not a word of them."""

    def __init__(self, kinds_in: Callable[[str, str, str], list[str]], counts: Counter[str]) -> None:
        self._kinds_in = kinds_in
        self._counts = counts
        self._found = dict[str, set[str]]()

    def note(self, text: str, field: str, name: str = "") -> str:
        kinds = self._kinds_in(text, field, name)
        if kinds:
            self._counts.update(kinds)
            # A member's name may be personal itself.
            place = field.partition(".")[0] if self._kinds_in(field, "", "") else field
            self._found.setdefault(place, set()).update(kinds)
        return text

    def check(self, why: str) -> None:
        """Raises `PiiBlocked` where anything was found."""
        if self._found:
            told = [(where, ", ".join(sorted(kinds))) for where, kinds in [*self._found.items()][:_MOST_TOLD]]
            raise PiiBlocked(
                f"{why}: {'; '.join(f'{where} ({kinds})' for where, kinds in told)}.",
                errors=[FieldError(where, f"holds personal data ({kinds})") for where, kinds in told],
            )


class Unread:
    """Parts that are no text: nothing is looked for in them, and nothing is masked."""

    def __init__(self) -> None:
        self._fields = list[str]()

    def note(self, data: str, field: str) -> str:
        self._fields.append(field)
        return data

    def told_in(self, request: QueryRequest) -> QueryRequest:
        """`request`, the answer to which says so, once."""
        notes = [f"{field} was sent as it is: in what is no text no personal data is found." for field in self._fields]
        return replace(request, notes=tuple(dict.fromkeys((*request.notes, *notes[:_MOST_TOLD]))))
