"""Pages of other origins: which may call the API from a browser, and what a browser is told of that (CORS).

None may, unless a deployment names its origin, exactly. No answer lets a browser send credentials of its own (cookies): the
API takes keys, and those a page sends itself.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llm_gateway.access import PAGE_MAX_AGE_S, PAGE_METHODS, PAGE_READS, PAGE_SENDS

if TYPE_CHECKING:
    from starlette.applications import Starlette


def let_in(app: "Starlette", origins: Sequence[str]) -> None:
    """Answers what a browser asks before it calls for a page, and lets pages of these origins read every answer."""
    from starlette.middleware.cors import CORSMiddleware

    app.add_middleware(
        CORSMiddleware,
        allow_origins=frozenset(origins),
        allow_methods=PAGE_METHODS,
        allow_headers=PAGE_SENDS,
        expose_headers=PAGE_READS,
        max_age=PAGE_MAX_AGE_S,
    )
