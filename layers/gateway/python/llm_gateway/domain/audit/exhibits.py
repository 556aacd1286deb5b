"""Documents as the audit log shows them: no secret in them, no character that could forge a line, and a bounded size."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from llm_gateway.domain.redaction import redacted

MOST_BYTES: Final = 32 * 1024
"""Of one document. A longer one becomes its hash and the names of the members that changed."""

Document = Mapping[str, Any]

_FINGERPRINT_DIGITS: Final = 8
_EXACT: Final = 2**53
_SECRET: Final = re.compile(
    r"(?i)(?:^|[_-])(?:(?:api|access|private)[_-]?key|secret(?:[_-]?(?:key|hash))?|token|password|passwd|passphrase|authorization)$"
)
# Control characters and what hides or turns text around: U+202E, zero-width characters, lone surrogates, line separators.
_HARMFUL: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def canonical(value: Any) -> str:
    """JSON with sorted names and no white space. Equal values have one text, so that anybody can compute its hash again."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(text: str) -> str:
    """The SHA-256 of the text's UTF-8 bytes, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def harmless(text: str) -> str:
    """`text` with each character that a terminal or a line-wise reader obeys written as an escape: `\\n`, `\\u202e`.

    JSON escapes line breaks by itself, but not what a reader prints after decoding it.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def exhibits(before: Document | None, after: Document | None) -> tuple[Document | None, Document | None]:
    """Both documents as an entry holds them."""
    shown = [None if document is None else _shown_members(document) for document in (before, after)]
    changed = _changed(*(document or {} for document in shown))
    shown_before, shown_after = (_bounded(document, changed) for document in shown)
    return shown_before, shown_after


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _HARMFUL:
        return character
    return repr(character)[1:-1] if character in "\n\r\t" else _by_number(ord(character))


def _by_number(code_point: int) -> str:
    return f"\\u{code_point:04x}" if code_point <= 0xFFFF else f"\\U{code_point:08x}"


def _shown_members(document: Document) -> dict[str, Any]:
    return {
        harmless(name): _fingerprint(value) if _hides(name, value) else _shown(value)
        for name, value in document.items()
    }


def _shown(value: Any) -> Any:
    match value:
        case str():
            return harmless(redacted(value))
        case Mapping():
            return _shown_members(value)
        case list() | tuple():
            return [_shown(item) for item in value]
        case float() if value.is_integer() and abs(value) < _EXACT:
            # Others write 30.0 as 30, and would compute another hash.
            return int(value)
    return value


def _hides(name: str, value: Any) -> bool:
    return _SECRET.search(name) is not None and value is not None and not isinstance(value, bool)


def _fingerprint(secret: Any) -> str:
    """Tells one secret from another, and gives neither away."""
    text = secret if isinstance(secret, str) else canonical(secret)
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"sha256:{digest[:_FINGERPRINT_DIGITS]}…"


def _changed(before: Document, after: Document) -> list[str]:
    names = before.keys() | after.keys()
    return sorted(name for name in names if name not in before or name not in after or before[name] != after[name])


def _bounded(document: Document | None, changed: list[str]) -> Document | None:
    if document is None:
        return None
    text = canonical(document)
    return document if len(text.encode()) <= MOST_BYTES else {"sha256": sha256(text), "changed": changed}
