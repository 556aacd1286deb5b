"""Roles, and what each of them may do."""

from enum import StrEnum
from typing import Final

from llm_gateway.access import Permission

P = Permission


class Role(StrEnum):
    ADMIN = "admin"
    OPERATOR = "operator"
    PROMPT_EDITOR = "prompt_editor"
    CALLER = "caller"
    AUDITOR = "auditor"


_OWN: Final = frozenset({P.READ_OWN_KEY, P.READ_USAGE})
_ASKING: Final = frozenset(
    {P.READ_PROVIDERS, P.READ_PROMPTS, P.RENDER_PROMPTS, P.RUN_QUERIES, P.READ_QUERY_STATUS, P.READ_QUERY_CONTENT}
)

MAY: Final[dict[Role, frozenset[P]]] = {
    Role.ADMIN: frozenset(P),
    Role.OPERATOR: _OWN | {P.MANAGE_PROVIDERS, P.READ_PROVIDERS, P.READ_PROVIDER_STATUS, P.READ_ALL_USAGE},
    Role.PROMPT_EDITOR: _OWN | _ASKING | {P.MANAGE_PROMPTS, P.TEST_PROMPTS, P.READ_PERFORMANCE},
    Role.CALLER: _OWN | _ASKING,
    Role.AUDITOR: _OWN
    | {P.READ_PROVIDERS, P.READ_PROVIDER_STATUS, P.READ_PROMPTS, P.READ_QUERY_STATUS, P.READ_KEYS, P.READ_AUDIT}
    | {P.READ_ALL_USAGE, P.READ_PERFORMANCE},
}
