"""A query that is redacted at its end: its words are sealed until then, whatever the deployment seals, and gone after."""

from dataclasses import replace

import pytest
from llm_gateway.domain.chat import Message, MessageRole, TextPart
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.privacy import Privacy
from llm_gateway.domain.queries import Query, QueryStatus
from llm_gateway.settings import Settings
from llm_gateway.stores.bodies import S3BodyStore
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.queries import DynamoQueryStore

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.test_sealed_bodies import LARGE, MARK, SMALL, Sealed, asked
from tests.stores.values import query, question, succeeded

LOGGED = Privacy(rules=(PiiRule.LOG,))


@pytest.fixture
def sealed(aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds) -> Sealed:
    return Sealed(aws, settings, clock, ids)


def unfinished(times: int) -> Query:
    plain = asked(times)
    return replace(plain, request=replace(plain.request, privacy=LOGGED))


def redacted(stored: Query) -> Query:
    words = (Message(role=MessageRole.USER, content=(TextPart(text="[email]"),)),)
    return replace(succeeded(stored), request=replace(stored.request, messages=words))


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("times", [SMALL, LARGE])
def test_its_words_are_sealed_and_then_replaced(sealed: Sealed, times: int, is_on: bool) -> None:
    store, waiting = sealed.queries(is_on=is_on), unfinished(times)
    store.add(waiting)
    assert MARK not in sealed.everything()
    assert store.get(waiting.id) == waiting
    assert store.finish(redacted(waiting))
    found = store.get(waiting.id)
    assert found is not None
    assert found.request.messages[0].text == "[email]"
    keys = [
        each["Key"] for each in sealed.aws.s3.list_objects_v2(Bucket=sealed.settings.bodies_bucket).get("Contents", [])
    ]
    assert not [key for key in keys if "/request/" in key], "the words that were sealed are deleted"


@pytest.mark.parametrize("times", [SMALL, LARGE])
def test_one_that_was_cancelled_is_redacted_afterwards(sealed: Sealed, times: int) -> None:
    store, waiting = sealed.queries(is_on=False), unfinished(times)
    store.add(waiting)
    store.redact(redacted(waiting))
    assert store.get(waiting.id) == waiting, "only once it has ended"
    store.cancel(waiting.id)
    cancelled = store.get(waiting.id)
    assert cancelled is not None
    store.redact(replace(cancelled, request=redacted(waiting).request))
    found = store.get(waiting.id)
    assert found is not None
    assert (found.status, found.request.messages[0].text) == (QueryStatus.CANCELLED, "[email]")
    keys = sealed.aws.s3.list_objects_v2(Bucket=sealed.settings.bodies_bucket).get("Contents", [])
    assert keys == [], "the words that were sealed are deleted"
    store.erase(waiting.id)
    store.redact(redacted(waiting))
    assert store.get(waiting.id) is None


def test_an_end_that_comes_too_late_replaces_nothing(sealed: Sealed) -> None:
    store, waiting = sealed.queries(is_on=False), unfinished(SMALL)
    store.add(waiting)
    assert store.finish(replace(redacted(waiting), status=QueryStatus.SUCCEEDED))
    other = replace(redacted(waiting), request=replace(waiting.request, messages=()))
    assert not store.finish(other)
    found = store.get(waiting.id)
    assert found is not None
    assert found.request.messages[0].text == "[email]"


def test_one_that_is_stored_at_its_end_is_sealed_as_others_are(sealed: Sealed) -> None:
    ended = redacted(unfinished(SMALL))
    sealed.queries(is_on=False).add(ended)
    assert "[email]" in sealed.everything()


def test_without_anything_to_seal_with_nothing_is_stored(
    aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds
) -> None:
    bodies = S3BodyStore(aws=aws, bucket=settings.bodies_bucket)
    store = DynamoQueryStore(aws=aws, table=settings.queries_table, bodies=bodies, clock=clock, ids=ids)
    with pytest.raises(ValueError, match="nothing to seal"):
        store.add(query(request=question(privacy=LOGGED)))
