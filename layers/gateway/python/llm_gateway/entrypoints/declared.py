"""What a handler takes of a request, by its annotations: `Annotated[int, FromQuery(ge=1)]`, `Annotated[Text, Depends(_text)]`.

They mean what FastAPI's `Query`, `Header`, `Path` and `Depends` mean, and become those where FastAPI mounts the handler. A
function on Lambda reads them itself: with FastAPI, its process would take half as long again to start.
"""

from collections.abc import Callable
from typing import Any, Final, TypedDict, Unpack

from llm_gateway.values import dataclass

QUERY: Final = "query"
HEADER: Final = "header"
PATH: Final = "path"


@dataclass(frozen=True, slots=True)
class Depends:
    """What `call` returns, which is called once a request and takes what it says itself."""

    call: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of one `kind` by its `alias`, without one by its own name. `rules` are pydantic's."""

    kind: str
    alias: str | None
    rules: tuple[tuple[str, Any], ...]


class Rules(TypedDict, total=False):
    """What a value must be within."""

    ge: float
    le: float
    lt: float
    min_length: int
    max_length: int


def FromQuery(alias: str | None = None, **rules: Unpack[Rules]) -> Parameter:  # noqa: N802 - it reads as a type beside `Depends`
    """A parameter of the query, within `rules` (`ge=1`); what is no body and not in the path is one without being marked."""
    return Parameter(QUERY, alias, tuple(rules.items()))


def FromHeader(alias: str | None = None, **rules: Unpack[Rules]) -> Parameter:  # noqa: N802
    """A header: `idempotency_key` is `Idempotency-Key`."""
    return Parameter(HEADER, alias, tuple(rules.items()))


def FromPath(**rules: Unpack[Rules]) -> Parameter:  # noqa: N802
    """A step of the path, which has the parameter's name."""
    return Parameter(PATH, None, tuple(rules.items()))
