"""What Lambda's runtime is told of a snapshot, and what a copy of one makes anew."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import snapshot_restore_py
from llm_gateway.entrypoints import snapshots
from llm_gateway.entrypoints.aws import handler_of
from llm_gateway.entrypoints.composition import gateway
from llm_gateway.entrypoints.http import app_of
from llm_gateway.providers import signature


@pytest.fixture
def hooks() -> Iterator[tuple[list[Any], list[Any]]]:
    before, after = snapshot_restore_py.get_before_snapshot(), snapshot_restore_py.get_after_restore()
    kept = [*before], [*after]
    yield before, after
    before[:], after[:] = kept


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    state = random.getstate()
    yield
    random.setstate(state)
    gateway.cache_clear()


@pytest.mark.parametrize(
    ("kind", "registered"),
    [(None, ([], [])), ("on-demand", ([], [])), ("snap-start", ([snapshots.prepare], [snapshots.renew]))],
)
def test_lambdas_runtime_is_told_what_to_call_where_it_takes_a_snapshot(
    hooks: tuple[list[Any], list[Any]], monkeypatch: pytest.MonkeyPatch, kind: str | None, registered: Any
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_INITIALIZATION_TYPE", raising=False)
    if kind:
        monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", kind)
    handler_of(app_of())
    assert tuple([function for function, _, _ in each] for each in hooks) == registered


def test_a_copy_draws_other_numbers() -> None:
    drawn = []
    for _ in range(2):
        random.seed(17)
        snapshots.renew()
        drawn.append(random.random())  # noqa: S311
    assert drawn[0] != drawn[1]


def test_a_copy_has_a_gateway_and_credentials_of_its_own() -> None:
    before, session = gateway(), signature.session()
    assert gateway() is before
    snapshots.renew()
    assert gateway() is not before
    assert signature.session() is not session


def test_the_first_query_finds_every_schema_built() -> None:
    script = (
        "from functions.run_query import run_query\n"
        "from llm_gateway.entrypoints import snapshots\n"
        "from llm_gateway.wire import queries\n"
        "from llm_gateway.wire.schema import Incoming, Outgoing\n"
        "def under(kind): return [kind, *(each for own in kind.__subclasses__() for each in under(own))]\n"
        "assert not queries.QueryBody.__pydantic_complete__\n"
        "snapshots.prepare()\n"
        "models = [*under(Incoming), *under(Outgoing)]\n"
        "assert queries.QueryBody in models and len(models) > 10\n"
        "unbuilt = [model for model in models if not model.__pydantic_complete__]\n"
        "assert not unbuilt, unbuilt\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "gateway-run_query",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_first_query_finds_imported_what_takes_long() -> None:
    script = (
        "import sys\n"
        "from llm_gateway.entrypoints import snapshots\n"
        "heavy = {'openai', 'anthropic', 'genai_prices', 'botocore.session', 'pynamodb'}\n"
        "assert not heavy & set(sys.modules)\n"
        "snapshots.prepare()\n"
        "assert heavy <= set(sys.modules), heavy - set(sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
