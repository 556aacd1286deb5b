"""What importing the stores costs a cold start: nothing that a request may not need."""

import subprocess
import sys

MODULES = (
    "audit",
    "audit_archive",
    "bodies",
    "cache",
    "codec",
    "connection",
    "cursors",
    "denials",
    "idempotency",
    "keys",
    "nonces",
    "providers",
    "queries",
    "query_index",
    "queue",
    "secrets",
    "tables",
    "usage",
    "waits",
)
NOT_NEEDED_YET = {"pydantic", "boto3", "s3transfer", "fastapi", "openai", "anthropic", "asyncio"}


def test_the_stores_import_botocore_and_pynamodb_alone() -> None:
    imports = ", ".join(f"llm_gateway.stores.{module}" for module in MODULES)
    script = f"import sys, {imports}; print(*sys.modules)"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    assert not set(loaded.stdout.split()) & NOT_NEEDED_YET
