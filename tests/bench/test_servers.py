"""Callers in a closed loop ask the provider's stand-in, and the floor in front of it, over real HTTP."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import processor
from bench.callers import Question, ask, question
from bench.servers import Server, Servers
from local_aws.processes import Processes

pytestmark = pytest.mark.skipif(not processor.is_accounted(), reason="this system has no /proc")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("servers")
    with Processes(logs=folder / "logs") as processes:
        yield Servers(processes=processes, scratch=folder, others=processor.cores()[1])


@pytest.fixture(scope="module")
def direct(servers: Servers) -> Server:
    return servers.direct(delay_ms=1)


@pytest.fixture(scope="module")
def floor(servers: Servers, direct: Server) -> Server:
    return servers.floor(direct, on=processor.cores()[0])


def test_what_asks_directly_is_answered_whole_and_in_a_stream(direct: Server) -> None:
    for asked in (direct.whole, direct.stream):
        answers = ask(asked, callers=3, queries=7)
        assert (len(answers.took_ms), answers.refused) == (7, [])


def test_the_floor_forwards_both(floor: Server) -> None:
    for asked in (floor.whole, floor.stream):
        answers = ask(asked, callers=3, queries=7)
        assert (len(answers.took_ms), answers.refused) == (7, [])


def test_the_floor_is_kept_to_one_processor_and_its_use_is_told(floor: Server) -> None:
    assert floor.pid is not None
    assert os.sched_getaffinity(floor.pid) == processor.cores()[0]
    used = processor.use(floor.pid)
    assert used.processes == 1
    assert used.memory_mb > 20
    assert used.threads >= 1
    assert used.sockets >= 1
    assert used.files >= 1
    assert processor.time_s(floor.pid) > 0


def test_callers_go_on_for_as_long_as_they_are_told(direct: Server) -> None:
    answers = ask(direct.whole, callers=2, seconds=0.2, start_over_s=0.1)
    assert answers.duration_s >= 0.2
    assert answers.took_ms
    assert answers.per_second > 0


def test_an_answer_without_its_end_is_none(direct: Server) -> None:
    asked = Question(host=direct.whole.host, port=direct.whole.port, request=direct.whole.request, end=b"never said")
    answers = ask(asked, callers=1, queries=1)
    assert not answers.took_ms
    assert answers.refused[0].startswith("200 ")


def test_a_server_that_is_not_there_is_told(servers: Servers) -> None:
    answers = ask(question("http://127.0.0.1:9/query", end=b""), callers=1, queries=1)
    assert answers.refused == ["ConnectionRefusedError"]


def test_a_thread_is_back_on_its_processors_afterwards() -> None:
    before, (one, _) = os.sched_getaffinity(0), processor.cores()
    with processor.kept_to(one):
        assert os.sched_getaffinity(0) == one
    assert os.sched_getaffinity(0) == before


def test_what_has_ended_takes_nothing(servers: Servers, tmp_path: Path) -> None:
    process = servers.processes.start("short", ["true"], env={"PATH": os.environ["PATH"]})
    process.popen.wait()
    assert processor.use(process.pid).memory_mb == 0
