"""What a function imports: while it is loaded, and then while it answers its first request.

`python -m tests.functions.imports` measures it anew and writes it down; what has grown then shows where the change is read.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.keys import KeySpec, Role
from llm_gateway.outside import Outside

from local_aws.runtime_api import rest_api_event
from tests.adapters.authors import BY
from tests.adapters.aws import connect, deploy
from tests.adapters.gateway_processes import environment_of
from tests.adapters.ministack import running_ministack
from tests.stores.values import query, succeeded

WRITTEN_DOWN: Final = Path(__file__).with_suffix(".json")
# Other people's packages whose import takes time. Powertools looks whether there is a botocore, and so imports its root.
WATCHED: Final = (
    "anthropic",
    "aws_lambda_powertools",
    "boto3",
    "botocore.client",
    "botocore.session",
    "fastapi",
    "genai_prices",
    "httpx2",
    "jsonschema",
    "mangum",
    "openai",
    "pydantic",
    "pynamodb",
    "pynamodb.models",
    "re2",
    "semantic_text_splitter",
    "tenacity",
    "tiktoken",
    "uvicorn",
)
QUERY_ID: Final = "qry_01J00000000000000000000000"
_QUERY: Final = f"/api/v1/llm/query/{QUERY_ID}"
# What each is asked; None where only its loading is looked at.
ASKED: Final[Mapping[str, str | None]] = {
    "get_health": "/health",
    "get_query_status": f"{_QUERY}/status",
    "get_query_result": f"{_QUERY}/result",
    "list_providers": "/api/v1/llm/providers",
    "run_query": None,
    "process_query": None,
}

_PROBE: Final = """
import json, sys
from importlib import import_module
name, event, watched = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])

def imported():
    own = [module for module in sys.modules if module.startswith("llm_gateway.")]
    return sorted(own) + sorted(set(watched) & set(sys.modules))

handler = import_module(f"functions.{name}").handler
told = {"loaded": imported()}
if event:
    answer = handler(event, object())
    assert answer["statusCode"] == 200, answer
    told["then"] = [module for module in imported() if module not in told["loaded"]]
sys.stderr.write(json.dumps(told))
"""


def measured() -> dict[str, Any]:
    """For each function: the modules that are there once it is `loaded`, and those that `then` come with a request."""
    with tempfile.TemporaryDirectory() as directory, running_ministack(Path(directory)) as endpoint:
        aws = connect(endpoint)
        settings = deploy(aws, name=f"test-{uuid4().hex[:12]}")
        outside = Outside(settings)
        vars(outside)["aws"] = aws
        made = Gateway(settings, outside).key_changes.create(KeySpec(name="reader", role=Role.ADMIN), by=BY)
        outside.query_store.add(succeeded(query(QUERY_ID, owner=made.key.id)))
        environment = environment_of(settings, endpoint=endpoint)
        return {name: _imports(name, path, secret=made.secret, environment=environment) for name, path in ASKED.items()}


def _imports(name: str, path: str | None, *, secret: str, environment: Mapping[str, str]) -> dict[str, list[str]]:
    event = rest_api_event("GET", path, headers={"X-Api-Key": secret}) if path else None
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, name, json.dumps(event), json.dumps(WATCHED)],
        env=_as_in_lambda(name, environment),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, list[str]] = json.loads(done.stderr)
    return told


def _as_in_lambda(function: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Lambda tells where AWS is, and a machine's own certificates have no say."""
    ours = ("COVERAGE", "COV_", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
    kept = {name: value for name, value in environment.items() if not name.startswith(ours)}
    return kept | {"AWS_LAMBDA_FUNCTION_NAME": f"test-{function}"}


if __name__ == "__main__":
    WRITTEN_DOWN.write_text(json.dumps(measured(), indent=1) + os.linesep, encoding="utf-8")
