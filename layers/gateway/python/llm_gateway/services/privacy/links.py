"""Links: addresses in an answer that would carry data out if they were loaded or followed, and credentials in it."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from llm_gateway.domain.chat import ChatAnswer
from llm_gateway.domain.queries import Output
from llm_gateway.domain.redaction import REDACTED, random_piece, redacted
from llm_gateway.domain.strict_json import parse
from llm_gateway.services.privacy.placeholders import placeholders_in

_MOST_TOLD: Final = 10
_LONGEST: Final = 2_000
_LONGEST_NAME: Final = 160
_ORIGIN: Final = r"(?:https?:)?//"
_IS: Final = r"\s{0,3}=\s{0,3}[\"']?\s{0,3}"
_IMAGE: Final = re.compile(
    rf"!\[[^\]\n]{{0,300}}\]\(\s{{0,3}}<?({_ORIGIN}[^\s)>]{{1,{_LONGEST}}})"
    rf"|<(?:img|source|video|audio|iframe|embed|object|input|link|script)\s[^>]{{0,300}}?(?:src|srcset|poster|data|href){_IS}({_ORIGIN}[^\s\"'>]{{1,{_LONGEST}}})",
    re.IGNORECASE,
)
_LINK: Final = re.compile(
    rf"(?<!!)\[[^\]\n]{{0,300}}\]\(\s{{0,3}}<?({_ORIGIN}[^\s)>]{{1,{_LONGEST}}})|<a\s[^>]{{0,300}}?href{_IS}({_ORIGIN}[^\s\"'>]{{1,{_LONGEST}}})",
    re.IGNORECASE,
)
_REFERENCE: Final = re.compile(
    rf"^\s{{0,3}}\[[^\]\n]{{1,100}}\]:\s{{0,3}}<?({_ORIGIN}[^\s>]{{1,{_LONGEST}}})", re.MULTILINE | re.IGNORECASE
)
_IMAGE_BY_REFERENCE: Final = re.compile(r"!\[[^\]\n]{0,300}\](?!\()")
# What no page is called: text that was encoded, or words behind one another. A long name of words is one.
_ENCODED: Final = re.compile(r"(?:%[0-9A-Fa-f]{2}[^%&/]{0,20}){3,}|(?:[^+&=/]{1,20}\+){3,}|[0-9]{24,}")
_MAYBE_ENCODED: Final = re.compile(r"[A-Za-z0-9+_=-]{24,}")
_WORDS: Final = re.compile(r"(?:[A-Z]?[a-z]++[-_]?)++")


def warnings_about(said: ChatAnswer | Output) -> list[str]:
    """What is told of an answer: hosts, and nothing of what the addresses carry."""
    told = dict.fromkeys(warning for text in _texts(said) for warning in _warnings(text))
    return [*told][:_MOST_TOLD]


def _texts(said: ChatAnswer | Output) -> Iterator[str]:
    """All that its reader sees, as its reader sees it: in JSON an address may be written in many ways."""
    yield said.text or ""
    if said.reasoning is not None:
        yield said.reasoning.text or ""
    if said.json is not None:
        yield from _texts_in(said.json)
    for call in said.tool_calls:
        yield call.arguments
        with suppress(ValueError):
            yield from _texts_in(parse(call.arguments))


def _texts_in(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case dict() as members:
                waiting += [*members, *members.values()]
            case list() as items:
                waiting += items


def _warnings(text: str) -> Iterator[str]:
    for address in _addresses(_IMAGE, text):
        if _carries_data(address, loads=True):
            yield f"The answer has an image of {_host(address)} whose address carries data out: showing it sends them there."
    # An image may have its address elsewhere in the text: that is then loaded unasked, too.
    by_reference = bool(_IMAGE_BY_REFERENCE.search(text))
    for pattern, loads in ((_LINK, False), (_REFERENCE, by_reference)):
        for address in _addresses(pattern, text):
            if _carries_data(address, loads=loads):
                yield f"The answer has a link to {_host(address)} whose address carries data out: following it sends them there."
    if redacted(text).count(REDACTED) > text.count(REDACTED):
        yield "The answer has what looks like a credential."


def _addresses(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    for found in pattern.finditer(text):
        yield next(group for group in found.groups() if group)


def _carries_data(address: str, *, loads: bool) -> bool:
    """An image is loaded unasked: any query of its address is data. A link may well have one, if it is short and readable."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return True
    if "@" in parts.netloc or len(parts.hostname or "") > 100:
        return True
    # What is masked in it is a value again once its caller reads it.
    if (loads and parts.query) or placeholders_in(address):
        return True
    return any(_is_encoded(part) for part in (parts.path, parts.query, parts.fragment))


def _is_encoded(part: str) -> bool:
    if _ENCODED.search(part):
        return True
    pieces = (found[0] for found in _MAYBE_ENCODED.finditer(part))
    return any(
        len(piece) > _LONGEST_NAME or (random_piece(piece) is not None and not _WORDS.fullmatch(piece))
        for piece in pieces
    )


def _host(address: str) -> str:
    host = address.split("/", 3)[2].rpartition("@")[2]
    return host if len(host) <= 100 else f"{host[:100]}…"
