"""Calls to a function that is initialized, one after the other: the first, which still imports what it needs, and the rest."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import data
from bench.built import Built
from local_aws import gateway
from local_aws.processes import Processes
from local_aws.runtime_api import rest_api_event, running


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The milliseconds that calls took."""

    first_ms: float
    later_ms: list[float]


def health(name: str, *, built: Built, scratch: Path, calls: int) -> Calls:
    """Calls of `name`, which must answer GET /health, and touch nothing: what Lambda's door, Mangum and FastAPI cost."""
    event = rest_api_event("GET", "/health")
    return _call(name, event, environment={}, built=built, scratch=scratch, calls=calls)


def authenticated(*, built: Built, scratch: Path, calls: int) -> Calls:
    """Calls with a key to a list, with DynamoDB played by an emulator on this machine."""
    with Processes(logs=scratch / "logs") as processes:
        aws, variables = data.deployed(processes, scratch=scratch)
        key = gateway.create_admin_key(processes, env=gateway.environment(aws, variables))
        event = rest_api_event("GET", "/api/v1/llm/providers", headers={"X-Api-Key": key})
        environment = {**variables, "AWS_ENDPOINT_URL": aws.url}
        return _call("list_providers", event, environment=environment, built=built, scratch=scratch, calls=calls)


def _call(
    name: str,
    event: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    built: Built,
    scratch: Path,
    calls: int,
) -> Calls:
    path = built.path(name, scratch)
    with running(
        f"{name}.handler", path=path, scratch=scratch, environment={**built.environment, **environment}
    ) as function:
        figures_ms = []
        for _ in range(calls + 1):
            started_at = time.perf_counter()
            answer = function.invoke(event)
            figures_ms.append((time.perf_counter() - started_at) * 1000)
            if answer["statusCode"] != 200:
                raise RuntimeError(f"{name} answered {answer['statusCode']}: {answer['body']}")
    return Calls(first_ms=figures_ms[0], later_ms=figures_ms[1:])
