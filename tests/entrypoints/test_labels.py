"""Labels over HTTP: moved by compare and set, weighted, rolled back, and held to a gate."""

from typing import Any

import pytest

from tests.entrypoints.conftest import PROMPTS, Api

ONE = f"{PROMPTS}/greeting"
LABEL = f"{ONE}/labels/production"


@pytest.fixture
def versions(api: Api) -> int:
    """How many versions the prompt has."""
    api.write()
    for text in ("Hello", "Good day"):
        api.call("PUT", ONE, {"name": "G", "template": {"messages": [{"role": "user", "content": text}]}})
    return 3


def targets(label: dict[str, Any]) -> list[dict[str, int]]:
    return [move["versions"] for move in label["history"]]


@pytest.mark.usefixtures("versions")
def test_a_label_is_made_and_moved(api: Api) -> None:
    made = api.call("PUT", LABEL, {"version": 1, "reason": "go"})
    assert (made.status_code, made.headers["ETag"], made.headers["Location"]) == (201, '"1"', LABEL)
    shown = made.json()
    (move,) = shown.pop("history")
    assert shown == {"version": 1, "revision": 1, "versions": {"1": 100}, "gate": None, "rolled_back": None}
    assert (move["versions"], move["reason"], move["by"][:4]) == ({"1": 100}, "go", "key_")
    moved = api.call("PUT", LABEL, {"version": 2}, headers={"If-Match": '"1"'})
    assert (moved.status_code, moved.headers["ETag"]) == (200, '"2"')
    assert "Location" not in moved.headers
    prompt = api.call("GET", ONE).json()
    assert prompt["labels"] == {"production": moved.json()}
    assert (prompt["revision"], prompt["version"]) == (3, 3)


@pytest.mark.usefixtures("versions")
def test_a_weighted_label_has_no_version(api: Api) -> None:
    shown = api.call("PUT", LABEL, {"versions": {"3": 10, "1": 90}}).json()
    assert (shown["version"], shown["versions"]) == (None, {"1": 90, "3": 10})
    whole = api.call("PUT", LABEL, {"versions": {"1": 0, "3": 7}}).json()
    assert (whole["version"], whole["versions"]) == (3, {"3": 100})


@pytest.mark.usefixtures("versions")
def test_a_label_goes_back_to_where_it_was(api: Api) -> None:
    api.refused("PUT", LABEL, {"rollback": True}, status=422, code="validation_failed")
    api.call("PUT", LABEL, {"version": 1})
    api.refused("PUT", LABEL, {"rollback": True}, status=422, code="validation_failed")
    api.call("PUT", LABEL, {"versions": {"1": 90, "2": 10}})
    api.call("PUT", LABEL, {"version": 2})
    back = api.call("PUT", LABEL, {"rollback": True}).json()
    assert back["versions"] == {"1": 90, "2": 10}
    assert targets(back) == [{"1": 90, "2": 10}, {"2": 100}, {"1": 90, "2": 10}, {"1": 100}]
    assert back["history"][0]["reason"] == "rolled back"


