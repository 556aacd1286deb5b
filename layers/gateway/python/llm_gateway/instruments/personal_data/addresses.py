"""Addresses of e-mail and of the Internet."""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from llm_gateway.domain.pii import Found
from llm_gateway.instruments.personal_data.rules import LETTER

_LONGEST_LOCAL: Final = 64
# Read from the @ on: forwards the domain, backwards what stands before it.
# Letters of scripts that leave blanks between words: those of others belong to the words around an address.
_WORD: Final = r"0-9A-Za-z_\u00c0-\u024f\u0370-\u052f"
_DOMAIN: Final = re.compile(
    rf"@ ?(?:[^\W_](?:[\w\-]{{0,61}}[^\W_])?\.){{1,8}}"
    rf"(?P<top>xn--[a-z0-9\-]{{2,59}}|[A-Za-z\u00c0-\u024f\u0370-\u052f]{{2,24}})(?![{_WORD}\-])",
    re.IGNORECASE,
)
_LOCAL_BACKWARDS: Final = re.compile(rf"[{_WORD}+%&'*/=?^{{}}~$!#\-][{_WORD}.+%&'*/=?^{{}}~$!#\-]{{0,63}}")
_FILES: Final = frozenset(
    [
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "avif",
        "ico",
        "pdf",
        "css",
        "js",
        "mjs",
        "ts",
        "tsx",
        "jsx",
        "json",
        "html",
        "htm",
        "md",
        "txt",
        "yml",
        "yaml",
        "xml",
        "csv",
        "zip",
        "gz",
        "woff",
        "ttf",
    ]
)
_V4: Final = re.compile(rf"[0-9](?<![{LETTER}.].)\d{{0,2}}(?:\.\d{{1,3}}){{3}}(?![{LETTER}])(?!\.\d)")
VERSION: Final = re.compile(r"(?i:version|release|build|firmware|kernel|ver\.?|section|chapter|§)[ :=]{0,2}$")
_V6: Final = re.compile(
    rf"[0-9A-Fa-f:](?<![{LETTER}:.].)(?:(?<=:):|(?<!:)[0-9A-Fa-f]{{0,3}}:)(?:[0-9A-Fa-f]{{0,4}}:){{1,6}}"
    rf"(?:\d{{1,3}}(?:\.\d{{1,3}}){{3}}|[0-9A-Fa-f]{{0,4}})(?![{LETTER}:])"
)


def emails(text: str, start: int, until: int, end: int) -> Iterator[Found]:
    """What begins from `start` up to `until`."""
    place = start
    while (found := _DOMAIN.search(text, place, end)) and found.start() - _LONGEST_LOCAL < until:
        place = found.start() + 1
        before = text[max(start, found.start() - _LONGEST_LOCAL) : found.start()][::-1]
        local = _LOCAL_BACKWARDS.match(before)
        name = local[0][::-1].lstrip("./'=?&{}#!*%$") if local else ""
        if not name or found["top"].lower() in _FILES or (name == "git" and text[found.end() : found.end() + 1] == ":"):
            continue
        place = found.end()
        if found.start() - len(name) < until:
            yield Found("email", found.start() - len(name), found.end())


def ip_addresses(text: str, start: int, until: int, end: int) -> Iterator[Found]:
    """What begins from `start` up to `until`, and is somebody's: this machine and everybody are nobody."""
    for pattern, is_address in ((_V4, _is_v4), (_V6, _is_v6)):
        place = start
        while (found := pattern.search(text, place, end)) and found.start() < until:
            place = found.start() + 1
            if is_address(found):
                yield Found("ip_address", found.start(), found.end())
                place = found.end()


def _is_v4(found: re.Match[str]) -> bool:
    if VERSION.search(found.string, max(0, found.start() - 12), found.start()):
        return False
    try:
        address = IPv4Address(found[0])
    except AddressValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast or address.is_reserved)


def _is_v6(found: re.Match[str]) -> bool:
    groups = [group for group in found[0].split(":") if group]
    if len(groups) < 3 and not (len(groups) == 2 and any(len(group) == 4 for group in groups)):
        return False
    try:
        address = IPv6Address(found[0])
    except AddressValueError:
        return False
    return not (address.is_loopback or address.is_unspecified) and any(c.isdigit() for c in found[0])
