"""The local model: llama.cpp behind OpenAI's chat API, as a plain process."""

import re
import sys
from typing import Any, Final

from local_aws.api import get_json
from local_aws.aws import LocalAws
from local_aws.processes import Process, Processes
from workshop.places import MODEL_SERVER
from workshop.steps import Failure

START_TIMEOUT_S: Final = 120.0
READY: Final = re.compile(r"^ready (\S+)$", re.MULTILINE)


def start(processes: Processes, *, aws: LocalAws) -> Process:
    """Start the server on a port of the system's choice."""
    own = {"PYTHONPATH": str(MODEL_SERVER), "PORT": "0", "DRAIN_TIMEOUT_S": "2", "EMBEDDINGS": "on"}
    # A small model that nobody stops fills its whole context, which takes minutes on a laptop.
    env = aws.environment() | own | {"USUAL_TOKENS": "512"}
    return processes.start("model", [sys.executable, "-m", "local_model"], env=env)


def wait_for(process: Process) -> str:
    """The server's address, once the model is loaded. Raises Failure if it ends, or takes too long."""
    process.wait_until(lambda: READY.search(process.output()) is not None, timeout_s=START_TIMEOUT_S)
    return str(READY.findall(process.output())[0])


def as_provider(url: str) -> dict[str, Any]:
    """The server as the gateway's API takes a provider. Raises Failure if it names no model."""
    listed = get_json(f"{url}/v1/models")
    if not listed:
        raise Failure(f"The local model at {url} does not say what it is called.")
    name = listed["data"][0]["id"]
    return {
        "id": "local",
        "name": "Local model",
        "kind": "llama_cpp",
        "base_url": f"{url}/v1",
        "default_model": name,
        "models": [{"name": name}],
    }
