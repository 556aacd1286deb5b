"""Alarms, their descriptions and the runbook's headings are one list: an alarm that nobody can read is noise."""

import re

import pytest

from tests.docs.pages import page
from tests.infra.deployments import deployed

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
            # The parts of a composite have the length of their window behind its name.
            assert re.sub(r"-\d+m$", "", name) == f"llm-gateway-prod-{heading}"


@pytest.mark.parametrize("heading", sorted({*HEADINGS} - MESSAGES))
def test_a_heading_says_why_where_to_look_and_what_to_do(heading):
    (said,) = re.findall(rf"^### {heading}\n\n(.*?)(?=^### |\Z)", page("operations"), re.MULTILINE | re.DOTALL)
    for part in ("cause", "look here", "do this"):
        assert f"**{part}**" in said.lower(), part


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
