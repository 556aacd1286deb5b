"""docs/privacy.md, run as it stands against the gateway: every command, in one shell, from top to bottom."""

import re

from llm_gateway.domain.pii import PiiRule
from llm_gateway.instruments.personal_data.numbers import RULES

from bench import personal
from tests.adapters.answering import AnsweringProviders
from tests.adapters.gateway import FakeGateway
from tests.docs.pages import blocks, page, run, with_a_shell
from tests.entrypoints.conftest import PROVIDER
from tests.entrypoints.serving import Serving

PAGE = page("privacy")


@with_a_shell
def test_the_page_runs_from_top_to_bottom() -> None:
    gateway = FakeGateway()
    assert isinstance(gateway.outside.models, AnsweringProviders)
    with Serving(gateway) as serving:
        for described in (PROVIDER, PROVIDER | {"id": "outside", "priority": 99}):
            assert serving.call("POST", "/api/v1/llm/providers", described)[0].status == 201
        gateway.outside.models.script[:] = ["write to [EMAIL_1]"]
        url = f"http://127.0.0.1:{serving.port}"
        script = "\n".join(blocks(PAGE, "bash"))
        out = run("bash", "-euo", "pipefail", "-c", script, GATEWAY_URL=url, ADMIN_KEY=serving.key)
    assert out.splitlines() == [
        "write to anna@example.com",
        "You write for [EMAIL_1]",
        "pii_blocked",
        '[403,"pii_blocked",[{"field":"messages[0].content","message":"holds personal data (email)"}]]',
        "[]",
    ]
    assert len(gateway.outside.models.asked) == 2


def test_every_policy_is_on_the_page() -> None:
    table = PAGE.partition("## Policies")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(PiiRule)


def test_every_kind_is_on_the_page() -> None:
    table = PAGE.partition("## What is recognised")[2].partition("\n## ")[0]
    told = {kind for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for kind in re.findall(r"`(\w+)`", row)}
    others = {"email", "phone", "ip_address", "date_of_birth", "payment_card", "iban"}
    assert told == {rule.kind for rule in RULES} | others
    assert {label.kind for line in personal.lines() for label in line.labels} <= told
