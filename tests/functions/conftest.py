"""The handlers as Lambda calls them, with their gateway made from the environment, on AWS as moto plays it."""

import json
import os
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from llm_gateway.domain.keys import KeySpec, Role
from llm_gateway.entrypoints import composition
from llm_gateway.settings import Settings
from moto import mock_aws

from tests.adapters.authors import BY
from tests.adapters.aws import ENVIRONMENT, connect, deploy

_CONTEXT = SimpleNamespace(aws_request_id="1", function_name="f", get_remaining_time_in_millis=lambda: 29_000)


def proxy_event(
    method: str, address: str, body: str | None, headers: dict[str, str], *, is_base64_encoded: bool = False
) -> dict[str, Any]:
    """What a REST API sends a Lambda for a request."""
    parts = urlsplit(address)
    query = parse_qs(parts.query, keep_blank_values=True)
    stamped = {"Host": "abc.execute-api.eu-west-1.amazonaws.com", "X-Forwarded-Proto": "https"} | headers
    return {
        "resource": "/{proxy+}",
        "path": parts.path,
        "httpMethod": method,
        "headers": stamped,
        "multiValueHeaders": {name: [value] for name, value in stamped.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": {"proxy": parts.path[1:]},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": f"/v1{parts.path}",
            "stage": "v1",
            "protocol": "HTTP/1.1",
            "requestId": str(uuid4()),
            "identity": {"sourceIp": "203.0.113.9", "userAgent": "test"},
        },
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    }


class Deployed:
    """The functions, each behind its route."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.secrets = {
            role: composition.gateway().key_changes.create(KeySpec(name=role, role=role), by=BY).secret for role in Role
        }

    def invoke(
        self,
        function: str,
        method: str,
        address: str,
        body: Any = None,
        *,
        role: Role | None = Role.ADMIN,
        headers: dict[str, str] | None = None,
        **how: Any,
    ) -> dict[str, Any]:
        """What the function hands back to API Gateway; `body` is JSON, or text that is sent as it is."""
        sent = {"Content-Type": "application/json"} | (headers or {})
        if role is not None:
            sent["Authorization"] = f"Bearer {self.secrets[role]}"
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        event = proxy_event(method, address, text, sent, **how)
        answer: dict[str, Any] = import_module(f"functions.{function}").handler(event, _CONTEXT)
        json.dumps(answer)
        assert answer["isBase64Encoded"] is False
        assert answer["headers"]["x-request-id"].startswith("req_")
        return answer


@pytest.fixture(scope="package")
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture(scope="package")
def deployed(aws: None) -> Iterator[Deployed]:
    """One deployment for the whole package: every test names its own things."""
    name = f"test-{uuid4().hex[:12]}"
    settings = deploy(connect(), name=name)
    variables = {
        "KEYS_TABLE": settings.keys_table,
        "PROVIDERS_TABLE": settings.providers_table,
        "QUERIES_TABLE": settings.queries_table,
        "LIMITS_TABLE": settings.limits_table,
        "CACHE_TABLE": settings.cache_table,
        "USAGE_TABLE": settings.usage_table,
        "PROMPTS_TABLE": settings.prompts_table,
        "EVALS_TABLE": settings.evals_table,
        "AUDIT_TABLE": settings.audit_table,
        "AUDIT_BUCKET": settings.audit_bucket,
        "BODIES_BUCKET": settings.bodies_bucket,
        "QUEUE_URL": settings.queue_url,
        "HIGH_QUEUE_URL": settings.high_queue_url,
        "PEPPER_SECRET_ID": settings.pepper_secret_id,
        "CREDENTIALS_PREFIX": settings.credentials_prefix,
        "ALLOW_PRIVATE_ADDRESSES": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in (ENVIRONMENT | variables).items():
            patch.setenv(variable, value)
        for variable in os.environ.keys() & {"AWS_ENDPOINT_URL", "AWS_PROFILE", "TIKTOKEN_CACHE_DIR"}:
            patch.delenv(variable)
        composition.gateway.cache_clear()
        yield Deployed(settings)
    composition.gateway.cache_clear()
