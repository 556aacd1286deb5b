"""Licences as SPDX writes them: `(MIT OR GPL-2.0-only) AND BSD-3-Clause`, and whether that is allowed."""

import re
from collections.abc import Iterator, Set
from typing import Final

_TOKEN: Final = re.compile(r"\s*(?:(?P<sign>[()])|(?P<word>[A-Za-z0-9.+:-]+))")
_OPERATORS: Final = frozenset({"AND", "OR", "WITH"})


class NoExpression(ValueError):
    """A text that is not an expression of SPDX."""


def allows(expression: str, allowed: Set[str]) -> bool:
    """Whether one may do with what stands under the `expression` what the `allowed` licences, named by their ids, let one do.

    All of what AND joins has to be allowed, and one of what OR joins; AND binds more tightly. An exception after WITH grants more
    than its licence does without. Raises `NoExpression`.
    """
    parser = _Parser(expression, {each.lower() for each in allowed})
    is_allowed = parser.any()
    if parser.next is not None:
        raise NoExpression(expression)
    return is_allowed


class _Parser:
    """`next` is the token that is to be read; None at the end."""

    def __init__(self, expression: str, allowed: Set[str]) -> None:
        self._expression = expression
        self._allowed = allowed
        self._tokens = self._split()
        self.next = next(self._tokens, None)

    def any(self) -> bool:
        is_allowed = self._all()
        while self._takes("OR"):
            # Both are read, whatever the first one says.
            is_allowed = self._all() or is_allowed
        return is_allowed

    def _all(self) -> bool:
        is_allowed = self._one()
        while self._takes("AND"):
            is_allowed = self._one() and is_allowed
        return is_allowed

    def _one(self) -> bool:
        if self._takes("("):
            is_allowed = self.any()
            if not self._takes(")"):
                raise NoExpression(self._expression)
            return is_allowed
        licence = self._word()
        if self._takes("WITH"):
            self._word()
        # `Apache-2.0+` is that version or a later one: the one that is named may be chosen.
        return licence.lower().removesuffix("+") in self._allowed

    def _word(self) -> str:
        word = self.next
        if word is None or word.upper() in _OPERATORS or word in "()":
            raise NoExpression(self._expression)
        self.next = next(self._tokens, None)
        return word

    def _takes(self, token: str) -> bool:
        is_next = self.next is not None and self.next.upper() == token
        if is_next:
            self.next = next(self._tokens, None)
        return is_next

    def _split(self) -> Iterator[str]:
        place, text = 0, self._expression.rstrip()
        while place < len(text):
            found = _TOKEN.match(text, place)
            if found is None:
                raise NoExpression(self._expression)
            yield found["sign"] or found["word"]
            place = found.end()
