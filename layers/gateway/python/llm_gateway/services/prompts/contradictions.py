"""Contradictions: instructions that ask for another form than a prompt's `output` does. A finding, and no error.

It looks for what people write, in English, and finds no more than that: a prompt without a finding may still contradict itself.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from llm_gateway.domain.chat import OutputFormat

_WRITE: Final = r"(?:answer|respond|reply|write|return|output|format|give)"
_NO: Final = r"(?:do not|don't|never|not|without|no)"
# What keeps a model from writing JSON, where the answer must be JSON.
_OTHERS: Final = r"(?:plain text|markdown|prose|html|xml|yaml|csv|bullet points?|a table|an essay|a poem|free text)"
_AGAINST_JSON: Final = (
    rf"\b{_NO}\s+(?:\w+\s+){{0,4}}json\b",
    rf"\b{_WRITE}\b[^.!?\n]{{0,60}}\b{_OTHERS}\b",
    rf"\b{_WRITE}\b[^.!?\n]{{0,40}}\bin (?:one|two|three|a few|\d{{1,2}}) (?:words?|sentences?|paragraphs?)\b",
    r"\bexplain your (?:answer|reasoning|thinking) (?:before|after|first)\b",
    r"\bthink (?:step by step|out loud)\b",
)
# What asks for JSON, where any text is taken for an answer.
_FOR_JSON: Final = (
    rf"\b{_WRITE}\b[^.!?\n]{{0,40}}\b(?:as|in|with|only|valid|a|one)\s+(?:\w+\s+){{0,2}}json\b",
    r"\bjson (?:only|object only)\b",
)
_NEGATED: Final = re.compile(rf"(?i)\b{_NO}\b[^.!?\n]{{0,40}}$")
_LONGEST: Final = 200_000
_SHOWN: Final = 80


def contradictions(texts: Sequence[tuple[str, str]], output: OutputFormat) -> Iterator[str]:
    """A sentence for each field of `texts` (its name, its text) whose words contradict `output`."""
    wants_json = output.type != "text"
    patterns = _AGAINST_JSON if wants_json else _FOR_JSON
    for field, text in texts:
        found = next(filter(None, (_found(pattern, text[:_LONGEST]) for pattern in patterns)), None)
        if found and wants_json:
            yield f"{field} says {found!r}, but output.type is {output.type}: the answer must be JSON alone."
        elif found:
            yield f"{field} says {found!r}, but output.type is text: set output to json, or json_schema, to have it held to that."


def _found(pattern: str, text: str) -> str | None:
    for match in re.finditer(f"(?i){pattern}", text):
        if not _NEGATED.search(text[max(0, match.start() - _SHOWN) : match.start()]):
            words = " ".join(match[0].split())
            return words if len(words) <= _SHOWN else words[: _SHOWN - 1] + "…"
    return None
