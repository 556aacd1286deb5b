"""Clients that others wrote, against the gateway: LangChain with its own suite, `llm`, and what generators make of the API."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.obliging_house import address_and_key, obliging_house
from tests.entrypoints.serving import Serving
from workshop.places import CHECKS, CHECKS_SOURCE, CLIENTS_VENV, ROOT, VENV_BIN

HERE = Path(__file__).parent
OPENAPI = ROOT / "layers/gateway/python/llm_gateway/wire/openapi.json"
BIN = CLIENTS_VENV / "bin"
TOOLS = CHECKS / "node_modules" / ".bin"
with_clients = pytest.mark.skipif(
    not (CLIENTS_VENV / "stamp").exists(),
    reason="LangChain, llm and a generator are missing: python3 -m workshop clients",
)
with_tools = pytest.mark.skipif(
    not (CHECKS / "stamp").exists(), reason="linters and a generator from npm are missing: python3 -m workshop clients"
)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with obliging_house() as serving:
        yield serving


def _run(*command: str | Path, cwd: Path, **variables: str) -> str:
    path = os.pathsep.join((str(VENV_BIN), os.environ["PATH"]))
    environment = {"PATH": path, "HOME": str(cwd), "NO_PROXY": "*", "REDOCLY_TELEMETRY": "off", **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@with_clients
def test_langchains_own_suite_passes(serving: Serving, tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text((HERE / "langchain_suite.py").read_text(encoding="utf-8"), encoding="utf-8")
    # Its tests share a client, which lives in one loop.
    loop = (
        "asyncio_mode=auto",
        "asyncio_default_fixture_loop_scope=session",
        "asyncio_default_test_loop_scope=session",
    )
    options = ("-q", "--tb=short", "-rs", *(f"--override-ini={option}" for option in loop))
    known = address_and_key(serving) | {"LANGSMITH_TRACING": "false"}
    said = _run(BIN / "python", "-m", "pytest", *options, cwd=tmp_path, **known)
    found = re.search(r"(\d+) passed, (\d+) skipped", said)
    assert found is not None, said
    assert int(found[1]) > 100, said


MODELS = """
- model_id: gateway
  model_name: {model}
  api_base: {url}/v1
  api_key_name: gateway
  supports_tools: true
  supports_schema: true
"""


@pytest.fixture
def llm(serving: Serving, tmp_path: Path) -> Any:
    """The command `llm` as its user sets it up."""
    known = address_and_key(serving)
    (tmp_path / "extra-openai-models.yaml").write_text(
        MODELS.format(model="anthropic/claude-sonnet-4-5", url=known["GATEWAY_URL"])
    )
    (tmp_path / "keys.json").write_text(json.dumps({"gateway": known["GATEWAY_KEY"]}))

    def run(*arguments: str) -> str:
        return _run(BIN / "llm", "-m", "gateway", *arguments, cwd=tmp_path, LLM_USER_PATH=str(tmp_path)).strip()

    return run


@with_clients
@pytest.mark.parametrize("how", [(), ("--no-stream",)])
def test_llm_asks(llm: Any, how: tuple[str, ...]) -> None:
    assert llm("Say hello.", "-s", "Be brief.", *how) == "Hello!"
    assert json.loads(llm("Name a city.", "--schema", "city, age int", *how)) == {"city": "Paris", "age": 7}


@with_clients
@pytest.mark.parametrize("how", [(), ("--no-stream",)])
def test_llm_calls_tools(llm: Any, how: tuple[str, ...]) -> None:
    function = "def weather(city: str) -> str:\n    'The weather.'\n    return 'Rain in ' + city"
    said = llm("What is the weather in 'Rome'?", "--functions", function, "--tools-debug", *how)
    assert "Rain in Rome" in said
    assert "Hello!" in said


@with_clients
def test_a_python_client_is_generated_and_asks(serving: Serving, tmp_path: Path) -> None:
    generator = BIN / "openapi-python-client"
    said = _run(
        generator,
        "generate",
        "--path",
        OPENAPI,
        "--output-path",
        tmp_path / "generated",
        "--meta",
        "none",
        cwd=tmp_path,
    )
    assert "warning" not in said.lower(), said
    program = """
import os
from generated import AuthenticatedClient
from generated.api.queries import run_query
from generated.models import QueryRequest, UserMessage, UserMessageRole
client = AuthenticatedClient(base_url=os.environ["GATEWAY_URL"], token=os.environ["GATEWAY_KEY"])
question = QueryRequest(messages=[UserMessage(role="user", content="Say hello.")], provider="local")
print(run_query.sync(client=client, body=question).output.text)
"""
    (tmp_path / "ask.py").write_text(program.replace(", UserMessageRole", ""), encoding="utf-8")
    assert _run(BIN / "python", "ask.py", cwd=tmp_path, **address_and_key(serving)).strip() == "Hello!"


ASK = """
import type { components, paths } from "./gateway.ts";
type Answer = paths["/api/v1/llm/query"]["post"]["responses"]["200"]["content"]["application/json"];
type Asked = components["schemas"]["QueryRequest"];
const question: Asked = { messages: [{ role: "user", content: "Say hello." }], provider: "local" };
const response = await fetch(`${process.env.GATEWAY_URL}/api/v1/llm/query`, {
  method: "POST",
  headers: { Authorization: `Bearer ${process.env.GATEWAY_KEY}`, "Content-Type": "application/json" },
  body: JSON.stringify(question),
});
const answer: Answer = await response.json();
console.log(answer.output.text);
"""
WRONG = ASK.replace('provider: "local"', 'providr: "local"')
TYPESCRIPT = ("--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--allowImportingTsExtensions")


@with_tools
def test_typescripts_types_are_generated_and_a_program_asks(serving: Serving, tmp_path: Path) -> None:
    _run(TOOLS / "openapi-typescript", OPENAPI, "-o", "gateway.ts", cwd=tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node.d.ts").write_text("declare const process: { env: Record<string, string | undefined> };")
    for name, program in {"ask.ts": ASK, "wrong.ts": WRONG}.items():
        (tmp_path / name).write_text(program, encoding="utf-8")
    _run(TOOLS / "tsc", *TYPESCRIPT, "ask.ts", "node.d.ts", cwd=tmp_path)
    with pytest.raises(AssertionError, match="'providr' does not exist"):
        _run(TOOLS / "tsc", *TYPESCRIPT, "wrong.ts", "node.d.ts", cwd=tmp_path)
    said = _run("node", "--disable-warning=ExperimentalWarning", "ask.ts", cwd=tmp_path, **address_and_key(serving))
    assert said.strip() == "Hello!"


@with_tools
def test_redocly_finds_nothing_wrong_with_the_description(tmp_path: Path) -> None:
    config = CHECKS_SOURCE / "redocly.yaml"
    said = _run(TOOLS / "redocly", "lint", OPENAPI, "--config", config, "--format", "json", cwd=tmp_path)
    assert json.loads(said[said.index("{") : said.rindex("}") + 1])["totals"] == {
        "errors": 0,
        "warnings": 0,
        "ignored": 0,
    }


@with_tools
def test_spectral_finds_nothing_wrong_with_the_description(tmp_path: Path) -> None:
    ruleset = CHECKS_SOURCE / "spectral.yaml"
    said = _run(TOOLS / "spectral", "lint", OPENAPI, "--ruleset", ruleset, "--fail-severity", "hint", cwd=tmp_path)
    assert "No results" in said
