"""A key's secret: `llmgw_`, the key's own ULID, 256 random bits, and a checksum that tells a typo from a wrong secret.

Scanners know it by its beginning. The checksum is no protection: anybody can compute it.
"""

import re
import zlib
from typing import Final

from llm_gateway.domain.identifiers import KEY_PREFIX, made_at_s

SECRET_PREFIX: Final = "llmgw_"

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM_LENGTH: Final = 6  # Digits of base 62 that 32 bits take.
# The signing secret begins like this too; a checksum it has none.
_FORM: Final = re.compile(rf"{SECRET_PREFIX}(?!sign_)([0-9A-Za-z]+)_[\w-]+", re.ASCII)


class Mistyped(ValueError):
    """A secret whose checksum is wrong: a character was changed, lost or added on its way."""


def secret_of(ulid: str, random: str) -> str:
    """The secret of the key with this ULID. `random` has 256 random bits as URL-safe text."""
    text = f"{SECRET_PREFIX}{ulid}_{random}"
    return text + _checksum(text)


def key_id_of(secret: str) -> str | None:
    """The key's id inside a secret, or None where the text has another form. Raises `Mistyped`."""
    form = _FORM.fullmatch(secret)
    if form is None:
        return None
    if _checksum(secret[:-_CHECKSUM_LENGTH]) != secret[-_CHECKSUM_LENGTH:]:
        raise Mistyped
    key_id = KEY_PREFIX + form[1]
    return key_id if made_at_s(key_id, prefix=KEY_PREFIX) is not None else None


def hint_of(secret: str) -> str:
    """The secret's end, for recognising it."""
    return f"…{secret[-4:]}"


def _checksum(text: str) -> str:
    """CRC-32 in base 62, as long for every text."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits
