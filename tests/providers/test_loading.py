"""What a first call needs is imported when its adapter is opened: before the provider's time begins."""

import subprocess
import sys

import pytest

from tests.adapters.gateway_processes import REPOSITORY

SCRIPT = """
import sys
sys.path.insert(0, "layers/gateway/python")
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry
from tests.adapters.engine import provider
from llm_gateway.domain.providers import ProviderKind
registry = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True)
assert sys.argv[2] not in sys.modules
registry.open(provider("a", kind=ProviderKind(sys.argv[1]), base_url=sys.argv[3] or None), None)
assert sys.argv[2] in sys.modules
"""


@pytest.mark.parametrize(
    ("kind", "module", "base_url"),
    [
        ("openai", "openai", ""),
        ("openai_compatible", "openai", "http://127.0.0.1:9/v1"),
        ("llama_cpp", "openai", "http://127.0.0.1:9/v1"),
        ("anthropic", "anthropic", ""),
        ("bedrock", "llm_gateway.providers.bedrock.adapter", ""),
    ],
)
def test_opening_imports_the_vendors_library(kind: str, module: str, base_url: str) -> None:
    command = [sys.executable, "-c", SCRIPT, kind, module, base_url]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
