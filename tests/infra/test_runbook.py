"""Alarms, their descriptions and the runbook's headings are one list: an alarm that nobody can read is noise."""

import ast
import re

import jmespath
import pytest
from llm_gateway.access import BUDGET_DETAIL_TYPE, CANARY_DETAIL_TYPE

from tests.docs.pages import page
from tests.infra.deployments import ROOT, deployed

HEADINGS = re.findall(r"^### (\w+)$", page("operations"), re.MULTILINE)
# What goes to the same address without an alarm.
MESSAGES = {"BudgetReached"}


def alarms():
    """Every alarm of a deployment: its description, by what it is called."""
    found = {}
    for template in deployed(stage="prod"):
        for id_, resource in template.body["Resources"].items():
            if resource["Type"] in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
                found[id_] = resource["Properties"]
    return found


def heading_of(alarm):
    said = re.fullmatch(r".+\. docs/operations\.md#(\w+)", alarm["AlarmDescription"])
    assert said, alarm["AlarmDescription"]
    (heading,) = [each for each in HEADINGS if each.lower() == said[1]]
    return heading


def test_every_alarm_leads_to_its_own_heading_and_every_heading_has_one():
    leading = {id_: heading_of(alarm) for id_, alarm in alarms().items()}
    assert set(leading.values()) | MESSAGES == set(HEADINGS)
    for id_, heading in leading.items():
        name = alarms()[id_].get("AlarmName")
        if name is None:
            assert heading == "Release"
        else:
            # The parts of a composite have the length of their window behind its name, a worker's second alarm what it is about.
            assert re.sub(r"-(\d+m|unforeseen)$", "", name) == f"llm-gateway-prod-{heading}"


@pytest.mark.parametrize("heading", sorted({*HEADINGS} - MESSAGES))
def test_a_heading_says_why_where_to_look_and_what_to_do(heading):
    (said,) = re.findall(rf"^### {heading}\n\n(.*?)(?=^### |\Z)", page("operations"), re.MULTILINE | re.DOTALL)
    for part in ("cause", "look here", "do this"):
        assert f"**{part}**" in said.lower(), part


def test_all_functions_go_back_to_what_was_there_before_the_release():
    """The questions of the page's own commands, asked of what Lambda lists."""
    functions, versions = re.findall(r'--query "(.+)"', page("operations"))
    names = [f"llm-gateway-{stage}-{name}" for stage in ("prod", "dev") for name in ("run_query", "get_key")]
    listed = {"Functions": [{"FunctionName": name} for name in (*names, "another")]}
    assert jmespath.search(functions, listed) == names[:2]

    def before(moment, *numbers):
        """The newest of versions that were made one an hour, from one o'clock on."""
        made = [
            {"Version": str(number), "LastModified": f"2026-11-30T{number:02}:00:00.000+0000"} for number in numbers
        ]
        asked = versions.replace("\\$LATEST", "$LATEST").replace("$BEFORE", moment)
        latest = {"Version": "$LATEST", "LastModified": "2026-11-30T00:00:00.000+0000"}
        return jmespath.search(asked, {"Versions": [latest, *made]})

    assert before("2026-11-30T10:30", 8, 10, 9, 11) == "10"
    # It was not changed by the release, or is new with it.
    assert before("2026-11-30T10:30", 8, 9) == "9"
    assert before("2026-11-30T10:30", 11) is None


def test_links_within_the_page_lead_somewhere():
    anchors = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page("operations"), re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", page("operations"))) <= anchors


def test_the_page_tells_of_every_metric_and_line():
    from llm_gateway.instruments.journal import _UNITS

    told = page("operations")
    for name in {*_UNITS, "QueueMs", "ColdStarts", "ServerErrors"}:
        assert f"`{name}`" in told, name
    for message in messages():
        assert f"`{message}`" in told, message
    for template in ("The store of … cannot be reached: …", f"{BUDGET_DETAIL_TYPE}: …", f"{CANARY_DETAIL_TYPE}: …"):
        assert f"`{template}`" in told, template


def messages():
    """What lines are called that are no sentences, wherever the package writes one."""
    found = set()
    for file in (ROOT / "layers" / "gateway" / "python" / "llm_gateway").rglob("*.py"):
        calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call) and node.args)
        for call in calls:
            by, said = ast.unparse(call.func), call.args[0]
            if isinstance(said, ast.Constant) and re.fullmatch(r"logger\(\)\.\w+|self\._measure", by):
                found.add(said.value)
    assert {"request", "delivery", "query", "unexpected_error"} <= found
    return found
