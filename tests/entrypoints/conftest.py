"""The API with every endpoint on it, and nothing outside of it; whatever a test does, the contract is checked along the way."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from httpx2 import Client, Response
from llm_gateway.domain.key_secrets import key_id_of
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.http import app_of
from llm_gateway.entrypoints.observe import logger
from starlette.applications import Starlette

from functions.__main__ import every_endpoint
from tests.adapters.gateway import FakeGateway
from tests.adapters.in_process import client_of
from tests.entrypoints.contract import check, code_in, status_at

PROVIDERS = "/api/v1/llm/providers"
PROMPTS = "/api/v1/llm/prompts"
QUERY = "/api/v1/llm/query"
CREDENTIAL = "sk-a-vendors-own-secret-1f3a"
PROVIDER: dict[str, Any] = {
    "id": "local",
    "name": "Local",
    "kind": "openai_compatible",
    "base_url": "https://model.example.com/v1",
    "default_model": "small",
    "retry": {"max_attempts": 1},
    "credentials": {"api_key": CREDENTIAL},
}
PROMPT: dict[str, Any] = {
    "id": "greeting",
    "name": "Greeting",
    "template": {
        "messages": [{"role": "user", "content": "Greet {{ customer }}."}],
        "variables": {"customer": {"type": "string"}},
    },
}
TEST: dict[str, Any] = {
    "name": "greets",
    "variables": {"customer": "Ada"},
    "assert": [{"type": "contains", "value": "Hello"}],
}
QUESTION: dict[str, Any] = {"messages": [{"role": "user", "content": "A QUESTION OF NOBODY ELSE'S"}]}


class Lines(logging.Handler):
    """Every log line, as it would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self._last: logging.LogRecord | None = None

    def emit(self, record: logging.LogRecord) -> None:
        # The gateway's own logger hands its records on to the root's.
        if record is not self._last:
            self._last = record
            self.written.append(self.format(record))

    def named(self, message: str) -> list[dict[str, Any]]:
        lines = (json.loads(line) for line in self.written)
        return [line for line in lines if line["message"] == message]


def _lines(sent: dict[str, Any], own: dict[str, Any] | list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """A test's own headers in the place of what would be sent; of a list each line is sent."""
    lines = list(own.items()) if isinstance(own, dict) else own
    named = {name.lower() for name, _ in lines}
    return [*((name, line) for name, line in sent.items() if name.lower() not in named), *lines]


@dataclass
class Api:
    """Calls the API as the caller that a test names; no response passes that breaks the contract."""

    client: Client
    gateway: FakeGateway
    secrets: dict[Role, str] = field(default_factory=dict)

    def secret(self, role: Role) -> str:
        if role not in self.secrets:
            _, self.secrets[role] = self.gateway.new_key(role)
        return self.secrets[role]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: Role | None = Role.ADMIN,
        headers: dict[str, Any] | list[tuple[str, Any]] | None = None,
        content: Any = None,
    ) -> Response:
        """`body` is sent as JSON, `content` as it is."""
        sent: dict[str, Any] = {}
        if role is not None:
            sent["Authorization"] = f"Bearer {self.secret(role)}"
        if body is not None or content is not None:
            sent["Content-Type"] = "application/json"
        raw = content if body is None else json.dumps(body).encode()
        response = self.client.request(
            method, path, headers=_lines(sent, headers or {}), content=raw, follow_redirects=False
        )
        check(response)
        return response

    def refused(self, *args: Any, status: int, code: str, **kwargs: Any) -> dict[str, Any]:
        """The problem that a call meets, which must be this one."""
        response = self.call(*args, **kwargs)
        problem: dict[str, Any] = response.json()
        expected = status_at(response.request.url.path, status)
        assert (response.status_code, code_in(problem)) == (expected, code), problem
        return problem

    def register(self, **changes: Any) -> dict[str, Any]:
        """A provider, made."""
        response = self.call("POST", PROVIDERS, PROVIDER | changes)
        assert response.status_code == 201, response.text
        provider: dict[str, Any] = response.json()
        return provider

    def write(self, **changes: Any) -> dict[str, Any]:
        """A prompt, written."""
        response = self.call("POST", PROMPTS, PROMPT | changes)
        assert response.status_code == 201, response.text
        prompt: dict[str, Any] = response.json()
        return prompt

    def revoke(self, secret: str) -> None:
        key_id = key_id_of(secret)
        assert key_id is not None
        key = self.gateway.outside.key_store.get(key_id)
        self.gateway.outside.key_store.put(replace(key, revoked_at=self.gateway.outside.clock.now()))


@pytest.fixture(scope="package")
def app() -> Starlette:
    return app_of(*every_endpoint())


@pytest.fixture(scope="package")
def client(app: Starlette) -> Iterator[Client]:
    with client_of(app) as client:
        yield client


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def api(app: Starlette, client: Client, gateway: FakeGateway, lines: Lines) -> Iterator[Api]:
    app.state.gateway = lambda: gateway
    api = Api(client, gateway)
    yield api
    check_lines(lines, api)


def check_lines(lines: Lines, api: Api) -> None:
    """Nothing secret was logged."""
    untold = [
        *api.secrets.values(),
        CREDENTIAL,
        api.gateway.outside.pepper.value().decode(),
        QUESTION["messages"][0]["content"],
    ]
    for line in lines.written:
        assert not any(secret in line for secret in untold), line


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged meanwhile, by the gateway's own logger and by all others."""
    lines = Lines()
    lines.setFormatter(logger().registered_formatter)
    loggers = [logging.getLogger("llm-gateway"), logging.getLogger()]
    for one in loggers:
        one.addHandler(lines)
    yield lines
    for one in loggers:
        one.removeHandler(lines)
