"""API keys: making them and telling who holds one."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from llm_gateway.domain.identifiers import KEY_PREFIX
from llm_gateway.domain.keys import SECRET_PREFIX, ApiKey, Caller, Role, key_id_of
from llm_gateway.errors import Unauthenticated
from llm_gateway.ports.keys import KeyStore, Pepper
from llm_gateway.ports.system import Clock, Ids

_REFUSAL = "The API key is not valid. Send it as `Authorization: Bearer <key>` or as `X-Api-Key`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Keys are checked against an HMAC of their secret: what is stored does not open the door."""

    store: KeyStore
    pepper: Pepper
    clock: Clock
    ids: Ids

    def create(
        self, *, name: str, role: Role, expires_at: datetime | None = None, log_bodies: float = 0
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which is shown this once."""
        ulid = self.ids.ulid()
        secret = f"{SECRET_PREFIX}{ulid}_{self.ids.secret()}"
        key = ApiKey(
            id=f"{KEY_PREFIX}{ulid}",
            name=name,
            role=role,
            secret_hash=self._hash(secret),
            created_at=self.clock.now(),
            expires_at=expires_at,
            log_bodies=log_bodies,
        )
        self.store.add(key)
        return key, secret

    def authenticate(self, secret: str) -> Caller:
        """Whoever holds `secret`. Raises `Unauthenticated` for a key that is unknown, wrong, revoked or expired, all alike."""
        key_id = key_id_of(secret)
        key = self.store.find(key_id) if key_id else None
        right = hmac.compare_digest(self._hash(secret), key.secret_hash if key else "")
        if key is None or not right or not self._valid(key):
            raise Unauthenticated(_REFUSAL)
        return Caller(key_id=key.id, role=key.role, log_bodies=key.log_bodies)

    def _valid(self, key: ApiKey) -> bool:
        return not key.revoked and (key.expires_at is None or self.clock.now() < key.expires_at)

    def _hash(self, secret: str) -> str:
        return hmac.new(self.pepper.value(), secret.encode(), hashlib.sha256).hexdigest()
