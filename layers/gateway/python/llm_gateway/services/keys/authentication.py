"""Whose a request is that carries a key's secret."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from llm_gateway.domain.key_secrets import Mistyped, key_id_of
from llm_gateway.domain.keys import ApiKey, KeySecret
from llm_gateway.errors import Unauthenticated
from llm_gateway.ports.keys import KeyStore, Pepper
from llm_gateway.ports.system import Clock
from llm_gateway.services.keys.memory import Recent

_REFUSAL: Final = "The API key is not valid. Send it as `Authorization: Bearer <key>` or as `X-Api-Key`."
_MISTYPED: Final = (
    "The API key is mistyped: its checksum is wrong. Copy it again, all of it, from `llmgw_` to its last character."
)
_MUST_SIGN: Final = "This key's requests must be signed: its bare secret opens nothing. docs/keys.md says how to sign."
_WRONG_ONES: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """Keys are checked against an HMAC of their secret: what is stored does not open the door.

    A secret that belongs to no key never will: this process remembers those that it met lately, and reads nothing for them.
    """

    store: KeyStore
    pepper: Pepper
    clock: Clock
    _wrong: Recent = field(default_factory=lambda: Recent(_WRONG_ONES))

    def authenticate(self, secret: str) -> ApiKey:
        """The key that `secret` opens. Raises `Unauthenticated`: all alike for a key that is unknown, revoked or expired, and
        for a wrong secret; with its own words for a mistyped one, and for a key whose requests must be signed."""
        try:
            key_id = key_id_of(secret)
        except Mistyped:
            raise Unauthenticated(_MISTYPED) from None
        hashed = hash_of(secret, self.pepper)
        if key_id is None or hashed in self._wrong:
            raise Unauthenticated(_REFUSAL)
        key = self.store.find(key_id)
        matching = _matching(hashed, key.secrets if key else ())
        if key is None or not matching:
            self._wrong.add(hashed)
            raise Unauthenticated(_REFUSAL)
        if not set(matching) & set(key.valid_secrets(self.clock.now())):
            raise Unauthenticated(_REFUSAL)
        if key.require_signature:
            raise Unauthenticated(_MUST_SIGN)
        return key


def hash_of(secret: str, pepper: Pepper) -> str:
    """A secret as it is stored: HMAC-SHA256 under the pepper, in hex."""
    return hmac.new(pepper.value(), secret.encode(), hashlib.sha256).hexdigest()


def _matching(hashed: str, secrets: Sequence[KeySecret]) -> list[KeySecret]:
    """Each is compared in constant time, and all of them are: the time taken does not tell which it was."""
    return [secret for secret in secrets if hmac.compare_digest(hashed, secret.hash)]
