"""The contract of every adapter that embeds: texts go out, their vectors come back in order, and what is none is refused."""

import base64
import json
import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.embeddings import EmbeddingRequest, Embeddings
from llm_gateway.domain.faults import (
    CallCancelled,
    ProviderAuthFailed,
    ProviderFailed,
    ProviderFault,
    ProviderRateLimited,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.errors import GatewayError, UnsupportedParameter
from llm_gateway.providers.registry import ProviderRegistry

from tests.adapters.upstream import Answer, Behavior, HangUp, Raw, Refusal, ScriptedUpstream
from tests.adapters.upstream_embeddings import vector_of
from tests.providers.conftest import API_KEY, Subject, subject_of

TIMEOUTS = Timeouts(connect_s=2, total_s=10)
TEXTS = ("one", "two words", "Grüße 🌊")


@pytest.fixture(params=[kind for kind in ProviderKind if kind is not ProviderKind.ANTHROPIC], ids=str)
def embedding(request: pytest.FixtureRequest, upstream: ScriptedUpstream, registry: ProviderRegistry) -> Subject:
    """Each adapter of a vendor that has embeddings."""
    return subject_of(request.param, upstream, registry)


def texts_for(subject: Subject) -> tuple[str, ...]:
    return TEXTS[-1:] if subject.speaks_converse else TEXTS


def embed(subject: Subject, *behaviors: Behavior, **changes: object) -> Embeddings:
    subject.upstream.script(*behaviors)
    asked = EmbeddingRequest(model="embedder", texts=texts_for(subject))
    return subject.provider.embed(replace(asked, **changes), timeouts=TIMEOUTS)


def fault_of(subject: Subject, behavior: Behavior, **changes: object) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        embed(subject, behavior, **changes)
    return caught.value


def answering(data: object, **more: object) -> Raw:
    return Raw(body=json.dumps({"data": data, "model": "embedder", **more}).encode())


def item(embedding: object, **more: object) -> dict:
    return {"object": "embedding", "embedding": embedding, **more}


def test_each_text_has_its_vector_in_order(embedding: Subject) -> None:
    texts = texts_for(embedding)

    found = embed(embedding)

    assert found.vectors == tuple(tuple(vector_of(text)) for text in texts)
    assert found.usage == Usage(input_tokens=sum(len(text.split()) for text in texts))
    assert found.model == ("embedder" if embedding.speaks_converse else "embedder-2026")
    assert len(embedding.upstream.requests) == 1


def test_what_is_sent(embedding: Subject) -> None:
    embed(embedding, dimensions=5)

    form = "base64" if embedding.kind is ProviderKind.OPENAI else "float"
    openai = {"model": "embedder", "input": list(TEXTS), "encoding_format": form, "dimensions": 5}
    assert embedding.body == ({"inputText": TEXTS[-1], "dimensions": 5} if embedding.speaks_converse else openai)
    if not embedding.speaks_converse:
        assert embedding.headers["authorization"] == f"Bearer {API_KEY}"


def test_vectors_are_as_long_as_they_were_asked_to_be(embedding: Subject) -> None:
    assert [len(vector) for vector in embed(embedding, dimensions=7).vectors] == [7] * len(texts_for(embedding))


def test_anthropic_has_none(anthropic: Subject) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        anthropic.provider.embed(EmbeddingRequest(model="m", texts=("x",)), timeouts=TIMEOUTS)
    assert [error.field for error in caught.value.errors] == ["model"]
    assert anthropic.upstream.requests == []


PACKED = base64.b64encode(struct.pack("<2f", 1.5, -2.0)).decode()


@pytest.mark.parametrize("form", [[1.5, -2.0], [1.5, -2], PACKED])
def test_both_forms_are_read_whichever_was_asked_for(openai: Subject, compatible: Subject, form: object) -> None:
    for subject in (openai, compatible):
        assert embed(subject, answering([item(form, index=0)]), texts=("x",)).vectors == ((1.5, -2.0),)


def test_without_places_the_order_is_that_of_the_texts(compatible: Subject) -> None:
    found = embed(compatible, answering([item([1.0]), item([2.0]), item([3.0])]))
    assert found.vectors == ((1.0,), (2.0,), (3.0,))


ONE, TWO, THREE = ([number] for number in (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        [item(ONE, index=0), item(TWO, index=1)],
        [item(ONE, index=0)] * 4,
        [item(ONE, index=0), item(TWO, index=0), item(THREE, index=1)],
        [item(ONE, index=0), item(TWO, index=1), item(THREE, index=3)],
        [item(ONE, index=0), item(TWO, index=1), item(THREE)],
        [item(ONE, index="0"), item(TWO, index=1), item(THREE, index=2)],
        [item(ONE), item([1.0, 2.0]), item(THREE)],
        [item(ONE), item([]), item(THREE)],
        [item(ONE), item(None), item(THREE)],
        [item(ONE), item(["1"]), item(THREE)],
        [item(ONE), item([True]), item(THREE)],
        [item(ONE), item([[1.0]]), item(THREE)],
        [item(ONE), item([10**400]), item(THREE)],
        [item(ONE), item("no base64!"), item(THREE)],
        [item(ONE), item(base64.b64encode(b"12345").decode()), item(THREE)],
        [item(ONE), item(base64.b64encode(struct.pack("<f", float("nan"))).decode()), item(THREE)],
        [item(ONE), item(base64.b64encode(struct.pack("<f", float("inf"))).decode()), item(THREE)],
        [item(ONE), "item", item(THREE)],
        [item([0.0] * 65_537)] * 3,
    ],
)
def test_what_are_no_vectors_of_the_texts_is_refused_and_billed(compatible: Subject, data: object) -> None:
    fault = fault_of(compatible, answering(data))

    assert type(fault) is ProviderResponseInvalid
    assert fault.complete
    assert fault.usage is not None
    assert fault.usage.estimated


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"data": [{"embedding": [NaN], "index": 0}]}', b"{" * 10, b"<html>"]
)
def test_an_answer_that_cannot_be_read_is_refused(embedding: Subject, body: bytes) -> None:
    assert type(fault_of(embedding, Raw(body=body))) is ProviderResponseInvalid


