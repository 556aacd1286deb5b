"""docs/prompt-tests.md, run as it stands against the gateway: every command, in one shell, from top to bottom."""

import re

from llm_gateway.domain.prompts.prompts import Gate
from llm_gateway.domain.prompts.suites import AssertionType
from llm_gateway.domain.usage import TEST_TAG

from tests.adapters.gateway import FakeGateway
from tests.docs.pages import blocks, page, run, with_a_shell
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving

PAGE = page("prompt-tests")


@with_a_shell
def test_the_page_runs_from_top_to_bottom() -> None:
    gateway = FakeGateway()
    with Serving(gateway) as serving:
        assert serving.call("POST", "/api/v1/llm/providers", PROVIDER)[0].status == 201
        url = f"http://127.0.0.1:{serving.port}"
        script = "\n".join(blocks(PAGE, "bash"))
        out = run("bash", "-euo", "pipefail", "-c", script, GATEWAY_URL=url, ADMIN_KEY=serving.key)
    assert '"code"' not in out, "something was answered with a problem"
    assert '"pass_rate": 1' in out
    assert out.count('"candidate":"local"') == 3
    assert '{"version":1,"feedback":{"count":2,"mean":0.9}}' in out
    label = gateway.outside.prompt_store.get("greeting").labels["trial"]
    assert label.is_watched


def test_the_page_knows_every_assertion_and_every_bound() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert {each.value for each in AssertionType} <= told
    bounds = {name for name in Gate.__slots__ if name not in ("tests", "min_requests")}
    assert bounds <= told
    assert TEST_TAG in PAGE
