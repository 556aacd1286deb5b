"""docs/keys.md, run as it stands against the gateway: every command, in one shell, from top to bottom."""

import re
import shlex
import sys

import pytest
from llm_gateway.domain.failed_attempts import FAILURES
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.keys import main

from tests.adapters.answering import AnsweringProviders
from tests.adapters.gateway import FakeGateway
from tests.docs.pages import blocks, page, run, with_a_shell
from tests.entrypoints.access import ACCESS
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving

PAGE = page("keys")
_END = '\nprintf \'\\n%s\\n%s\\n\' "$KEY_ID" "$SIGNING_SECRET"\n'


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@with_a_shell
def test_the_page_runs_from_top_to_bottom(gateway: FakeGateway) -> None:
    with Serving(gateway) as serving:
        provider = PROVIDER | {"default_model": "SmolLM2-135M-Instruct"}
        assert serving.call("POST", "/api/v1/llm/providers", provider)[0].status == 201
        url = f"http://127.0.0.1:{serving.port}"
        script = "\n".join(blocks(PAGE, "bash")) + _END
        out = run("bash", "-euo", "pipefail", "-c", script, GATEWAY_URL=url, ADMIN_KEY=serving.key)
        key_id, signing_secret = out.splitlines()[-2:]
        (recipe,) = blocks(PAGE, "python")
        said = run(
            sys.executable, "-W", "error", "-c", recipe, GATEWAY_URL=url, KEY_ID=key_id, SIGNING_SECRET=signing_secret
        )
    assert '"code"' not in out + said, "something was answered with a problem"
    assert len(said.splitlines()) == 2
    key = gateway.keys.get(key_id).key
    assert (key.name, key.role, key.limits.requests_per_minute) == ("Support team", Role.CALLER, 120)
    assert (key.revision, len(key.secrets)) == (3, 2)
    assert isinstance(gateway.outside.models, AnsweringProviders)
    assert len(gateway.outside.models.asked) == 3


def test_the_command_line_runs(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    (console,) = blocks(PAGE, "console")
    gateway.new_key(Role.ADMIN, name="another")
    for line in console.splitlines():
        words = shlex.split(line.removeprefix("$ "))
        if words[0] == "export":
            continue
        # Here is no stack of that name: how one is found is tested beside the command.
        assert words[:5] == ["python", "-m", "llm_gateway.entrypoints.keys", "--stack", "llm-gateway-prod"]
        (made,) = [view.key.id for view in gateway.keys.page(limit=9, cursor=None).items if view.key.name == "ops"] or [
            ""
        ]
        arguments = [made if word.startswith("key_") else word for word in words[5:]]
        assert main(arguments, gateway=lambda: gateway) == 0, capsys.readouterr().err
    assert [view.status for view in gateway.keys.page(limit=9, cursor=None).items] == ["active", "revoked"]


def test_what_the_page_says_of_numbers_is_so() -> None:
    assert f"After {FAILURES.burst} at once, or {FAILURES.per_minute} in a minute" in PAGE


def test_every_role_is_on_the_page() -> None:
    roles = set(re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Roles")[2].partition("## ")[0], re.MULTILINE))
    assert roles == set(Role)
    assert {role for cells in ACCESS.values() for role in cells.may} == roles
