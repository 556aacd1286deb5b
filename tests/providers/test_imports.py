"""A query that needs no vendor's SDK does not wait for its import."""

import subprocess
import sys

CODE = """
import sys
import llm_gateway.providers.registry
print(sorted({name.partition(".")[0] for name in sys.modules} & {"openai", "anthropic", "httpx2", "httpcore2", "tiktoken"}))
"""


def test_the_registry_imports_no_sdk() -> None:
    run = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )

    assert run.stdout.strip() == "[]"
