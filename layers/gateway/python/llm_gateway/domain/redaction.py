"""Taking credentials out of text: what is known by its shape, and what is named as one."""

import re
from typing import Final

from llm_gateway.domain.keys import SECRET_PREFIX

REDACTED: Final = "[redacted]"

# Each begins where no word goes on, and no two of its parts can take the same character: time grows with the text alone.
_SHAPES: Final = (
    rf"{SECRET_PREFIX}[0-9A-Za-z]+_[\w-]+",
    # OpenAI's and Anthropic's, Stripe's, GitHub's, GitLab's, Slack's, Google's, Hugging Face's, npm's and PyPI's.
    r"sk-[\w-]{16,}",
    r"[rs]k_(?:live|test)_\w{16,}",
    r"gh[oprsu]_\w{20,}",
    r"github_pat_\w{20,}",
    r"glpat-[\w-]{16,}",
    r"xox[a-z]-[\w-]{10,}",
    r"AIza[\w-]{30,}",
    r"hf_\w{20,}",
    r"npm_\w{20,}",
    r"pypi-[\w-]{20,}",
    # AWS's access key ids; a secret key has no shape, and is known by its name alone.
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}",
    # A JSON web token.
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:(?!-----END )[\s\S])*(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?",
)
_NAMES: Final = (
    r"api[_-]?key|access[_-]?key|secret[_-]?(?:access[_-]?)?key|private[_-]?key|client[_-]?secret"
    r"|(?:access|auth|refresh|session|security)[_-]?token|secret|password|passwd|passphrase|pwd"
)
_KNOWN: Final = re.compile(rf"(?<![\w-])(?:{'|'.join(_SHAPES)})")
_SENT: Final = re.compile(r"(?i)(?<![A-Za-z])((?:bearer|basic)\s+)[\w.~+/=-]{8,}")
_NAMED: Final = re.compile(
    rf"(?i)(?<![A-Za-z])((?:{_NAMES})[\"'\\]{{0,4}}\s{{0,9}}(?:=>|[:=])\s{{0,9}}[\"'\\]{{0,4}})[^\s\"'\\,;&<>]{{6,}}"
)
_IN_ADDRESS: Final = re.compile(r"(?<=://)[^\s/:@]{1,200}:[^\s/@]{1,200}(?=@)")
_DATA_ADDRESS: Final = re.compile(r"(?i)(?<![\w-])data:[\w.+/-]{0,100}(?:;[\w=-]{1,100}){0,5};base64,[\w+/=%-]+")


def redacted(text: str) -> str:
    """`text` with each credential in it replaced, and each address that carries its own data."""
    text = _DATA_ADDRESS.sub(lambda found: f"[data of {len(found[0])} characters]", text)
    text = _KNOWN.sub(REDACTED, text)
    text = _SENT.sub(rf"\1{REDACTED}", text)
    text = _NAMED.sub(rf"\1{REDACTED}", text)
    return _IN_ADDRESS.sub(REDACTED, text)