@pytest.mark.usefixtures("versions")
def test_going_back_again_goes_further_back_and_never_forward(api: Api) -> None:
    for version in (1, 2, 3):
        api.call("PUT", LABEL, {"version": version})
    assert [api.call("PUT", LABEL, {"rollback": True}).json()["version"] for _ in range(2)] == [2, 1]
    problem = api.refused("PUT", LABEL, {"rollback": True}, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "rollback"
    api.call("PUT", LABEL, {"version": 3})
    assert api.call("PUT", LABEL, {"rollback": True}).json()["version"] == 1


@pytest.mark.usefixtures("versions")
def test_the_last_twenty_moves_are_shown(api: Api) -> None:
    for number in range(25):
        moved = api.call("PUT", LABEL, {"version": number % 2 + 1, "reason": str(number)}).json()
    assert [move["reason"] for move in moved["history"]] == [str(number) for number in reversed(range(5, 25))]
    assert moved["revision"] == 25


@pytest.mark.usefixtures("versions")
def test_who_read_another_state_moves_nothing(api: Api) -> None:
    api.refused("PUT", LABEL, {"version": 1}, headers={"If-Match": '"1"'}, status=412, code="revision_conflict")
    api.call("PUT", LABEL, {"version": 1})
    moved = api.call("PUT", LABEL, {"version": 2}).json()
    api.refused("PUT", LABEL, {"version": 3}, headers={"If-Match": '"1"'}, status=412, code="revision_conflict")
    api.refused("PUT", LABEL, {"version": 3, "revision": 1}, status=412, code="revision_conflict")
    api.refused("DELETE", LABEL, headers={"If-Match": '"1"'}, status=412, code="revision_conflict")
    assert api.call("GET", ONE).json()["labels"] == {"production": moved}


@pytest.mark.usefixtures("versions")
def test_what_was_read_of_a_label_can_be_sent_back(api: Api) -> None:
    for body in ({"version": 2, "gate": {"max_error_rate": 0.1}}, {"versions": {"1": 1, "2": 2}}):
        shown = api.call("PUT", LABEL, body).json()
        again = api.call("PUT", LABEL, shown).json()
        assert again == shown | {"revision": shown["revision"] + 1}


@pytest.mark.usefixtures("versions")
def test_a_deleted_label_is_gone(api: Api) -> None:
    api.call("PUT", LABEL, {"version": 1})
    assert api.call("DELETE", LABEL, headers={"If-Match": '"1"'}).status_code == 204
    api.refused("DELETE", LABEL, status=404, code="label_not_found")
    assert api.call("GET", ONE).json()["labels"] == {}


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    ("label", "body", "field"),
    [
        ("latest", {"version": 1}, "label"),
        ("Live", {"version": 1}, "label"),
        ("12", {"version": 1}, "label"),
        ("production", {}, "version"),
        ("production", {"gate": {"tests": True}}, "version"),
        ("production", {"version": "1"}, "version"),
        ("production", {"version": 0}, "version"),
        ("production", {"versions": {}}, "versions"),
        ("production", {"versions": {"1": 0}}, "versions"),
        ("production", {"versions": {"one": 1}}, "versions"),
        ("production", {"versions": {"٣": 1}}, "versions"),
        ("production", {"versions": {"1": -1}}, "versions.1"),
        ("production", {"versions": {"1": 1.5}}, "versions.1"),
        ("production", {"versions": {str(number): 1 for number in range(1, 10_000)}}, "versions"),
        ("production", {"version": 1, "versions": {"2": 100}}, "versions"),
        ("production", {"version": 1, "rollback": True}, "rollback"),
        ("production", {"version": 1, "reason": "r" * 151}, "reason"),
        ("production", {"version": 1, "reason": "a\nb"}, "reason"),
        ("production", {"version": 1, "gate": {"max_error_rate": 2}}, "gate.max_error_rate"),
        ("production", {"version": 1, "gate": {"max_errors": 2}}, "gate.max_errors"),
    ],
)
def test_what_is_no_move_is_refused(api: Api, label: str, body: dict[str, Any], field: str) -> None:
    problem = api.refused("PUT", f"{ONE}/labels/{label}", body, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == field
    assert api.call("GET", ONE).json()["labels"] == {}


@pytest.mark.usefixtures("versions")
def test_latest_is_nobodys_to_delete(api: Api) -> None:
    api.refused("DELETE", f"{ONE}/labels/latest", status=422, code="validation_failed")


@pytest.mark.usefixtures("versions")
def test_a_label_leads_to_what_is_there(api: Api) -> None:
    api.refused("PUT", LABEL, {"version": 9}, status=404, code="prompt_version_not_found")
    api.refused("PUT", LABEL, {"versions": {"1": 1, "9": 1}}, status=404, code="prompt_version_not_found")
    nobodys = f"{PROMPTS}/nobody/labels/production"
    api.refused("PUT", nobodys, {"version": 1}, status=404, code="prompt_not_found")
    api.refused("DELETE", nobodys, status=404, code="prompt_not_found")


@pytest.mark.usefixtures("versions")
def test_a_prompt_has_so_many_labels_and_no_more(api: Api) -> None:
    for number in range(20):
        assert api.call("PUT", f"{ONE}/labels/l{number}", {"version": 1}).status_code == 201
    api.refused("PUT", f"{ONE}/labels/l20", {"version": 1}, status=422, code="validation_failed")
    assert api.call("PUT", f"{ONE}/labels/l19", {"version": 2}).status_code == 200


@pytest.mark.usefixtures("versions")
def test_a_gate_stays_until_it_is_replaced_or_removed(api: Api) -> None:
    gate = {"max_error_rate": 0.05, "max_cost_ratio": 1.5}
    shown = api.call("PUT", LABEL, {"version": 1, "gate": gate}).json()["gate"]
    nothing = dict.fromkeys(("max_p95_ms", "max_validation_failure_rate", "min_feedback"))
    assert shown == gate | nothing | {"tests": False, "min_requests": 50}
    assert api.call("PUT", LABEL, {"version": 2}).json()["gate"] == shown
    other = api.call("PUT", LABEL, {"gate": {"min_requests": 9}}).json()
    assert (other["gate"]["max_error_rate"], other["gate"]["min_requests"], other["version"]) == (None, 9, 2)
    assert len(other["history"]) == 2
    assert api.call("PUT", LABEL, {"version": 2, "gate": None}).json()["gate"] is None


@pytest.mark.usefixtures("versions")
def test_a_gate_on_tests_lets_nothing_pass_that_has_passed_none(api: Api) -> None:
    gated = {"version": 2, "gate": {"tests": True}}
    api.refused("PUT", LABEL, gated, status=422, code="quality_gate_failed")
    assert api.call("GET", ONE).json()["labels"] == {}


def test_a_roles_label_that_prompts_name_stays(api: Api) -> None:
    role = {"id": "pirate", "kind": "role", "name": "P", "template": {"system": {"text": "Ahoy."}}}
    api.call("POST", PROMPTS, role)
    for label in ("stable", "other"):
        api.call("PUT", f"{PROMPTS}/pirate/labels/{label}", {"version": 1})
    api.write(template={"system": {"roles": ["pirate@stable"], "text": "Hi"}})
    problem = api.refused("DELETE", f"{PROMPTS}/pirate/labels/stable", status=409, code="prompt_in_use")
    assert "pirate@stable" in problem["detail"]
    assert api.call("DELETE", f"{PROMPTS}/pirate/labels/other").status_code == 204


def test_labels_lead_to_so_many_versions_together(api: Api) -> None:
    api.write()
    for number in range(2, 62):
        template = {"messages": [{"role": "user", "content": str(number)}]}
        api.call("PUT", ONE, {"name": "G", "template": template})
    for label in range(6):
        versions = {str(number): 1 for number in range(label * 8 + 1, label * 8 + 9)}
        assert api.call("PUT", f"{ONE}/labels/l{label}", {"versions": versions}).status_code == 201
    api.refused("PUT", LABEL, {"versions": {"49": 1, "50": 1}}, status=422, code="validation_failed")
    assert api.call("PUT", LABEL, {"version": 49}).status_code == 201
    assert api.call("DELETE", ONE).status_code == 204
