"""Signed requests: whether a key's secret made the signature, and made it for this one request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from llm_gateway.domain.keys import ApiKey
from llm_gateway.domain.signatures import WINDOW_S, Claim, SignedRequest, check_age, claim_of, signing_secret
from llm_gateway.errors import SignatureInvalid, SignatureReplayed
from llm_gateway.ports.keys import KeyStore, NonceStore, Pepper
from llm_gateway.ports.system import Clock

# A signature is good from its `created` - 300 s to its `created` + 300 s, both included; the clocks of two machines may differ.
_CLOCK_SLACK_S: Final = 60
KEPT_S: Final = 2 * WINDOW_S + 1 + _CLOCK_SLACK_S
"""How long a nonce is kept: longer than any signature that carries it could be accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """First `claim`, which asks no store; then, once the key that it names was read, `verify`."""

    store: KeyStore
    pepper: Pepper
    nonces: NonceStore
    clock: Clock

    def authenticate(self, request: SignedRequest) -> ApiKey:
        """The key that signed `request`. Raises `SignatureInvalid`, `SignatureExpired`, `SignatureReplayed`."""
        claim = self.claim(request)
        key = self.store.find(claim.key_id)
        self.verify(claim, self._secrets(key) if key else ())
        if key is None:
            raise SignatureInvalid
        return key

    def claim(self, request: SignedRequest) -> Claim:
        """What the signature of `request` claims. Raises `SignatureInvalid` or `SignatureExpired`."""
        claim = claim_of(request)
        check_age(claim, now=self.clock.now())
        return claim

    def verify(self, claim: Claim, secrets: Sequence[bytes]) -> None:
        """Returns where one of `secrets` made the signature and its nonce is new.

        `secrets` are those of the key that `claim` names: two while a rotation's overlap lasts, none for a key that is unknown,
        revoked or expired. Raises `SignatureInvalid`, which burns no nonce, `SignatureReplayed`, or `DependencyUnavailable`
        while nonces cannot be kept.
        """
        if not claim.is_made_with(secrets):
            raise SignatureInvalid
        until = self.clock.now() + timedelta(seconds=KEPT_S)
        if not self.nonces.take(claim.key_id, claim.nonce, until=until):
            raise SignatureReplayed(
                "A request with this nonce was accepted before. Sign each request, a repeated one too, with a nonce of its own."
            )

    def _secrets(self, key: ApiKey) -> list[bytes]:
        valid, pepper = key.valid_secrets(self.clock.now()), self.pepper.value()
        return [signing_secret(pepper, key_id=key.id, generation=each.generation).encode() for each in valid]
