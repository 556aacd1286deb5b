"""Taking credentials out of text: those with a known shape, and those that a name before them announces."""

import re
from collections.abc import Mapping
from typing import Final

from llm_gateway.domain.key_secrets import SECRET_PREFIX

REDACTED: Final = "[redacted]"

# Credentials that are known by their shape: whose they are, and what they look like. None needs a boundary before it, and no
# two parts that follow each other can take the same character: time grows with the text alone.
SHAPES: Final[Mapping[str, str]] = {
    "this gateway": rf"{SECRET_PREFIX}[0-9A-Za-z]+_[\w-]+",
    "OpenAI, Anthropic": r"sk-[\w-]{16,}",
    "Stripe": r"[rs]k_(?:live|test)_\w{16,}",
    "GitHub": r"gh[oprsu]_\w{20,}",
    "GitHub, fine-grained": r"github_pat_\w{20,}",
    "GitLab": r"glpat-[\w-]{16,}",
    "Slack": r"xox[a-z]-[\w-]{10,}",
    "Google": r"AIza[\w-]{30,}",
    "Hugging Face": r"hf_\w{20,}",
    "npm": r"npm_\w{20,}",
    "PyPI": r"pypi-[\w-]{20,}",
    # A secret key of AWS has no shape, and is known by its name alone.
    "AWS access key id": r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}",
    "JSON web token": r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    "private key": (
        r"-----BEGIN(?:[A-Z +]|%(?:25)?20){0,40}PRIVATE(?:[ +]|%(?:25)?20)KEY-----(?:(?!-----END[ +%])[\s\S])*"
        r"(?:-----END(?:[A-Z +]|%(?:25)?20){0,40}PRIVATE(?:[ +]|%(?:25)?20)KEY-----)?"
    ),
}
# What a credential is called where it has no shape of its own.
NAMES: Final = (
    "api[_-]?key",
    "access[_-]?key",
    "secret[_-]?(?:access[_-]?)?key",
    "private[_-]?key",
    "client[_-]?secret",
    "(?:access|auth|refresh|session|security)[_-]?token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
)

# Text comes as it was typed, inside JSON (also JSON inside JSON), or inside an address. An escape ends in letters and digits,
# which are no part of the word behind it: `\nsk-…`, `\u000ask-…`, `%20sk-…`, `%2520sk-…`.
_ESCAPED: Final = (
    r"(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})|(?<=\\x[0-9a-fA-F]{2})|(?<=%[0-9a-fA-F]{2})|(?<=%25[0-9a-fA-F]{2})"
)
_NO_WORD_BEFORE: Final = rf"(?:(?<![\w-])|{_ESCAPED})"
_NO_LETTER_BEFORE: Final = rf"(?:(?<![A-Za-z])|{_ESCAPED})"
_SPACE: Final = r"(?:\s|\\[nrt]|\\u00(?:20|09|0[adAD])|%(?:25)?(?:20|09|0[adAD])|\+)"
_QUOTE: Final = r"(?:[\"'\\]|\\u002[27]|%(?:25)?2[27]|&quot;)"
_EQUALS: Final = r"(?:=>|[:=]|\\u003[ad]|%(?:25)?3[adAD])"
# `/`, `+`, `&`, `=` and the like may be escaped inside a value, which goes on behind them.
_VALUE: Final = r"(?:[^\s\"'\\,;&<>]|\\+(?:/|u00(?:2[6bdfBDF]|3[c-eC-E])))"

_KNOWN: Final = re.compile(rf"{_NO_WORD_BEFORE}(?:{'|'.join(SHAPES.values())})")
_SENT: Final = re.compile(rf"(?i){_NO_LETTER_BEFORE}((?:bearer|basic){_SPACE}{{1,9}})(?:[\w.~+/=%-]|\\+/){{8,}}")
_NAMED: Final = re.compile(
    rf"(?i){_NO_LETTER_BEFORE}((?:{'|'.join(NAMES)}){_QUOTE}{{0,4}}{_SPACE}{{0,9}}{_EQUALS}{_SPACE}{{0,9}}{_QUOTE}{{0,4}})"
    rf"{_VALUE}{{6,}}"
)
_IN_ADDRESS: Final = re.compile(
    r"(?:(?<=://)|(?<=:\\/\\/))[^\s/:@\\]{1,200}:[^\s/@\\]{1,200}(?=@)"
    r"|(?i:(?<=%3A%2F%2F))[^\s/:@%]{1,200}%3[aA][^\s/:@]{1,200}?(?=%40)"
)
_DATA_ADDRESS: Final = re.compile(
    rf"(?i){_NO_WORD_BEFORE}data:[\w.+/-]{{0,100}}(?:;[\w=-]{{1,100}}){{0,5}};base64,(?:[\w+/=%-]|\\+/)+"
)


def redacted(text: str) -> str:
    """`text` with each credential in it replaced, and each address that carries its own data."""
    text = _DATA_ADDRESS.sub(lambda found: f"[data of {len(found[0])} characters]", text)
    text = _KNOWN.sub(REDACTED, text)
    text = _SENT.sub(rf"\1{REDACTED}", text)
    text = _NAMED.sub(rf"\1{REDACTED}", text)
    return _IN_ADDRESS.sub(REDACTED, text)
