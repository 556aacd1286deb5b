"""A call that waits for its provider ends when nobody wants its answer any more, and only that call."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from llm_gateway.domain.chat import ChatAnswer
from llm_gateway.domain.faults import CallCancelled, ProviderFault
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.broken_off import READS, BrokenOff, Reads
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.providers.transport import _ssl_context

from tests.adapters.certificates import self_signed
from tests.adapters.upstream import Answer, HangUp, Refusal, ScriptedUpstream, StreamFault
from tests.patience import FOREVER_S, PATIENCE_S
from tests.providers.conftest import Subject, asking, config

PATIENT = Timeouts(connect_s=1, first_token_s=20, total_s=20)


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedUpstream]:
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    _ssl_context.cache_clear()
    with ScriptedUpstream(tls=context) as upstream:
        yield upstream
    _ssl_context.cache_clear()


def test_a_wait_for_an_answer_ends(subject: Subject) -> None:
    subject.upstream.script(Answer(delay_s=FOREVER_S))
    with pytest.raises(CallCancelled):
        subject.provider.complete(asking(), timeouts=PATIENT, cancelled=lambda: bool(subject.upstream.requests))
    assert subject.upstream.requests[-1].left.wait(PATIENCE_S)


def test_a_wait_in_the_middle_of_a_stream_ends(subject: Subject) -> None:
    left = threading.Event()
    subject.upstream.script(Answer(fault=StreamFault(kind="stall", after=1, lasting_s=FOREVER_S)))
    items = subject.provider.stream(asking(), timeouts=PATIENT, cancelled=left.is_set)
    next(items)
    left.set()
    with pytest.raises(CallCancelled):
        list(items)
    assert subject.upstream.requests[-1].left.wait(PATIENCE_S)


def test_a_wait_behind_tls_ends(secured: ScriptedUpstream) -> None:
    secured.script(Answer(delay_s=FOREVER_S))
    registry = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True)
    provider = registry.open(config(ProviderKind.OPENAI_COMPATIBLE, secured.openai_base_url), None)
    with pytest.raises(CallCancelled):
        provider.complete(asking(), timeouts=PATIENT, cancelled=lambda: bool(secured.requests))


def test_a_call_beside_one_that_ends_goes_on(subject: Subject) -> None:
    """Its connection is used again, as if nothing had been."""
    subject.upstream.otherwise = Answer(delay_s=0.5)
    with ThreadPoolExecutor() as pool:
        wanted = pool.submit(subject.provider.complete, asking(), timeouts=PATIENT, cancelled=lambda: False)
        unwanted = pool.submit(
            subject.provider.complete, asking(), timeouts=PATIENT, cancelled=lambda: len(subject.upstream.requests) == 2
        )
        assert isinstance(unwanted.exception(), CallCancelled)
        assert wanted.result().text == "Hello there."
    before = {request.connection for request in subject.upstream.requests}
    assert subject.provider.complete(asking(), timeouts=PATIENT, cancelled=lambda: False).text == "Hello there."
    assert subject.upstream.requests[-1].connection in before


def test_a_call_beside_one_that_cannot_be_asked_is_still_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    """One watcher asks for all: the fault of one must not end it."""
    reads, tries = Reads(), list[int]()

    def raising() -> bool:
        tries.append(len(tries))
        if len(tries) > 1:
            raise RuntimeError("SECRET-WORDS")
        return False

    def waiting(cancelled: Callable[[], bool], connection: socket.socket) -> bytes:
        watched = reads.begin(connection, cancelled)
        try:
            return watched.during(lambda: connection.recv(1))
        finally:
            reads.end(watched)

    (faulty, faulty_end), (good, good_end) = socket.socketpair(), socket.socketpair()
    with faulty, faulty_end, good, good_end, ThreadPoolExecutor() as pool:
        left = pool.submit(waiting, raising, faulty)
        unwanted = pool.submit(waiting, lambda: len(tries) > 2, good)
        assert isinstance(unwanted.exception(timeout=10), BrokenOff)
        faulty_end.sendall(b"x")
        assert left.result(timeout=10) == b"x"
    assert [record.getMessage() for record in caplog.records] == [
        "Nobody can tell whether an answer is still wanted: RuntimeError"
    ]


def test_one_thread_watches_however_many_begin_at_once() -> None:
    reads, before = Reads(), watchers()
    (one, end) = socket.socketpair()
    with one, end, ThreadPoolExecutor(8) as pool:
        for watched in pool.map(lambda _: reads.begin(one, lambda: False), range(64)):
            reads.end(watched)
    assert len(watchers() - before) == 1


def test_a_connection_that_serves_another_call_is_left_alone(subject: Subject) -> None:
    """Nobody wants the first answer any more once it has come, and its connection goes on."""
    over = threading.Event()
    for answer in subject.provider.stream(asking(), timeouts=PATIENT, cancelled=over.is_set):
        last = answer
    assert isinstance(last, ChatAnswer)
    over.set()
    subject.upstream.script(Answer(delay_s=0.6))
    assert subject.provider.complete(asking(), timeouts=PATIENT, cancelled=lambda: False).text == "Hello there."
    assert len({request.connection for request in subject.upstream.requests}) == 1


def test_nothing_is_watched_once_calls_have_ended(subject: Subject) -> None:
    subject.upstream.script(
        Answer(), Answer(), Refusal(status=500), HangUp(), Answer(fault=StreamFault(kind="stall", after=1, lasting_s=5))
    )
    subject.provider.complete(asking(), timeouts=PATIENT, cancelled=lambda: False)
    list(subject.provider.stream(asking(), timeouts=PATIENT, cancelled=lambda: False))
    for _ in range(2):
        with pytest.raises(ProviderFault):
            subject.provider.complete(asking(), timeouts=PATIENT, cancelled=lambda: False)
    left = subject.provider.stream(asking(), timeouts=PATIENT, cancelled=lambda: False)
    next(left)
    assert len(READS._going_on) == 1
    left.close()
    assert not READS._going_on


def watchers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "broken-off"}


def test_a_request_that_is_not_wanted_any_more_is_not_sent(subject: Subject) -> None:
    """It would be paid for. The call was begun before."""
    asked = list[bool]()

    def cancelled() -> bool:
        asked.append(True)
        return True

    with pytest.raises(CallCancelled):
        subject.provider.complete(asking(), timeouts=PATIENT, cancelled=cancelled)
    assert asked
    assert subject.upstream.requests == []


def test_the_head_of_a_request_leaves_with_its_body() -> None:
    """A server that were sent them apart would be woken twice."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        registry = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True)
        provider = registry.open(config(ProviderKind.OPENAI_COMPATIBLE, url), None)
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(provider.complete, asking(), timeouts=PATIENT)
            connection = listening.accept()[0]
            with connection:
                first = connection.recv(1 << 16)
            asked.exception()
    head, _, body = first.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert body
