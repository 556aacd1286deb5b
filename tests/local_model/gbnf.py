"""Reads the part of llama.cpp's grammar language that the server writes, as a regular expression; recursion is cut at a depth."""

import re

_TOKEN = re.compile(
    r"""\s*(?:(?P<literal>"(?:\\.|[^"\\])*")|(?P<class>\[(?:\\.|[^\]\\])*\])"""
    r"""|(?P<name>[a-zA-Z][\w-]*)|(?P<repeat>\{\d+(?:,\d*)?\}|[*+?])|(?P<mark>[()|]))"""
)
_NOTHING = "(?!)"


def as_regex(grammar: str, *, depth: int = 4) -> re.Pattern[str]:
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())
    return re.compile(_rule(rules, "root", depth))


def _rule(rules: dict[str, str], name: str, depth: int) -> str:
    if depth < 0:
        return _NOTHING
    body = rules[name].rstrip()
    out, at = [], 0
    while at < len(body):
        token = _TOKEN.match(body, at)
        assert token, f"not in the language: {body[at:]!r}"
        at = token.end()
        # Only values nest: other names are always cut off from below by one of them.
        out.append(_symbol(rules, token, depth - (token["name"] in {"value"} or str(token["name"]).startswith("ref"))))
    return f"(?:{''.join(out)})"


def _symbol(rules: dict[str, str], token: re.Match[str], depth: int) -> str:
    if token["literal"]:
        text = re.sub(r"\\(.)", r"\1", token["literal"][1:-1])
        return f"(?:{re.escape(text)})"
    if token["name"]:
        return _rule(rules, token["name"], depth)
    if token["class"]:
        return token["class"]
    return token["repeat"] or {"(": "(?:", ")": ")", "|": "|"}[token["mark"]]
