"""Answers and questions that no item holds: whole in every way of asking, kept in S3, and gone when they are erased."""

import json
import random
import string
from typing import Any

import pytest

from tests.adapters.gateway_processes import WorkerProcess
from tests.adapters.upstream import Answer
from tests.adapters.upstream_wires import Said
from tests.end_to_end.calling import Client, question, text_of
from tests.end_to_end.stack import Scripted, Stack

SIZES = {"600 KB": 600_000, "4 MB": 4_000_000}
KEY = {"Idempotency-Key": "large"}


def text_of_size(size: int) -> str:
    """Text that does not compress well."""
    characters = string.ascii_letters + string.digits + " é"
    return "".join(random.Random(size).choices(characters, k=size))  # noqa: S311 - nobody's secret


def answer_of(size: int) -> Answer:
    text = text_of_size(size)
    return Answer(said=Said(pieces=tuple(text[start : start + 20_000] for start in range(0, size, 20_000))))


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_large_answer_is_whole_however_it_is_asked_for(
    size: int, client: Client, provider: Scripted, worker: WorkerProcess, stack: Stack
) -> None:
    provider.upstream.otherwise = answer_of(size)
    text = text_of_size(size)
    before = set(stack.bodies())

    answer = client.ask(question(provider=provider.id))
    assert answer["output"]["text"] == text
    assert client.result(answer["id"])["output"]["text"] == text

    events = client.stream(question(provider=provider.id))
    assert text_of(events) == text
    assert events[-1].data["output"]["text"] == text
    assert client.result(events[0].data["id"])["output"]["text"] == text
    assert text_of(client.resumed(events[0].data["id"], events[1].id)) == text[20_000:]

    query_id = client.accept(question(provider=provider.id))
    assert client.ended(query_id)["status"] == "succeeded"
    assert client.result(query_id)["output"]["text"] == text

    kept = set(stack.bodies()) - before
    for each in (answer["id"], events[0].data["id"], query_id):
        assert len([key for key in kept if key.startswith(f"queries/{each}/answer/")]) == 1


def test_a_large_question_waits_in_s3(client: Client, provider: Scripted, worker: WorkerProcess, stack: Stack) -> None:
    text = text_of_size(3_000_000)
    asked = question(text, provider=provider.id)
    assert 2_900_000 < len(json.dumps(asked)) < 4 * 1024 * 1024
    query_id = client.accept(asked)
    assert client.ended(query_id)["status"] == "succeeded"
    assert provider.asked() == [text]
    assert any(key.startswith(f"queries/{query_id}/request/") for key in stack.bodies())


def test_erasing_leaves_nothing_anywhere_but_a_mark_and_figures(
    client: Client, provider: Scripted, stack: Stack
) -> None:
    provider.upstream.otherwise = answer_of(600_000)
    before = stack.stored()
    asked: dict[str, Any] = question(text_of_size(700_000), provider=provider.id, cache="force")
    answer = client.ask(asked, **KEY)
    kept = set(stack.bodies()) - set(before["bodies"])
    assert len([key for key in kept if key.startswith(f"queries/{answer['id']}/")]) == 2
    assert len([key for key in kept if key.startswith("cache/")]) == 1

    assert client.send("DELETE", f"/query/{answer['id']}").status_code == 204

    after, cache = stack.stored(), stack.settings.cache_table
    assert after["bodies"] == before["bodies"]
    # Of the query only its figures are left, and not a word.
    queries = stack.settings.queries_table
    (figures,) = [item for item in after[queries] if item not in before[queries]]
    assert [item for item in after[queries] if item != figures] == before[queries]
    assert set(figures) == {"query_id", "counted", "ended_in", "expires_at"}
    # Where the answer was, something says for a while that it is not to come back.
    (mark,) = [item for item in after[cache] if item not in before[cache]]
    assert [item for item in after[cache] if item != mark] == before[cache]
    assert set(mark) == {"cache_key", "holder", "taken_until", "expires_at", "erased"}
    assert mark["erased"] == mark["holder"] == {"S": answer["id"]}
    for path in ("status", "result", "stream"):
        assert client.send("GET", f"/query/{answer['id']}/{path}").status_code == 404
    assert client.send("DELETE", f"/query/{answer['id']}").status_code == 404


def test_erasing_what_runs_cancels_it(client: Client, provider: Scripted, stack: Stack) -> None:
    provider.upstream.otherwise = Answer(said=Said(pieces=("word ",) * 50), between_s=0.1)
    with client.streaming(question(provider=provider.id, cache="force")) as reader:
        events = iter(reader)
        query_id = next(events).data["id"]
        assert client.send("DELETE", f"/query/{query_id}").status_code == 204
        rest = list(events)
    assert rest[-1].name == "error"
    assert provider.upstream.requests[0].left.wait(15)
    stored = stack.stored()
    (figures,) = [item for item in stored.pop(stack.settings.queries_table) if item["query_id"] == {"S": query_id}]
    assert set(figures) == {"query_id", "counted", "ended_in", "expires_at"}
    assert query_id not in str(stored)
