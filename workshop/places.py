"""Where the set-up puts things."""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
VENV: Final = ROOT / ".venv"
VENV_BIN: Final = VENV / "bin"
VENV_PYTHON: Final = VENV_BIN / "python"
STAMPS: Final = VENV / "stamps"
LOCALSTACK: Final = ROOT / ".cache" / "localstack"
LOCALSTACK_PYTHON: Final = LOCALSTACK / "bin" / "python"
CDK_CLI: Final = ROOT / ".cache" / "cdk"
CDK: Final = CDK_CLI / "node_modules" / ".bin" / "cdk"

# Outside the clone, so that the next clone finds it.
WHEELS: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-gateway" / "wheels"

AUDIT_VENV: Final = ROOT / ".cache" / "audit"
PROFILER_VENV: Final = ROOT / ".cache" / "profiler"
SITE_VENV: Final = ROOT / ".cache" / "docs"
CLIENTS_VENV: Final = ROOT / ".cache" / "clients"
CHECKS: Final = ROOT / ".cache" / "checks"
CHECKS_SOURCE: Final = ROOT / "tests" / "clients" / "tools"

LOCALSTACK_LOCK: Final = ROOT / "tests" / "localstack" / "requirements.lock"
UV_LOCK: Final = ROOT / "workshop" / "uv.lock"
AUDIT_LOCK: Final = ROOT / "workshop" / "audit.lock"
PROFILER_LOCK: Final = ROOT / "workshop" / "profile.lock"
SITE_LOCK: Final = ROOT / "workshop" / "docs.lock"
CLIENTS_LOCK: Final = ROOT / "workshop" / "clients.lock"
RUNTIME_LOCK: Final = ROOT / "layers" / "dependencies" / "requirements.lock"
DEV_LOCK: Final = ROOT / "requirements-dev.lock"
MODEL_SERVER: Final = ROOT / "container-local-model"
MODEL_SERVER_LOCK: Final = MODEL_SERVER / "requirements.lock"
MODEL_BUILD_LOCK: Final = MODEL_SERVER / "build.lock"
MODEL_LOCK: Final = MODEL_SERVER / "model.lock"
CDK_CLI_SOURCE: Final = ROOT / "infra" / "cli"
