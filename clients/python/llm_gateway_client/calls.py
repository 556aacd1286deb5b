"""One request to the gateway, as data: what is sent, and what may be done when no answer comes."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Self
from urllib.parse import quote

BASE_PATH: Final = "/api/v1/llm"
_KEY_HEADER: Final = "Idempotency-Key"

Moment = datetime | str
"""A time: a `datetime` that knows its time zone, or RFC 3339 text."""


def _nobody() -> None:
    """Minds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`path` is below the API's base path, unless `at_root`. `is_repeatable`: sent twice, it does what it does once.

    `tell_sent` is told when all of it may have gone out, though nothing has come back.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_repeatable: bool = False
    at_root: bool = False
    read_timeout_s: float | None = None
    tell_sent: Callable[[], None] = _nobody

    @property
    def full_path(self) -> str:
        return self.path if self.at_root else BASE_PATH + self.path

    @property
    def has_idempotency_key(self) -> bool:
        return _KEY_HEADER in self.headers

    def with_params(self, **params: object) -> Self:
        return replace(self, params={**self.params, **_said(params)})


def get(*path: str | int, **params: object) -> Call:
    """A reading. Parameters that are None are not sent; `from_` is sent as `from`."""
    return Call(method="GET", path=_path(path), params=_said(params), is_repeatable=True)


def post(*path: str | int, body: Any = None, idempotency_key: str | None = None, once: bool = True) -> Call:
    """A creation or a question, under an idempotency key of its own where none is given; without one if not `once`."""
    headers = {_KEY_HEADER: idempotency_key or str(uuid.uuid4())} if once else {}
    return Call(method="POST", path=_path(path), body=body, headers=headers, is_repeatable=once)


def put(*path: str | int, body: Any, if_match: int | None = None) -> Call:
    return _change("PUT", path, body, if_match)


def patch(*path: str | int, body: Any, if_match: int | None = None) -> Call:
    return _change("PATCH", path, body, if_match)


def delete(*path: str | int, if_match: int | None = None) -> Call:
    """A removal is not sent again: the second time there is nothing left, and nobody would know who removed it."""
    return replace(_change("DELETE", path, None, if_match), is_repeatable=False)


def _change(method: str, path: tuple[str | int, ...], body: Any, if_match: int | None) -> Call:
    headers = {} if if_match is None else {"If-Match": f'"{if_match}"'}
    # Under a condition the second try would meet the first one's own change.
    return Call(method=method, path=_path(path), body=body, headers=headers, is_repeatable=if_match is None)


def _path(parts: tuple[str | int, ...]) -> str:
    """Raises ValueError for an empty part: the request would go somewhere else."""
    if not all(str(part) for part in parts):
        raise ValueError("An id is empty.")
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def _said(params: Mapping[str, object]) -> dict[str, str]:
    return {name.rstrip("_"): _written(value) for name, value in params.items() if value is not None}


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return moment(value) if isinstance(value, datetime) else str(value)


def moment(value: Moment) -> str:
    """RFC 3339 in UTC. Raises ValueError for a `datetime` without a time zone, which could mean any of them."""
    if isinstance(value, str):
        return value
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: say datetime.now(UTC), for instance.")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
