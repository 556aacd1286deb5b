"""Calls the gateway's API as any client would."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

from workshop.steps import Failure

BASE_PATH: Final = "/api/v1/llm"
TIMEOUT_S: Final = 60.0
# A proxy that the environment names is for other machines.
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A gateway's address and a key to it."""

    base_url: str
    key: str

    def is_let_in(self) -> bool:
        """Whether the key is one, and not revoked."""
        return self._call("GET", "/keys/self", None)[0] == 200

    def create_or_replace_provider(self, provider: dict[str, Any]) -> None:
        """Register `provider`, or change it where one of its id is left from before. Raises Failure with the problem."""
        status, body = self._call("POST", "/providers", provider)
        if status == 409:
            status, body = self._call("PUT", f"/providers/{provider['id']}", provider)
        _require(status, body)

    def create_prompt(self, prompt: dict[str, Any]) -> None:
        """Keep a new prompt. Raises Failure with the problem."""
        _require(*self._call("POST", "/prompts", prompt))

    def read(self, path: str) -> dict[str, Any]:
        """What is at `path`. Raises Failure with the problem."""
        return _require(*self._call("GET", path, None))

    def create_key(self, key: dict[str, Any]) -> str:
        """The secret of a new key. Raises Failure with the problem."""
        status, body = self._call("POST", "/keys", key)
        return str(_require(status, body)["secret"])

    def ask(self, query: dict[str, Any]) -> dict[str, Any]:
        """The whole answer to a query. Raises Failure with the problem."""
        status, body = self._call("POST", "/query", query)
        return _require(status, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(  # noqa: S310 - always http
            f"{self.base_url}{BASE_PATH}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        try:
            with _OPENER.open(request, timeout=TIMEOUT_S) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def get_json(url: str, *, timeout_s: float = 5.0) -> Any:
    """What `url` answers, or None while it does not."""
    try:
        with _OPENER.open(url, timeout=timeout_s) as response:
            return json.load(response)
    except (OSError, ValueError):
        return None


def _require(status: int, body: dict[str, Any]) -> dict[str, Any]:
    if status not in (200, 201):
        raise Failure(f"The gateway answered {status}:\n{json.dumps(body, indent=2)}")
    return body
