"""docs/operations.md: what it says to do at night is done as it stands there."""

import json
from pathlib import Path
from typing import Any

from local_aws.aws import LocalAws
from tests.adapters.gateway import FakeGateway
from tests.docs.pages import blocks, client, page, run, run_with_aws, typed, with_a_shell, zipped
from tests.entrypoints.conftest import PROVIDER, PROVIDERS
from tests.entrypoints.serving import Serving


@with_a_shell
def test_a_provider_is_disabled_and_loses_nothing_by_it() -> None:
    model = {"name": "small", "input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
    described = PROVIDER | {"id": "openai", "models": [model], "limits": {"requests_per_minute": 5}}
    with Serving(FakeGateway()) as serving:
        made, _ = serving.call("POST", PROVIDERS, described)
        assert made.status == 201
        before = _read(serving)
        script = "\n".join(blocks(page("operations"), "bash"))
        url = f"http://127.0.0.1:{serving.port}/"
        answered = json.loads(run("bash", "-euo", "pipefail", "-c", script, API_URL=url, SECRET=serving.key))
        after = _read(serving)
    assert answered == after
    changes = {name for name in after if after[name] != before[name]}
    assert changes == {"enabled", "revision", "updated_at"}
    assert after["enabled"] is False
    assert after["credentials"]["configured"]


def _read(serving: Serving) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(serving.call("GET", f"{PROVIDERS}/openai")[1])
    return read


def release(functions: Any, name: str, *, code: str) -> str:
    """A new version of a function behind its alias."""
    functions.update_function_code(FunctionName=name, ZipFile=zipped(code))
    version: str = functions.publish_version(FunctionName=name)["Version"]
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
    return version


@with_a_shell
def test_functions_go_back_to_what_they_were_before_a_release(aws: LocalAws, tmp_path: Path) -> None:
    functions = client(aws, "lambda")
    one, other = "llm-gateway-prod-run_query", "llm-gateway-prod-get_query"
    settings = {"Runtime": "python3.13", "Handler": "main.handler", "Role": "arn:aws:iam::000000000000:role/any"}
    for name in (one, other, "another-applications"):
        functions.create_function(FunctionName=name, Code={"ZipFile": zipped("")}, **settings)
        functions.publish_version(FunctionName=name)
        functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert release(functions, other, code="# the release before") == "2"
    assert release(functions, one, code="# the release") == "2"
    began = functions.get_function_configuration(FunctionName=one, Qualifier="2")["LastModified"]
    assert release(functions, other, code="# the release") == "3"
    assert release(functions, "another-applications", code="# its own") == "2"

    def live(name: str) -> str:
        return str(functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"])

    all_functions, one_function = (
        next(block for block in blocks(page("operations"), "console") if block.startswith(f"$ {first}"))
        for first in ("BEFORE=", "NAME=")
    )
    script = typed(all_functions).replace("2026-11-30T08:00 ", f"{began} ")
    said = run_with_aws(script, aws=aws, folder=tmp_path)
    assert sorted(line for line in said if not line.startswith("{")) == [f"{other} 2", f"{one} 1"]
    assert (live(one), live(other), live("another-applications")) == ("1", "2", "2")

    script = typed(one_function)
    assert "--function-version 41 " in script
    said = run_with_aws(script.replace("version 41 ", "version 2 "), aws=aws, folder=tmp_path)
    assert json.loads(said[0]) == "1"
    assert [line.split("\t")[0] for line in said[1:4]] == ["$LATEST", "1", "2"]
    assert live(one) == "2"
