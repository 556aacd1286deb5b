"""Regular expressions that callers write, matched by RE2: in time that grows with the text, whatever the expression is.

Python's own `re` may take longer than anybody lives (`^(a+)+$`), and nobody can stop it.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

_MEMORY_BYTES: Final = 2**20
# About a second, where an expression is so large that RE2 has to simulate all of it at each character.
_MOST_STEPS: Final = 50_000_000
# ECMA 262, which JSON Schema refers to, escapes a character as \u00e4, RE2 as \x{00e4}.
_ESCAPED: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)


class InvalidPattern(Exception):
    """The pattern is no regular expression, or RE2 does not support it. The message tells the pattern's author why."""


class TooMuchWork(Exception):
    """It would take, or has taken, longer than allowed."""


def check_pattern(pattern: str) -> None:
    """Raises `InvalidPattern`."""
    _compiled(pattern)


def matches(pattern: str, text: str) -> bool:
    """Whether `pattern` is found in `text`. Raises `TooMuchWork` before it starts on what would take seconds."""
    return Matching().matches(pattern, text)


@dataclass(slots=True)
class Matching:
    """Matches any number of texts, which may not take more together than one of them may."""

    steps_left: int = _MOST_STEPS

    def matches(self, pattern: str, text: str) -> bool:
        """As the function of this name."""
        program = _compiled(pattern)
        self.steps_left -= program.programsize * len(text)
        if self.steps_left < 0:
            raise TooMuchWork
        return program.search(text) is not None


def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    try:
        return re2.compile(_ESCAPED.sub(_as_re2_has_it, pattern), options)
    except re2.error as error:
        (reason,) = error.args
        raise InvalidPattern(reason.decode(errors="replace")) from None


def _as_re2_has_it(escaped: re.Match[str]) -> str:
    return rf"\x{{{escaped[1]}}}" if escaped[1] else escaped[0]
