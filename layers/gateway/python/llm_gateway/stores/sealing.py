"""Sealing with AES-256-GCM: the secret is the gateway key's own, and what is sealed is bound to that key and to its query.

Sealed bytes are `SEALED`, the name of the secret (26 characters), a nonce of 96 random bits, and the ciphertext with its tag.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from llm_gateway.domain.sealing import SEALED, NotSealedSo, Shredded, is_sealed
from llm_gateway.ports.system import Clock
from llm_gateway.stores.data_keys import DataKey

MAX_AGE_S: Final = 300
"""A process remembers a secret for so long: one that is erased is forgotten everywhere after that.

It seals with it for so long, too, after another process has renewed it: what it seals then goes with the old secret.
"""
MOST_REMEMBERED: Final = 500
MOST_SEALED: Final = 100_000
"""By one secret in one process: then the key gets another. Far below the 2^32 at which random nonces could meet."""

_ID_LENGTH: Final = 26
_NONCE_BYTES: Final = 12
_BODY: Final = len(SEALED) + _ID_LENGTH + _NONCE_BYTES


class DataKeys(Protocol):
    """Where secrets are made and kept. Every method raises `DependencyUnavailable` where that cannot be reached."""

    def current(self, key_id: str) -> DataKey: ...

    def find(self, key_id: str, data_key_id: str) -> DataKey | None: ...

    def renew(self, key_id: str) -> None: ...

    def shred(self, key_id: str, *, made_before: datetime) -> None: ...


@dataclass(slots=True, kw_only=True)
class _Remembered:
    id: str
    cipher: AESGCM
    seals_until: datetime
    until_s: float
    sealed: int = 0


class EnvelopeSeal:
    """Secrets are remembered for a bounded time and count: most calls reach nothing. `draw` gives random bytes."""

    def __init__(self, keys: DataKeys, *, clock: Clock, draw: Callable[[int], bytes] = os.urandom) -> None:
        self._keys = keys
        self._clock = clock
        self._draw = draw
        self._remembered: OrderedDict[tuple[str, str | None], _Remembered] = OrderedDict()
        self._changing = Lock()

    def seal(self, plain: bytes, *, key_id: str, query_id: str) -> bytes:
        secret = self._sealing(key_id)
        nonce = self._draw(_NONCE_BYTES)
        return SEALED + secret.id.encode() + nonce + secret.cipher.encrypt(nonce, plain, _bound_to(key_id, query_id))

    def open(self, sealed: bytes, *, key_id: str, query_id: str) -> bytes:
        if not is_sealed(sealed) or len(sealed) < _BODY:
            raise NotSealedSo("These bytes were never sealed.")
        name = sealed[len(SEALED) : len(SEALED) + _ID_LENGTH]
        if not name.isalnum():
            raise NotSealedSo("The secret's name was changed.")
        cipher = self._opening(key_id, name.decode("ascii"))
        try:
            nonce = sealed[_BODY - _NONCE_BYTES : _BODY]
            return cipher.decrypt(nonce, sealed[_BODY:], _bound_to(key_id, query_id))
        except InvalidTag:
            raise NotSealedSo("They were sealed for another key or query, or changed since.") from None

    def renew(self, key_id: str) -> None:
        self._keys.renew(key_id)
        self._forget(key_id)

    def shred(self, key_id: str, *, made_before: datetime) -> None:
        self._keys.shred(key_id, made_before=made_before)
        self._forget(key_id)

    def _forget(self, key_id: str) -> None:
        with self._changing:
            for name in [name for name in self._remembered if name[0] == key_id]:
                del self._remembered[name]

    def _sealing(self, key_id: str) -> _Remembered:
        secret = self._recall(key_id, None)
        if secret is not None and secret.sealed >= MOST_SEALED:
            self._keys.renew(key_id)
            secret = None
        if secret is None or self._clock.now() >= secret.seals_until:
            secret = self._remember(key_id, None, self._keys.current(key_id))
        secret.sealed += 1
        return secret

    def _opening(self, key_id: str, data_key_id: str) -> AESGCM:
        secret = self._recall(key_id, data_key_id)
        if secret is None:
            found = self._keys.find(key_id, data_key_id)
            if found is None:
                raise Shredded("The secret that they were sealed with is erased.")
            secret = self._remember(key_id, data_key_id, found)
        return secret.cipher

    def _recall(self, key_id: str, data_key_id: str | None) -> _Remembered | None:
        with self._changing:
            secret = self._remembered.get((key_id, data_key_id))
            if secret is None or self._clock.monotonic_s() >= secret.until_s:
                return None
            self._remembered.move_to_end((key_id, data_key_id))
            return secret

    def _remember(self, key_id: str, data_key_id: str | None, key: DataKey) -> _Remembered:
        """Under its name too: what a process has sealed it most often opens itself."""
        until_s = self._clock.monotonic_s() + MAX_AGE_S
        secret = _Remembered(id=key.id, cipher=AESGCM(key.secret), seals_until=key.seals_until, until_s=until_s)
        with self._changing:
            for name in {data_key_id, key.id}:
                self._remembered[key_id, name] = secret
                self._remembered.move_to_end((key_id, name))
            while len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return secret


def _bound_to(key_id: str, query_id: str) -> bytes:
    """Neither id has a line break in it: no two pairs of ids are bound to the same bytes."""
    return f"{key_id}\n{query_id}".encode(errors="surrogatepass")
