"""The contract's table of roles, written down apart from the code: who may call which endpoint, and what is answered."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from llm_gateway.access import Endpoint
from llm_gateway.domain.keys import Role
from llm_gateway.endpoints import BASE_PATH, ENDPOINTS

from tests.entrypoints.conftest import PROMPT, PROVIDER, QUESTION

ADMIN, OPERATOR, EDITOR, CALLER, AUDITOR = Role.ADMIN, Role.OPERATOR, Role.PROMPT_EDITOR, Role.CALLER, Role.AUDITOR
EVERYBODY: Final = frozenset(Role)
ASKERS: Final = frozenset({ADMIN, EDITOR, CALLER})
EDITORS: Final = frozenset({ADMIN, EDITOR})


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A row of the matrix. A caller that may is answered with `status`, everybody else with 403.

    `own` says that the route is about a query: then `status` is for one's own, and another's is answered as in `anothers`, with
    404 where the role is not there.
    """

    may: frozenset[Role]
    status: int = 200
    body: Any = None
    own: bool = False
    anothers: Mapping[Role, int] = field(default_factory=dict)


PUBLIC: Final = {("GET", "/health"), ("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/errors/{code}")}
ACCESS: Final[dict[tuple[str, str], Cells]] = {
    ("POST", "/providers"): Cells(may=frozenset({ADMIN, OPERATOR}), status=201, body=PROVIDER | {"id": "new"}),
    ("GET", "/providers"): Cells(may=EVERYBODY),
    ("GET", "/providers/{provider_id}"): Cells(may=EVERYBODY),
    ("PUT", "/providers/{provider_id}"): Cells(may=frozenset({ADMIN, OPERATOR}), body=PROVIDER),
    ("DELETE", "/providers/{provider_id}"): Cells(may=frozenset({ADMIN, OPERATOR}), status=204),
    ("GET", "/providers/{provider_id}/status"): Cells(may=frozenset({ADMIN, OPERATOR, AUDITOR})),
    ("POST", "/prompts"): Cells(may=EDITORS, status=201, body=PROMPT | {"id": "new"}),
    ("GET", "/prompts"): Cells(may=ASKERS | {AUDITOR}),
    ("GET", "/prompts/{prompt_id}"): Cells(may=ASKERS | {AUDITOR}),
    ("PUT", "/prompts/{prompt_id}"): Cells(may=EDITORS, body=PROMPT),
    ("DELETE", "/prompts/{prompt_id}"): Cells(may=EDITORS, status=204),
    ("GET", "/prompts/{prompt_id}/versions"): Cells(may=ASKERS | {AUDITOR}),
    ("GET", "/prompts/{prompt_id}/versions/{version}"): Cells(may=ASKERS | {AUDITOR}),
    ("GET", "/prompts/{prompt_id}/versions/{version}/diff/{other}"): Cells(may=ASKERS | {AUDITOR}),
    ("POST", "/prompts/{prompt_id}/render"): Cells(may=ASKERS, body={"variables": {"customer": "Ada"}}),
    ("PUT", "/prompts/{prompt_id}/labels/{label}"): Cells(may=EDITORS, body={"version": 1}),
    ("DELETE", "/prompts/{prompt_id}/labels/{label}"): Cells(may=EDITORS, status=204),
    ("POST", "/keys"): Cells(may=frozenset({ADMIN}), status=201, body={"name": "A key", "role": "caller"}),
    ("GET", "/keys"): Cells(may=frozenset({ADMIN, AUDITOR})),
    ("GET", "/keys/self"): Cells(may=EVERYBODY),
    ("GET", "/keys/{key_id}"): Cells(may=frozenset({ADMIN, AUDITOR})),
    ("PATCH", "/keys/{key_id}"): Cells(may=frozenset({ADMIN}), body={"name": "Another name"}),
    ("DELETE", "/keys/{key_id}"): Cells(may=frozenset({ADMIN}), status=204),
    ("POST", "/keys/{key_id}/rotate"): Cells(may=frozenset({ADMIN}), body={"overlap_s": 60}),
    ("POST", "/erasures"): Cells(may=frozenset({ADMIN}), status=202, body={"subject": "customer 42"}),
    ("GET", "/erasures/{erasure_id}"): Cells(may=frozenset({ADMIN})),
    ("GET", "/audit"): Cells(may=frozenset({ADMIN, AUDITOR})),
    ("GET", "/query"): Cells(may=ASKERS | {AUDITOR}),
    ("GET", "/usage"): Cells(may=EVERYBODY),
    ("POST", "/query"): Cells(may=ASKERS, body=QUESTION),
    ("POST", "/query/plan"): Cells(may=ASKERS, body=QUESTION),
    ("POST", "/query/stream"): Cells(may=ASKERS, body=QUESTION),
    ("GET", "/query/{query_id}/status"): Cells(may=ASKERS | {AUDITOR}, own=True, anothers={ADMIN: 200, AUDITOR: 200}),
    ("GET", "/query/{query_id}/result"): Cells(may=ASKERS, own=True, anothers={ADMIN: 200}),
    ("GET", "/query/{query_id}/stream"): Cells(may=ASKERS, own=True, anothers={ADMIN: 200}),
    ("POST", "/query/{query_id}/cancel"): Cells(may=ASKERS, own=True, anothers={ADMIN: 200}),
    ("POST", "/query/{query_id}/feedback"): Cells(
        may=ASKERS, status=204, body={"score": 1}, own=True, anothers={ADMIN: 204}
    ),
    ("POST", "/prompts/{prompt_id}/tests"): Cells(may=EDITORS, body={}),
    ("GET", "/prompts/{prompt_id}/tests"): Cells(may=EDITORS),
    ("GET", "/prompts/{prompt_id}/tests/{run_id}"): Cells(may=EDITORS),
    ("GET", "/prompts/{prompt_id}/performance"): Cells(may=frozenset({ADMIN, EDITOR, AUDITOR})),
    ("DELETE", "/query/{query_id}"): Cells(may=ASKERS, status=204, own=True, anothers={ADMIN: 204}),
    ("POST", "/v1/chat/completions"): Cells(may=ASKERS, body=QUESTION | {"model": "small"}),
    ("POST", "/v1/responses"): Cells(may=ASKERS, body={"model": "small", "input": "A text."}),
    ("POST", "/v1/embeddings"): Cells(may=ASKERS, body={"model": "small", "input": "A text."}),
    ("GET", "/v1/models"): Cells(may=ASKERS),
    ("POST", "/v1/messages"): Cells(may=ASKERS, body=QUESTION | {"model": "small", "max_tokens": 100}),
    ("POST", "/v1/messages/count_tokens"): Cells(may=ASKERS, body=QUESTION | {"model": "small"}),
    ("GET", "/v1/models/{model}"): Cells(may=ASKERS),
}
GUARDED: Final = [row for row in ENDPOINTS if row.permission is not None]


def cells_of(row: Endpoint) -> Cells:
    return ACCESS[row.method, row.path.removeprefix(BASE_PATH)]


def path_of(row: Endpoint, **ids: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda variable: ids.get(variable[1], "nobody"), row.path)