@pytest.mark.parametrize("vector", [[1.0, None], "x", None, [], {"0": 1.0}])
def test_a_vector_that_is_none_is_refused_by_bedrock_too(bedrock: Subject, vector: object) -> None:
    assert type(fault_of(bedrock, Raw(body=json.dumps({"embedding": vector}).encode()))) is ProviderResponseInvalid


def test_an_error_after_a_200_is_an_error(compatible: Subject) -> None:
    raw = Raw(body=b'{"error": {"message": "sorry", "type": "server_error"}}')
    assert type(fault_of(compatible, raw)) is ProviderFailed


def test_another_length_than_was_asked_is_refused(compatible: Subject) -> None:
    assert type(fault_of(compatible, answering([item(ONE)] * 3), dimensions=2)) is ProviderResponseInvalid


@pytest.mark.parametrize(
    "usage",
    [None, 7, {}, {"prompt_tokens": 0}, {"prompt_tokens": -1}, {"prompt_tokens": "9"}, {"prompt_tokens": 10**9}],
)
def test_a_count_that_is_none_is_estimated(compatible: Subject, usage: object) -> None:
    found = embed(compatible, answering([item(ONE)] * 3, usage=usage))
    assert found.usage.estimated
    assert 0 < found.usage.input_tokens < 50


@pytest.mark.parametrize(
    ("behavior", "expected"),
    [
        (Refusal(status=401), ProviderAuthFailed),
        (Refusal(status=429, headers={"retry-after": "7"}), ProviderRateLimited),
        (Refusal(status=503), ProviderFailed),
        (HangUp(), ProviderUnreachable),
    ],
)
def test_failures_are_the_same_as_of_a_conversation(embedding: Subject, behavior: Behavior, expected: type) -> None:
    fault = fault_of(embedding, behavior)
    assert type(fault) is expected
    if isinstance(fault, ProviderRateLimited):
        assert fault.retry_after_s == 7


def test_it_takes_no_longer_than_it_may(embedding: Subject) -> None:
    embedding.upstream.script(Answer(delay_s=5))
    with pytest.raises(ProviderTimeout):
        embedding.provider.embed(
            EmbeddingRequest(model="m", texts=texts_for(embedding)), timeouts=Timeouts(connect_s=1, total_s=0.2)
        )


def test_it_ends_once_nobody_wants_it(embedding: Subject) -> None:
    embedding.upstream.script(Answer(delay_s=5))
    with pytest.raises(CallCancelled):
        embedding.provider.embed(
            EmbeddingRequest(model="m", texts=texts_for(embedding)), timeouts=TIMEOUTS, cancelled=lambda: True
        )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["index", "embedding", "object", "data", "usage", "error"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(data=st.lists(st.fixed_dictionaries({"embedding": _JSON, "index": _JSON}), max_size=4) | _JSON, usage=_JSON)
def test_any_answer_is_vectors_or_a_fault(compatible: Subject, data: object, usage: object) -> None:
    compatible.upstream.script(answering(data, usage=usage))
    try:
        found = compatible.provider.embed(EmbeddingRequest(model="m", texts=TEXTS), timeouts=TIMEOUTS)
    except ProviderFault:
        return
    assert len(found.vectors) == len(TEXTS)
    assert len({len(vector) for vector in found.vectors}) == 1
