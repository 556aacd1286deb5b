"""How much a provider may send: counted after it was unpacked, of whole answers, streams and errors alike."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.faults import ProviderFailed, ProviderResponseInvalid
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.providers.bounds import MOST_BYTES, AnswerOutOfBounds, unpacked

from tests.adapters.upstream import Raw, Refusal
from tests.adapters.upstream_converse import CONVERSE
from tests.adapters.upstream_wires import CHAT_COMPLETIONS, MESSAGES, RESPONSES, Said
from tests.providers.conftest import Subject, asking

TIMEOUTS = Timeouts(connect_s=5, first_token_s=20, total_s=30)
PACKED = {"content-encoding": "gzip"}


def whole(subject: Subject, said: Said) -> bytes:
    wire = {ProviderKind.ANTHROPIC: MESSAGES, ProviderKind.BEDROCK: CONVERSE}.get(subject.kind, CHAT_COMPLETIONS)
    wire = RESPONSES if subject.by_responses else wire
    return json.dumps(wire.whole(said, None)).encode()


def both_fail(subject: Subject, behavior: Raw | Refusal, kind: type = ProviderResponseInvalid) -> None:
    subject.upstream.script(behavior, behavior)
    with pytest.raises(kind):
        subject.provider.complete(asking(), timeouts=TIMEOUTS)
    with pytest.raises(kind):
        list(subject.provider.stream(asking(), timeouts=TIMEOUTS))


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_an_answer_may_come_packed_though_nobody_asked_for_that(subject: Subject, encoding: str, pack) -> None:
    subject.upstream.script(Raw(body=pack(whole(subject, Said())), headers={"content-encoding": encoding}))

    assert subject.provider.complete(asking(), timeouts=TIMEOUTS).text == "Hello there."
    assert subject.headers["accept-encoding"] == "identity"


def test_a_small_answer_that_unpacks_to_a_large_one_is_refused(subject: Subject) -> None:
    bomb = gzip.compress(whole(subject, Said(pieces=("x" * MOST_BYTES,))), compresslevel=1)

    assert len(bomb) < 400_000
    both_fail(subject, Raw(body=bomb, headers=PACKED))


def test_so_is_a_stream(subject: Subject) -> None:
    event = b"data: " + b" " * 1_000_000 + b"\n\n: " + b"x" * 1_000_000 + b"\n\n"

    both_fail(subject, Raw(body=gzip.compress(event * 17, compresslevel=1), headers=PACKED))


def test_an_error_with_such_a_body_is_no_error_of_the_gateway(subject: Subject) -> None:
    bomb = gzip.compress(b"x" * (MOST_BYTES + 1), compresslevel=1)

    both_fail(subject, Refusal(status=500, body=bomb, headers=PACKED))


@pytest.mark.parametrize(
    ("encoding", "body"), [("br", b"hi"), ("gzip", b"no gzip"), ("gzip", gzip.compress(b"x" * 99)[:-30])]
)
def test_what_cannot_be_unpacked_is_no_answer(subject: Subject, encoding: str, body: bytes) -> None:
    both_fail(subject, Raw(body=body, headers={"content-encoding": encoding}))


def test_values_are_bounded_too(compatible: Subject) -> None:
    both_fail(compatible, Raw(body=b'{"choices": [' + b"{}," * 4_000_001 + b"{}]}"))


def test_a_line_of_megabytes_is_read_like_a_whole_answer_of_that_size(compatible: Subject) -> None:
    chunk = {"choices": [{"delta": {"content": "x" * 3_000_000}, "finish_reason": "stop"}]}
    compatible.upstream.script(Raw(body=b"data: " + json.dumps(chunk).encode() + b"\n\n"))

    *_, answer = compatible.provider.stream(asking(), timeouts=TIMEOUTS)

    assert len(answer.text) == 3_000_000


def test_an_error_of_ordinary_size_may_come_packed(openai: Subject) -> None:
    body = gzip.compress(b'{"error": {"message": "sorry"}}')
    openai.upstream.script(Refusal(status=500, body=body, headers=PACKED))

    with pytest.raises(ProviderFailed) as caught:
        openai.provider.complete(asking(), timeouts=TIMEOUTS)
    assert caught.value.provider_message == "sorry"


@given(st.binary(max_size=2_000), st.integers(1, 50))
def test_a_body_is_unpacked_however_it_is_cut(data: bytes, size: int) -> None:
    packed = gzip.compress(data) + gzip.compress(data)
    chunks = [packed[start : start + size] for start in range(0, len(packed), size)]

    assert b"".join(unpacked(chunks, "GZIP")) == data + data
    assert b"".join(unpacked([data], "")) == data


def test_pieces_are_small_whatever_a_chunk_holds() -> None:
    pieces = unpacked([gzip.compress(b"\0" * (MOST_BYTES + 1), compresslevel=1)], "gzip")
    sizes: list[int] = []

    with pytest.raises(AnswerOutOfBounds):
        sizes.extend(map(len, pieces))
    assert max(sizes) <= 65_536
    assert MOST_BYTES - 65_536 <= sum(sizes) <= MOST_BYTES
