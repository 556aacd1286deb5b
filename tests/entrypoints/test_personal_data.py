"""What keys and prompts ask to be done with personal data holds at every door, and for whatever is kept."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from llm_gateway.domain.chat import ChatAnswer, FinishReason, Reasoning, ReasoningItem, ToolCall, Usage
from llm_gateway.domain.erasures import Target, digest_of, subject_of
from llm_gateway.domain.faults import ProviderRejected, ProviderUnreachable
from llm_gateway.domain.keys import Role
from llm_gateway.errors import NotDone
from llm_gateway.ports.queries import Delivery

from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import QUERY, Api

EMAIL, CARD, SSN = "anna.novak@example.com", "4111 1111 1111 1111", "536-90-4399"
PLANTED = (EMAIL, CARD, SSN)
ASKED = f"Write to {EMAIL}, who paid with {CARD}."
MASKED = "Write to [EMAIL_1], who paid with [PAYMENT_CARD_1]."


@dataclass
class Door:
    """A way in, with a key under some policies."""

    api: Api
    headers: dict[str, str]

    def post(self, path: str, body: dict[str, Any], **headers: str) -> Any:
        return self.api.call("POST", path, body, role=None, headers=self.headers | headers)

    def get(self, path: str) -> Any:
        return self.api.call("GET", path, role=None, headers=self.headers)

    def ask(self, text: str = ASKED, *, path: str = QUERY, **changes: Any) -> Any:
        return self.post(path, {"messages": [{"role": "user", "content": text}]} | changes)


Opened = Callable[..., Door]


@pytest.fixture
def door(api: Api) -> Opened:
    api.register()

    def open_with(*rules: str, role: Role = Role.CALLER, **said: Any) -> Door:
        body = {"name": "k", "role": role.value, "pii": list(rules)} | said
        made = api.call("POST", "/api/v1/llm/keys", body)
        assert made.status_code == 201, made.text
        return Door(api, {"Authorization": f"Bearer {made.json()['secret']}"})

    return open_with


def says(api: Api, *answers: Any) -> None:
    api.gateway.outside.models.script.extend(answers)


def sent(api: Api) -> str:
    """All that providers were asked, as text."""
    return repr([asked.request for asked in api.gateway.outside.models.asked])


def kept(gateway: FakeGateway) -> str:
    """All that is stored and written down of queries."""
    outside = gateway.outside
    queries = [stored.query for stored in outside.query_store._stored.values()]
    cached = [vars(outside.cache), vars(outside.idempotency)]
    return repr((queries, cached, outside.journal.written))


def work(api: Api) -> None:
    """Has a worker answer what waits."""
    for message in [*api.gateway.outside.queue.sent]:
        delivery = Delivery(query_id=message.query_id, receipt="r", queue_arn="arn", count=1)
        api.gateway.worker.process(delivery)


# mask


def test_a_provider_reads_placeholders_and_the_caller_its_own_words(api: Api, door: Opened) -> None:
    says(api, "Dear [EMAIL_1], card [PAYMENT_CARD_1]; [EMAIL_7] is made up.")
    asked = door("mask").ask(metadata={"customer": EMAIL})
    assert asked.json()["output"]["text"] == f"Dear {EMAIL}, card {CARD}; [EMAIL_7] is made up."
    assert asked.json()["metadata"] == {"customer": EMAIL}
    assert MASKED in sent(api)
    assert not [value for value in PLANTED if value in sent(api) + kept(api.gateway)]


def test_a_result_is_read_whole_by_its_owner_alone(api: Api, door: Opened) -> None:
    owner = door("mask")
    says(api, "To [EMAIL_1]")
    query_id = owner.ask().json()["id"]
    assert owner.get(f"{QUERY}/{query_id}/result").json()["output"]["text"] == f"To {EMAIL}"
    read = api.call("GET", f"{QUERY}/{query_id}/result")
    assert read.json()["output"]["text"] == "To [EMAIL_1]"
    key_id = next(iter(api.gateway.outside.query_store._stored.values())).query.owner
    api.gateway.outside.seal.shred(key_id, made_before=api.gateway.outside.clock.now() + timedelta(days=1))
    assert owner.get(f"{QUERY}/{query_id}/result").json()["output"]["text"] == "To [EMAIL_1]"


@pytest.mark.parametrize("rule", ["mask", "log"])
def test_one_whom_a_query_is_about_can_still_be_erased(api: Api, door: Opened, rule: str) -> None:
    query_id = door(rule).ask("hello", metadata={"subject": EMAIL}).json()["id"]
    stored = api.gateway.outside.query_store.get(query_id)
    assert stored is not None
    assert subject_of(stored.request.metadata, stored.request.privacy) == digest_of(EMAIL)
    assert EMAIL not in kept(api.gateway)


def test_a_subject_that_no_erasure_could_name_is_refused_at_every_door(api: Api, door: Opened) -> None:
    owner, long = door(), {"subject": "x" * 501}
    native = owner.ask("hello", metadata=long)
    assert (native.status_code, native.json()["errors"][0]["field"]) == (422, "metadata")
    assert "500 characters" in native.json()["detail"]
    chat = {"model": "small", "messages": [{"role": "user", "content": "hi"}], "metadata": long}
    assert owner.post("/v1/chat/completions", chat).status_code == 400
    assert owner.post("/v1/responses", {"model": "small", "input": "hi", "metadata": long}).status_code == 400
    assert owner.ask("hello", metadata={"subject": "x" * 500}).status_code == 200
    assert api.gateway.outside.models.asked[1:] == []


def test_every_part_of_a_request_is_masked(api: Api, door: Opened) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "pay", "arguments": json.dumps({"card": 4111111111111111})},
    }
    messages = [
        {"role": "user", "content": [{"type": "text", "text": f"for {EMAIL}"}]},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": f'{{"mail": "{EMAIL}", "ssn": "{SSN}"}}'},
        {"role": "user", "content": "go on"},
    ]
    tool = {
        "type": "function",
        "function": {"name": "pay", "description": f"as {EMAIL} wants", "parameters": {"enum": [SSN]}},
    }
    answered = door("mask").post(
        QUERY,
        {
            "messages": messages,
            "system": {"text": f"You write for {EMAIL}"},
            "context": {"items": [{"id": EMAIL, "text": f"card {CARD}", "source": f"mailto:{EMAIL}"}]},
            "tools": [tool],
            "parameters": {"stop": [EMAIL]},
            "metadata": {EMAIL: [CARD]},
        },
    )
    assert answered.status_code == 200, answered.text
    assert answered.json()["context"]["included"] == [EMAIL]
    assert answered.json()["metadata"] == {EMAIL: [CARD]}
    everything = sent(api) + kept(api.gateway)
    assert not [value for value in (*PLANTED, "4111111111111111") if value in everything]
    assert '{"card": "[PAYMENT_CARD_' in sent(api)


def test_tool_calls_and_json_have_the_values_again(api: Api, door: Opened) -> None:
    owner = door("mask")
    call = ToolCall(id="c", name="send", arguments='{"to":"[EMAIL_1]"}')
    says(
        api, ChatAnswer(text=None, finish_reason=FinishReason.TOOL_CALLS, model="m", usage=Usage(), tool_calls=(call,))
    )
    tool = {"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}
    assert owner.ask(tools=[tool]).json()["output"]["tool_calls"][0]["arguments"] == f'{{"to":"{EMAIL}"}}'
    schema = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
    says(api, '{"no": "[EMAIL_1]"}', '{"to": "[EMAIL_1]"}')
    output = owner.ask(output={"type": "json_schema", "schema": schema}).json()["output"]
    assert (output["text"], output["json"]) == (f'{{"to": "{EMAIL}"}}', {"to": EMAIL})
    repaired = api.gateway.outside.models.asked[-1].request.messages
    assert len(repaired) == 3, "the turn that asks for a correct answer"
    assert EMAIL not in sent(api)


def test_a_stream_and_its_resumption_have_the_values(api: Api, door: Opened) -> None:
    owner = door("mask")
    says(api, "To [EMAIL_1].")
    streamed = owner.ask(path=f"{QUERY}/stream")
    assert f'{{"text":"To {EMAIL}."}}' in streamed.text.replace('": "', '":"')
    query_id = json.loads(streamed.text.partition("data: ")[2].partition("\n")[0])["id"]
    resumed = api.call("GET", f"{QUERY}/{query_id}/stream", role=None, headers=owner.headers | {"Last-Event-ID": "3"})
    assert f'"{EMAIL}."' in resumed.text
    assert EMAIL not in sent(api) + kept(api.gateway)


def test_a_worker_asks_with_placeholders_and_the_result_has_the_values(api: Api, door: Opened) -> None:
    owner = door("mask")
    accepted = owner.ask(mode="async").json()
    says(api, "To [EMAIL_1]; I am at bob@example.org")
    work(api)
    result = owner.get(f"{QUERY}/{accepted['id']}/result").json()
    assert result["output"]["text"] == f"To {EMAIL}; I am at bob@example.org"
    assert not [value for value in (*PLANTED, "bob@example.org") if value in sent(api) + kept(api.gateway)]


def test_a_cached_answer_has_the_values_of_whoever_asks(api: Api, door: Opened) -> None:
    owner = door("mask")
    says(api, "To [EMAIL_1]; I am at bob@example.org")
    first = owner.ask(cache="force").json()
    again = owner.ask(ASKED.replace(EMAIL, "otto@example.net"), cache="force").json()
    assert (first["cache"]["hit"], again["cache"]["hit"]) == (False, True)
    assert again["output"]["text"] == "To otto@example.net; I am at bob@example.org"
    assert owner.get(f"{QUERY}/{again['id']}/result").json()["output"]["text"] == again["output"]["text"]
    assert not [value for value in (EMAIL, "bob@example.org") if value in kept(api.gateway)]


def test_a_replay_has_the_values(api: Api, door: Opened) -> None:
    owner = door("mask")
    says(api, "To [EMAIL_1]")
    body = {"messages": [{"role": "user", "content": ASKED}]}
    answers = [owner.post(QUERY, body, **{"Idempotency-Key": "k1"}) for _ in range(2)]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert [answer.json()["output"]["text"] for answer in answers] == [f"To {EMAIL}"] * 2


OWN = "bob@example.org"


@pytest.mark.parametrize("again", ["result", "cache", "replay"])
def test_a_thought_is_kept_as_its_vendor_signed_it(api: Api, door: Opened, again: str) -> None:
    """Which is with the placeholders that the vendor was sent, and with what the model wrote of its own."""
    thought = {"type": "thinking", "thinking": f"[EMAIL_1] knows {OWN}.", "signature": "signed"}
    said = ChatAnswer(
        text=f"[EMAIL_1] and {OWN}",
        reasoning=Reasoning(text=None, items=(ReasoningItem(vendor="anthropic", item=thought),)),
        tool_calls=(ToolCall(id=f"call {OWN}", name="f", arguments="{}"),),
        finish_reason=FinishReason.TOOL_CALLS,
        model="m",
        usage=Usage(input_tokens=1),
    )
    says(api, said)
    owner, key = door("mask"), {"Idempotency-Key": "once"} if again == "replay" else {}
    body = {"messages": [{"role": "user", "content": f"Ask {EMAIL}."}], "cache": "force"}
    first = owner.post(QUERY, body, **key).json()
    assert [value for value in (EMAIL, OWN) if value in kept(api.gateway)] == []
    result = f"{QUERY}/{first['id']}/result"
    later = owner.get(result) if again == "result" else owner.post(QUERY, body, **key)
    for answer in (first, later.json()):
        assert answer["output"]["text"] == f"{EMAIL} and {OWN}"
        assert answer["output"]["reasoning"]["items"][0]["item"] == thought
        assert answer["output"]["tool_calls"][0]["id"] == f"call {OWN}"
    assert len(api.gateway.outside.models.asked) == 1


def test_a_fallback_reads_placeholders_too(api: Api, door: Opened) -> None:
    api.register(id="second", priority=20)
    says(api, ProviderUnreachable("gone"), "To [EMAIL_1]")
    assert door("mask").ask().json()["output"]["text"] == f"To {EMAIL}"
    assert len(api.gateway.outside.models.asked) == 2
    assert EMAIL not in sent(api) + kept(api.gateway)


@pytest.mark.parametrize("rule", ["log", "mask", "local_only"])
def test_an_erasure_finds_a_subject_by_its_own_name(api: Api, door: Opened, rule: str) -> None:
    api.register(id="own", priority=99, location="account")
    found_by = api.gateway.outside.query_index.of_target
    accepted = door(rule).ask(mode="async", metadata={"subject": EMAIL}).json()["id"]
    answered = door(rule).ask(metadata={"subject": EMAIL}).json()["id"]
    work(api)
    found, _ = found_by(Target(subject=digest_of(EMAIL)), before="qry_~", limit=9)
    assert set(found) == {accepted, answered}
    for placeholder in ("[EMAIL_1]", "[email]"):
        assert found_by(Target(subject=digest_of(placeholder)), before="qry_~", limit=9) == ((), None)


@pytest.mark.parametrize(
    "member",
    [
        {"phone": "0171 2345678"},
        {"ssn": "536904399"},
        {"ssn": 536904399},
        {"dateOfBirth": "1980-04-12"},
        {"phones": ["0171 2345678"]},
        {"ssn": {"value": "536904399"}},
        {"card": 4111111111111111.0},
        {"cards": [4.111111111111111e15]},
    ],
)
def test_what_a_member_is_called_tells_what_it_holds(api: Api, door: Opened, member: dict[str, Any]) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "pay", "arguments": json.dumps(member)}}
    messages = [
        {"role": "user", "content": "Pay"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
    ]
    (value,) = re.findall(r"[\d][\d\- .e]{6,}", json.dumps(member))
    assert door("mask").post(QUERY, {"messages": messages, "metadata": member}).status_code == 200
    assert value not in sent(api) + kept(api.gateway)
    assert door("block").post(QUERY, {"messages": messages}).status_code == 403
    assert door("log").ask("Hello", metadata=member).status_code == 200
    assert value not in kept(api.gateway)


def test_a_value_that_was_told_once_is_known_wherever_it_stands(api: Api, door: Opened) -> None:
    owner = door("mask")
    messages = [
        {"role": "user", "content": "Is 536904399 mine?"},
        {"role": "assistant", "content": "Tell me more."},
        {"role": "user", "content": "My SSN is 536904399. Not n536904399, nor 1536904399."},
    ]
    says(api, "Yes, [US_SSN_1] is yours.")
    answered = owner.post(QUERY, {"messages": messages, "metadata": {"n": 536904399, "text": "536904399"}})
    assert answered.json()["output"]["text"] == "Yes, 536904399 is yours."
    (asked,) = api.gateway.outside.models.asked
    assert [message.text for message in asked.request.messages] == [
        "Is [US_SSN_1] mine?",
        "Tell me more.",
        "My SSN is [US_SSN_1]. Not n536904399, nor 1536904399.",
    ]
    stored = api.gateway.outside.query_store.get(answered.json()["id"])
    assert stored is not None
    assert stored.request.metadata == {"n": "[US_SSN_1]", "text": "[US_SSN_1]"}


def test_a_bound_of_a_schema_is_no_value_of_what_it_describes(api: Api, door: Opened) -> None:
    parameters = {"type": "object", "properties": {"phone": {"type": "integer", "maximum": 2025550123}}}
    tool = {"type": "function", "function": {"name": "dial", "parameters": parameters}}
    assert door("mask").ask("Hello", tools=[tool]).status_code == 200
    assert api.gateway.outside.models.asked[-1].request.tools[0].parameters == parameters


def test_a_credential_is_redacted_that_its_members_name_announces(api: Api, door: Opened) -> None:
    door("log").ask("Hello", metadata={"password": "hunter2hunter2", "note": {"api_key": "correct-horse"}})
    assert not [word for word in ("hunter2", "correct-horse") if word in kept(api.gateway)]


def test_where_no_placeholder_can_stand_nothing_passes(api: Api, door: Opened) -> None:
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": f"https://example.com/?m={EMAIL}"}},
    ]
    refused = door("mask").ask(content)
    assert (refused.status_code, refused.json()["code"]) == (403, "pii_blocked")
    assert refused.json()["errors"][0]["field"] == "messages[0].content[1].image_url"
    assert EMAIL not in refused.text
    assert api.gateway.outside.models.asked == []


@pytest.mark.parametrize("rules", [["mask"], ["block"], ["block", "mask"]])
def test_what_is_no_text_is_sent_and_told_of(api: Api, door: Opened, rules: list[str]) -> None:
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
    ]
    answered = door(*rules).ask(content)
    assert answered.json()["warnings"] == [
        "messages[0].content[1].image_url was sent as it is: in what is no text no personal data is found."
    ]


# block


@pytest.mark.parametrize("path", [QUERY, f"{QUERY}/stream", f"{QUERY}/plan"])
@pytest.mark.holds("LLM02", "API6")
def test_nothing_passes_a_block(api: Api, door: Opened, path: str) -> None:
    refused = door("block").ask(path=path, metadata={"note": SSN})
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (403, "pii_blocked")
    assert [(each["field"], each["message"]) for each in problem["errors"]] == [
        ("messages[0].content", "holds personal data (email, payment_card)"),
        ("metadata.note", "holds personal data (us_ssn)"),
    ]
    assert not [value for value in PLANTED if value in refused.text]
    assert api.gateway.outside.models.asked == []
    assert api.gateway.outside.query_store._stored == {}
    ((_, counts),) = api.gateway.outside.journal.personal
    assert counts == {"email": 1, "payment_card": 1, "us_ssn": 1}


def test_a_member_that_is_called_like_a_person_is_not_named(api: Api, door: Opened) -> None:
    refused = door("block").ask("hello", metadata={EMAIL: "x"})
    assert (refused.status_code, EMAIL in refused.text) == (403, False)
    long = door("block").ask("hello", metadata={f"one of our customers: {EMAIL}": EMAIL})
    assert (long.status_code, "anna" in long.text) == (403, False), "nor its beginning"


def test_a_block_lets_everything_else_pass(api: Api, door: Opened) -> None:
    assert door("block").ask("How tall is Mont Blanc?").status_code == 200


def test_a_block_holds_for_queries_that_are_answered_later(api: Api, door: Opened) -> None:
    assert door("block").ask(mode="async").status_code == 403
    assert api.gateway.outside.queue.sent == []


# log


def test_a_provider_and_the_caller_read_the_words_and_nobody_later(api: Api, door: Opened) -> None:
    owner = door("log", log_bodies=1)
    says(api, f"Dear {EMAIL}")
    answered = owner.ask(metadata={"customer": EMAIL}, cache="force").json()
    assert answered["output"]["text"] == f"Dear {EMAIL}"
    assert ASKED in sent(api)
    assert owner.get(f"{QUERY}/{answered['id']}/result").json()["output"]["text"] == "Dear [email]"
    assert not [value for value in PLANTED if value in kept(api.gateway)]
    again = owner.ask(cache="force").json()
    assert (again["cache"]["hit"], again["output"]["text"]) == (True, "Dear [email]")


def test_what_was_told_once_is_redacted_wherever_it_stands(api: Api, door: Opened) -> None:
    says(api, "No, 536904399 is another's.")
    owner = door("log")
    answered = owner.ask("My SSN is 536904399", metadata={"note": "536904399"}).json()
    assert answered["output"]["text"] == "No, 536904399 is another's."
    assert owner.get(f"{QUERY}/{answered['id']}/result").json()["output"]["text"] == "No, [us_ssn] is another's."
    assert "536904399" not in kept(api.gateway)


def test_what_a_provider_says_of_it_is_redacted_too(api: Api, door: Opened) -> None:
    fault = ProviderRejected("The provider refused it.")
    fault.detail = f"It quotes {EMAIL}."
    says(api, fault)
    owner = door("log")
    failed = owner.ask()
    assert failed.status_code == 422
    assert EMAIL not in kept(api.gateway)


def test_a_worker_reads_the_words_and_redacts_them_at_the_end(api: Api, door: Opened) -> None:
    owner = door("log")
    accepted = owner.ask(mode="async").json()
    says(api, f"Dear {EMAIL}")
    work(api)
    assert ASKED in sent(api)
    assert owner.get(f"{QUERY}/{accepted['id']}/result").json()["output"]["text"] == "Dear [email]"
    assert not [value for value in PLANTED if value in kept(api.gateway)]


@pytest.mark.parametrize("ended", ["cancelled", "failed"])
def test_what_ends_without_a_worker_is_redacted_too(api: Api, door: Opened, ended: str) -> None:
    owner = door("log")
    accepted = owner.ask(mode="async", metadata={"customer": EMAIL}).json()
    if ended == "cancelled":
        assert owner.post(f"{QUERY}/{accepted['id']}/cancel", {}).json()["status"] == "cancelled"
    else:
        api.gateway.worker.bury(Delivery(query_id=accepted["id"], receipt="r", queue_arn="arn", count=1))
    work(api)
    assert not [value for value in PLANTED if value in kept(api.gateway)]
    stored = api.gateway.outside.query_store.get(accepted["id"])
    assert stored is not None
    assert (stored.status.value, stored.request.metadata) == (ended, {"customer": "[email]"})
    assert api.gateway.outside.models.asked == []


def test_what_ends_without_a_worker_keeps_no_word_where_nothing_can_be_looked_for(api: Api, door: Opened) -> None:
    owner = door("log")
    accepted = owner.ask(mode="async").json()
    owner.post(f"{QUERY}/{accepted['id']}/cancel", {})
    api.gateway.outside.detector.find = Broken().find
    work(api)
    assert not [value for value in PLANTED if value in kept(api.gateway)]


def test_what_a_provider_said_in_an_earlier_try_is_redacted_too(api: Api, door: Opened) -> None:
    for rules in (["log"], ["mask"]):
        accepted = door(*rules).ask("Hello", mode="async").json()
        fault = ProviderUnreachable("gone")
        fault.detail = fault.provider_message = f"It quotes {EMAIL}."
        says(api, fault)
        with pytest.raises(NotDone):
            work(api)
        waiting = api.gateway.outside.query_store.get(accepted["id"])
        assert waiting is not None
        assert waiting.fault is not None
        assert (waiting.fault.provider_message, EMAIL in kept(api.gateway)) == ("It quotes [email].", False)
        work(api)


def test_tokens_and_the_text_to_stop_at_are_redacted_too(api: Api, door: Opened) -> None:
    tokens = ({"token": "anna", "logprob": -0.1}, {"token": ".novak@example.com", "logprob": -0.1})
    said = ChatAnswer(
        text=f"Dear {EMAIL}",
        finish_reason=FinishReason.STOP,
        model="m",
        usage=Usage(),
        logprobs=tokens,
        stop_sequence=EMAIL,
    )
    says(api, said, replace(said, text="Dear all"))
    owner = door("log")
    answered = owner.ask(parameters={"stop": [EMAIL]}).json()
    assert answered["output"]["logprobs"] == [*tokens]
    assert "novak" not in kept(api.gateway)
    clean = owner.ask("Hello").json()["id"]
    assert owner.get(f"{QUERY}/{clean}/result").json()["output"]["logprobs"] == [*tokens], "there was nothing to redact"


def test_a_redacted_stream_is_not_resumed_in_its_middle(api: Api, door: Opened) -> None:
    owner = door("log")
    says(api, f"Dear {EMAIL}")
    streamed = owner.ask(path=f"{QUERY}/stream")
    assert EMAIL in streamed.text
    query_id = json.loads(streamed.text.partition("data: ")[2].partition("\n")[0])["id"]
    resumed = api.call("GET", f"{QUERY}/{query_id}/stream", role=None, headers=owner.headers | {"Last-Event-ID": "3"})
    assert "event: delta" not in resumed.text
    assert '"Dear [email]"' in resumed.text.replace('": "', '":"') or "Dear [email]" in resumed.text


def test_with_a_mask_too_not_even_the_owner_reads_the_values_later(api: Api, door: Opened) -> None:
    owner = door("log", "mask")
    says(api, "Dear [EMAIL_1]")
    answered = owner.ask().json()
    assert answered["output"]["text"] == f"Dear {EMAIL}"
    assert owner.get(f"{QUERY}/{answered['id']}/result").json()["output"]["text"] == "Dear [EMAIL_1]"


# local_only


def test_words_stay_in_the_account(api: Api, door: Opened) -> None:
    api.register(id="own", priority=99, location="account")
    owner = door("local_only")
    answered = owner.ask().json()
    assert [(each["provider"], each["outcome"], each["error_code"]) for each in answered["attempts"]] == [
        ("local", "skipped", "pii_blocked"),
        ("own", "ok", None),
    ]
    refused = owner.ask(provider="local")
    assert (refused.status_code, refused.json()["code"]) == (403, "pii_blocked")
    assert owner.ask(provider="own").status_code == 200
    assert {asked.config.id for asked in api.gateway.outside.models.asked} == {"own"}


def test_where_nobody_is_in_the_account_nobody_is_asked(api: Api, door: Opened) -> None:
    refused = door("local_only").ask("hello")
    assert (refused.status_code, refused.json()["code"]) == (403, "pii_blocked")
    assert api.gateway.outside.models.asked == []


# feedback


def test_a_comment_is_kept_as_the_keys_policies_have_it(api: Api, door: Opened) -> None:
    comments = api.gateway.outside.feedback.comments
    for rule, comment in (
        ("log", "Wrong for [email]"),
        ("mask", "Wrong for [email]"),
        ("local_only", f"Wrong for {EMAIL}"),
    ):
        owner = door(rule)
        api.register(id=rule.replace("_", "-"), priority=99, location="account")
        query_id = owner.ask("Hello").json()["id"]
        given = owner.post(f"{QUERY}/{query_id}/feedback", {"score": 0, "comment": f"Wrong for {EMAIL}"})
        assert (given.status_code, comments[query_id, "default"]) == (204, comment)
    owner = door("block")
    query_id = owner.ask("Hello").json()["id"]
    refused = owner.post(f"{QUERY}/{query_id}/feedback", {"score": 0, "comment": f"Wrong for {EMAIL}"})
    assert (refused.json()["code"], refused.json()["errors"][0]["field"]) == ("pii_blocked", "comment")
    assert (query_id, "default") not in comments


# prompts


def test_what_a_prompt_asks_is_done_beside_what_the_key_asks(api: Api, door: Opened) -> None:
    api.write(pii=["mask"])
    api.register(id="own", priority=99, location="account")
    owner = door("local_only")
    says(api, "Hello [EMAIL_1]")
    answered = owner.post(QUERY, {"prompt": {"id": "greeting", "variables": {"customer": EMAIL}}})
    assert answered.json()["output"]["text"] == f"Hello {EMAIL}"
    (asked,) = api.gateway.outside.models.asked
    assert (asked.config.id, asked.request.messages[0].text) == ("own", "Greet [EMAIL_1].")


def test_a_role_asks_too(api: Api, door: Opened) -> None:
    api.call(
        "POST",
        "/api/v1/llm/prompts",
        {
            "id": "clerk",
            "kind": "role",
            "name": "Clerk",
            "pii": ["block"],
            "template": {"system": {"text": "Be a clerk."}},
        },
    )
    refused = door().post(QUERY, {"messages": [{"role": "user", "content": ASKED}], "system": {"roles": ["clerk"]}})
    assert (refused.status_code, refused.json()["code"]) == (403, "pii_blocked")


# other doors


def test_a_vendors_dialect_is_masked(api: Api, door: Opened) -> None:
    owner = door("mask")
    messages = [{"role": "user", "content": ASKED}]
    says(api, *["To [EMAIL_1]"] * 4)
    completion = owner.post("/v1/chat/completions", {"model": "local/small", "messages": messages})
    assert completion.json()["choices"][0]["message"]["content"] == f"To {EMAIL}"
    chunks = owner.post("/v1/chat/completions", {"model": "local/small", "messages": messages, "stream": True})
    assert EMAIL in chunks.text
    message = owner.post("/v1/messages", {"model": "local/small", "max_tokens": 50, "messages": messages})
    assert message.json()["content"][0]["text"] == f"To {EMAIL}"
    events = owner.post(
        "/v1/messages", {"model": "local/small", "max_tokens": 50, "messages": messages, "stream": True}
    )
    assert EMAIL in events.text
    assert len(api.gateway.outside.models.asked) == 4
    assert EMAIL not in sent(api) + kept(api.gateway)


def test_a_vendors_dialect_is_blocked_in_its_own_words(api: Api, door: Opened) -> None:
    owner = door("block")
    messages = [{"role": "user", "content": ASKED}]
    for path, more in (
        ("/v1/chat/completions", {}),
        ("/v1/messages", {"max_tokens": 5}),
        ("/v1/messages/count_tokens", {}),
    ):
        refused = owner.post(path, {"model": "local/small", "messages": messages} | more)
        assert refused.status_code == 403, (path, refused.text)
        assert EMAIL not in refused.text


@pytest.mark.holds("LLM08")
def test_texts_to_embed_are_covered(api: Api, door: Opened) -> None:
    api.register(id="vectors", models=[{"name": "text-embedding-3-small"}], default_model="text-embedding-3-small")
    body = {"model": "vectors/text-embedding-3-small", "input": [f"to {EMAIL}", "nothing"]}
    masked = door("mask").post("/v1/embeddings", body)
    again = door("mask").post("/v1/embeddings", body | {"input": ["536904399", "My SSN: 536904399"]})
    assert again.json()["data"][0]["embedding"][0] == float(len("[US_SSN_1]")), (
        "it is told what it is by the other text"
    )
    assert masked.status_code == 200, masked.text
    # A vector tells the length of its text.
    assert masked.json()["data"][0]["embedding"][0] == float(len("to [EMAIL_1]"))
    refused = door("block").post("/v1/embeddings", body)
    assert (refused.status_code, EMAIL in refused.text) == (403, False)
    long = door("block").ask("hello", metadata={f"one of our customers: {EMAIL}": EMAIL})
    assert (long.status_code, "anna" in long.text) == (403, False), "nor its beginning"
    assert door("local_only").post("/v1/embeddings", body).status_code == 403
    users = api.gateway.outside.models.users
    users.clear()
    on_behalf = {"model": "vectors/text-embedding-3-small", "input": ["hello"], "user": f"user {EMAIL}"}
    assert [door(rule).post("/v1/embeddings", on_behalf).status_code for rule in ("mask", "block")] == [200, 403]
    assert users == ["user [EMAIL_1]"]
    told = door("block").post("/v1/embeddings", on_behalf).json()["error"]
    assert (told["param"], EMAIL in told["message"]) == ("user", False)
    assert door("log").post("/v1/embeddings", body).status_code == 200
    assert EMAIL not in kept(api.gateway)


def test_a_plan_tells_what_would_be_sent(api: Api, door: Opened) -> None:
    planned = door("mask").ask("hi", path=f"{QUERY}/plan", system={"text": f"for {EMAIL}"})
    assert planned.json()["system"] == "for [EMAIL_1]"


# faults


class Broken:
    def find(self, text: str) -> Iterator[Any]:
        raise RuntimeError(f"cannot read {text}")


@pytest.mark.parametrize("rule", ["mask", "block"])
@pytest.mark.holds("LLM02")
def test_a_detector_that_cannot_run_lets_nothing_through(api: Api, door: Opened, rule: str) -> None:
    owner = door(rule)
    api.gateway.outside.detector = Broken()
    refused = owner.ask()
    assert (refused.status_code, refused.json()["code"]) == (503, "dependency_unavailable")
    assert not [value for value in PLANTED if value in refused.text + kept(api.gateway)]
    assert api.gateway.outside.models.asked == []


def test_an_answer_that_cannot_be_redacted_is_given_and_not_stored(api: Api, door: Opened) -> None:
    owner = door("log", log_bodies=1)

    def break_down() -> str:
        api.gateway.outside.detector.find = Broken().find
        return f"Dear {EMAIL}"

    says(api, break_down)
    answered = owner.ask(parameters={"stop": [EMAIL]}).json()
    assert answered["output"]["text"] == f"Dear {EMAIL}"
    assert "could not be stored" in answered["warnings"][-1]
    assert not [value for value in PLANTED if value in kept(api.gateway)]
    assert owner.get(f"{QUERY}/{answered['id']}/status").json()["status"] == "failed"


def test_values_that_cannot_be_sealed_let_nothing_through(api: Api, door: Opened) -> None:
    owner = door("mask")
    api.gateway.outside.seal._keys.is_down = True
    assert owner.ask().status_code == 503
    assert api.gateway.outside.models.asked == []


def test_without_policies_nothing_is_looked_for(api: Api, door: Opened) -> None:
    api.gateway.outside.detector = Broken()
    owner = door()
    answered = owner.ask().json()
    assert owner.get(f"{QUERY}/{answered['id']}/result").status_code == 200
    assert ASKED in sent(api)


CHAT, RESPONSES, MESSAGES, EMBEDDINGS = "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"
OF_THE_GATEWAY = {"gateway": {"metadata": {"a": EMAIL}}}


@pytest.mark.parametrize(
    ("path", "said", "field"),
    [
        (CHAT, {"user": EMAIL}, "user"),
        (CHAT, {"safety_identifier": EMAIL}, "safety_identifier"),
        (CHAT, {"metadata": {"a": EMAIL}}, "metadata.a"),
        (CHAT, OF_THE_GATEWAY, "gateway.metadata.a"),
        (RESPONSES, {"user": EMAIL}, "user"),
        (RESPONSES, OF_THE_GATEWAY, "gateway.metadata.a"),
        (MESSAGES, {"metadata": {"user_id": EMAIL}}, "metadata.user_id"),
        (MESSAGES, OF_THE_GATEWAY, "gateway.metadata.a"),
        (EMBEDDINGS, {"input": ["hello", f"to {EMAIL}"]}, "input[1]"),
        (EMBEDDINGS, {"user": EMAIL}, "user"),
        (EMBEDDINGS, OF_THE_GATEWAY, "gateway.metadata.a"),
    ],
)
def test_what_is_refused_is_named_once_and_as_its_client_sent_it(
    api: Api, door: Opened, path: str, said: dict[str, Any], field: str
) -> None:
    asks = {"messages": [{"role": "user", "content": "hello"}]}
    body = {
        CHAT: asks,
        RESPONSES: {"input": "hello"},
        MESSAGES: {**asks, "max_tokens": 9},
        EMBEDDINGS: {"input": "hello"},
    }
    refused = door("block").post(path, {"model": "small", **body[path], **said})
    told = refused.json()["error"]["message"]
    assert (refused.status_code, told.rpartition(": ")[2]) == (403, f"{field} (email).")


@pytest.mark.parametrize("rule", [None, "log", "mask"])
def test_an_erasure_finds_embeddings_by_their_subject(api: Api, door: Opened, rule: str | None) -> None:
    api.register(id="vectors", models=[{"name": "text-embedding-3-small"}], default_model="text-embedding-3-small")
    body = {"model": "vectors/text-embedding-3-small", "input": f"to {EMAIL}"}
    owner = door(*([rule] if rule else []))
    made = owner.post(EMBEDDINGS, {**body, "gateway": {"metadata": {"subject": EMAIL, "case": 7}}})
    other = owner.post(EMBEDDINGS, body)
    assert (made.status_code, other.status_code) == (200, 200)
    query_id = made.json()["gateway"]["query_id"]
    found, _ = api.gateway.outside.query_index.of_target(Target(subject=digest_of(EMAIL)), before="qry_~", limit=9)
    assert found == (query_id,)
    kept_query = api.gateway.outside.query_store.get(query_id)
    assert kept_query is not None
    assert kept_query.request.metadata["case"] == 7
    assert (EMAIL in kept(api.gateway)) == (rule is None)
    if rule == "mask":
        assert api.gateway.policies.revealed(kept_query).request.metadata["subject"] == EMAIL
