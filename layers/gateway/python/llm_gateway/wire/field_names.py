"""What another dialect calls the fields of a query: an error names what its client has sent."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from llm_gateway.errors import FieldError, GatewayError

Rules = Mapping[str, str]
"""Patterns of a field's beginning, and what stands for it; the first that fits counts."""

GATEWAYS: Final[Rules] = {r"(cache|context|fallback|prompt|provider|system|timeout_s)": r"gateway.\1"}
"""What is a member of `gateway` in every dialect."""
BY_MODEL: Final[Rules] = {r"prompt(\.id|\.version|\.label)?(?=$)": "model"}
"""Where the model's name names the prompt."""
_MESSAGE: Final = re.compile(r"messages\[(\d+)\](.*)")


class Named(Protocol):
    """A request's body, which knows what its client calls a query's field."""

    def called(self, field: str) -> str: ...


def named(field: str, rules: Rules, turn: Callable[[int, str], str] | None = None) -> str:
    """`field` as the client calls it; `turn` names a message by its number, and what is in it."""
    found = _MESSAGE.fullmatch(field)
    if found is not None and turn is not None:
        return turn(int(found[1]), found[2])
    for pattern, own in rules.items():
        if begins := re.match(rf"{pattern}(?=$|[.\[])", field):
            return begins.expand(own) + field[begins.end() :]
    return field


def rename(error: "GatewayError", called: Callable[[str], str]) -> None:
    """Gives the fields that are at fault the names that the client has for them, in the detail too.

    What was sent once, and stands in the bodies for several vendors, is told once.
    """
    told: list[FieldError] = []
    names = {fault.field: called(fault.field) for fault in error.errors}
    for fault in error.errors:
        renamed = replace(fault, field=names[fault.field])
        if renamed in told:
            error.detail = re.sub(rf"; {re.escape(fault.field)} \([^)]*\)", "", error.detail)
        else:
            told.append(renamed)
    error.errors = tuple(told)
    if any(field != own for field, own in names.items()):
        # All at once: what the client calls one field, the gateway may call another. The longest first: one may begin as another.
        fields = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        error.detail = re.sub(rf"(?<![\w.\]])({fields})(?=:| \()", lambda found: names[found[1]], error.detail)
