"""API keys: who may call, and what each role may do."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from llm_gateway.access import Permission

SECRET_PREFIX: Final = "llmgw_"


class Role(StrEnum):
    ADMIN = "admin"
    OPERATOR = "operator"
    PROMPT_EDITOR = "prompt_editor"
    CALLER = "caller"
    AUDITOR = "auditor"


_MAY: Final[dict[Role, frozenset[Permission]]] = {
    Role.ADMIN: frozenset(Permission),
    Role.OPERATOR: frozenset(
        {Permission.MANAGE_PROVIDERS, Permission.READ_PROVIDERS, Permission.READ_PROVIDER_STATUS},
    ),
    Role.PROMPT_EDITOR: frozenset(
        {
            Permission.READ_PROVIDERS,
            Permission.RUN_QUERIES,
            Permission.READ_QUERY_STATUS,
            Permission.READ_QUERY_CONTENT,
        },
    ),
    Role.CALLER: frozenset(
        {
            Permission.READ_PROVIDERS,
            Permission.RUN_QUERIES,
            Permission.READ_QUERY_STATUS,
            Permission.READ_QUERY_CONTENT,
        },
    ),
    Role.AUDITOR: frozenset(
        {Permission.READ_PROVIDERS, Permission.READ_PROVIDER_STATUS, Permission.READ_QUERY_STATUS},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is stored: `secret_hash` is an HMAC-SHA256 (hex) of the secret under the deployment's pepper.

    `log_bodies` is the share of its queries (0 to 1) whose words go to the log; `revision` counts changes, from 1.
    """

    id: str
    name: str
    role: Role
    secret_hash: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked: bool = False
    log_bodies: float = 0
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request, once the key was checked; `log_bodies` is the key's."""

    key_id: str
    role: Role
    log_bodies: float = 0

    def may(self, permission: Permission) -> bool:
        return permission in _MAY[self.role]

    def sees_everybodys_queries(self, *, content: bool) -> bool:
        """Admins see every query, auditors every status; all others see their own."""
        return self.role is Role.ADMIN or (self.role is Role.AUDITOR and not content)


def key_id_of(secret: str) -> str | None:
    """The key's id inside a secret `llmgw_<ulid>_<random>`, or None where the text has another form."""
    if not secret.startswith(SECRET_PREFIX):
        return None
    ulid, separator, random = secret.removeprefix(SECRET_PREFIX).partition("_")
    return f"key_{ulid}" if ulid and separator and random else None
