"""Secrets in Secrets Manager: one per provider, encrypted under the stack's own key, and the deployment's pepper."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from botocore.exceptions import ClientError

from llm_gateway.domain.providers import ProviderCredentials
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.system import Clock
from llm_gateway.stores.codec import from_json, to_json
from llm_gateway.stores.connection import Aws, error_code, reaching

MAX_AGE_S: Final = 60

_MAX_AGE: Final = timedelta(seconds=MAX_AGE_S)
_SETTLING: Final = timedelta(seconds=5)
# What nobody renews is of use only while AWS does not answer, and may have been revoked long ago.
_LONGEST_KEPT: Final = timedelta(minutes=10)
_MOST_KEPT: Final = 128

_MISSING: Final = "ResourceNotFoundException"
_TAKEN: Final = "ResourceExistsException"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cached:
    credentials: ProviderCredentials
    asked_at: datetime

    def serves(self, now: datetime, changed_at: datetime | None) -> bool:
        # A change is noted before it is made, and by another clock: what was read right after it may be the old secret.
        is_current = changed_at is None or self.asked_at >= changed_at + _SETTLING
        return is_current and now - self.asked_at < _MAX_AGE

    def lingers(self, now: datetime) -> bool:
        """A secret that was replaced is gone at once, but for some seconds not everybody knows the name of the new one."""
        return now - self.asked_at < _MAX_AGE + _SETTLING


class SecretsManagerCredentialStore:
    """What is found is kept for a minute; what is not found is asked for again, so that it works as soon as it is put.

    While AWS does not answer, what was found before serves on. Nothing else is held in memory for longer than some minutes.
    """

    def __init__(
        self, *, aws: Aws, prefix: str, kms_key_id: str | None, clock: Clock, most_kept: int = _MOST_KEPT
    ) -> None:
        self._aws = aws
        self._prefix = prefix
        self._kms_key_id = kms_key_id
        self._clock = clock
        self._most_kept = most_kept
        # In the order in which they were read.
        self._cache: dict[str, _Cached] = {}

    def get(
        self, secret: str, *, changed_at: datetime | None = None, fresh: bool = False
    ) -> ProviderCredentials | None:
        now, cached = self._clock.now(), self._cache.get(secret)
        if cached is not None and not fresh and cached.serves(now, changed_at):
            return cached.credentials
        try:
            credentials = self._read(secret)
        except DependencyUnavailable:
            if cached is None or fresh:
                raise
            return cached.credentials
        if credentials is None and cached is not None and not fresh and cached.lingers(now):
            return cached.credentials
        self._cache.pop(secret, None)
        if credentials is not None:
            self._cache[secret] = _Cached(credentials=credentials, asked_at=now)
        self._forget_oldest(now)
        return credentials

    def put(self, secret: str, credentials: ProviderCredentials) -> None:
        document = to_json(ProviderCredentials, credentials).decode()
        with reaching("credentials"):
            if not self._change(secret, document) and not self._create(secret, document):
                self._change(secret, document)
        self._cache.pop(secret, None)

    def delete(self, secret: str) -> None:
        with reaching("credentials"):
            try:
                # Without a grace period: the same id may be taken again at once.
                name = self._name(secret)
                self._aws.secrets_manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
            except ClientError as fault:
                if error_code(fault) != _MISSING:
                    raise
        self._cache.pop(secret, None)

    def _forget_oldest(self, now: datetime) -> None:
        kept = list(self._cache.items())
        for place, (secret, cached) in enumerate(kept):
            if len(kept) - place <= self._most_kept and now - cached.asked_at < _LONGEST_KEPT:
                return
            self._cache.pop(secret, None)

    def _read(self, secret: str) -> ProviderCredentials | None:
        with reaching("credentials"):
            try:
                found = self._aws.secrets.call("GetSecretValue", {"SecretId": self._name(secret)})
            except ClientError as fault:
                if error_code(fault) == _MISSING:
                    return None
                raise
        return from_json(ProviderCredentials, found["SecretString"])

    def _change(self, secret: str, document: str) -> bool:
        """A new value for the secret; False where there is none yet."""
        try:
            self._aws.secrets_manager.put_secret_value(SecretId=self._name(secret), SecretString=document)
        except ClientError as fault:
            if error_code(fault) == _MISSING:
                return False
            raise
        return True

    def _create(self, secret: str, document: str) -> bool:
        """The secret; False where somebody else has made it meanwhile."""
        name = self._name(secret)
        try:
            if self._kms_key_id is None:
                self._aws.secrets_manager.create_secret(Name=name, SecretString=document)
            else:
                self._aws.secrets_manager.create_secret(Name=name, SecretString=document, KmsKeyId=self._kms_key_id)
        except ClientError as fault:
            if error_code(fault) == _TAKEN:
                return False
            raise
        return True

    def _name(self, secret: str) -> str:
        return self._prefix + secret


class SecretsManagerPepper:
    """Read once: it never changes, or no key would open anything any more."""

    def __init__(self, *, aws: Aws, secret_id: str) -> None:
        self._aws = aws
        self._secret_id = secret_id
        self._value: bytes | None = None

    def value(self) -> bytes:
        if self._value is None:
            with reaching("secrets"):
                secret = self._aws.secrets.call("GetSecretValue", {"SecretId": self._secret_id})
            self._value = secret["SecretString"].encode()
        return self._value
