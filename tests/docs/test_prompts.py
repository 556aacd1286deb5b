"""docs/prompts.md, run as it stands against the gateway: every command, in one shell, from top to bottom."""

from pathlib import Path

from tests.adapters.gateway import FakeGateway
from tests.docs.pages import blocks, page, run, with_a_shell
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving


@with_a_shell
def test_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    gateway = FakeGateway()
    with Serving(gateway) as serving:
        assert serving.call("POST", "/api/v1/llm/providers", PROVIDER)[0].status == 201
        url = f"http://127.0.0.1:{serving.port}"
        script = "\n".join(blocks(page("prompts"), "bash"))
        out = run("bash", "-euo", "pipefail", "-c", script, cwd=tmp_path, GATEWAY_URL=url, ADMIN_KEY=serving.key)
    assert '"code"' not in out, "something was answered with a problem"
    assert "-You work for {{ company }}. Answer in one sentence." in out
    assert '"path": "defaults.parameters.temperature"' in out
    assert "role:pirate@1" in out
    (asked,) = gateway.outside.models.asked
    assert asked.request.messages[-1].text == "A customer says: Where is my parcel? Answer in a friendly tone."
    store = gateway.outside.prompt_store
    kept = store.version("support-answer", 2)
    assert kept is not None
    assert kept.commit_message == "Say more"
    assert store.find("support-answer") is None
