"""What is profiled, and what keeps it busy meanwhile."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import data, processor
from bench.built import build
from bench.callers import Question, ask, question
from bench.servers import Server, Servers
from local_aws import gateway
from local_aws.api import BASE_PATH, Api
from local_aws.processes import Processes
from local_aws.runtime_api import rest_api_event, running

_DELAY_MS: Final = 20
_CALLERS: Final = 20
# What a worker does in about a second.
_QUEUED: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A process, and how it is kept busy: a call takes a second or so."""

    name: str
    pid: int
    busy: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Local:
    """A gateway that runs."""

    server: Server
    api: Api
    processes: Processes
    env: Mapping[str, str]
    variables: Mapping[str, str]


@contextmanager
def _local(scratch: Path) -> Iterator[_Local]:
    everywhere = set[int]().union(*processor.cores())
    with Processes(logs=scratch / "logs-profile") as processes:
        start = Servers(processes=processes, scratch=scratch, others=everywhere)
        aws, variables = data.deployed(processes, scratch=scratch)
        env = gateway.environment(aws, variables)
        server, api = start.gateway(start.direct(delay_ms=_DELAY_MS), env, on=everywhere, processes=1)
        yield _Local(
            server=server,
            api=api,
            processes=processes,
            env=env,
            variables={**variables, "AWS_ENDPOINT_URL": aws.url},
        )


@contextmanager
def server(scratch: Path) -> Iterator[Subject]:
    """The local server, one process, asked by several callers at once."""
    with _local(scratch) as local:
        yield _asked("server", local, local.server.whole)


@contextmanager
def streams(scratch: Path) -> Iterator[Subject]:
    """The local server, one process, asked for streams by several callers at once."""
    with _local(scratch) as local:
        yield _asked("streams", local, local.server.stream)


def _asked(name: str, local: _Local, asked: Question) -> Subject:
    def busy() -> None:
        ask(asked, callers=_CALLERS, seconds=1)

    ask(asked, callers=_CALLERS, queries=200)
    return Subject(name=name, pid=local.server.pid or 0, busy=busy)


@contextmanager
def worker(scratch: Path) -> Iterator[Subject]:
    """The local worker, which works on what callers ask to be answered later."""
    with _local(scratch) as local:
        process = gateway.work(local.processes, env=local.env)
        url = f"{local.api.base_url}{BASE_PATH}/query"
        later = question(url, end=b"", key=local.api.key, mode="async")

        def busy() -> None:
            ask(later, callers=_CALLERS, queries=_QUEUED)
            time.sleep(0.5)

        # What it imports with its first queries is no part of the later ones.
        for _ in range(3):
            busy()
        yield Subject(name="worker", pid=process.pid, busy=busy)


@contextmanager
def function(scratch: Path) -> Iterator[Subject]:
    """`run_query` under Lambda's runtime client with the built layers, asked one query after the other."""
    with _local(scratch) as local:
        built = build()
        event = rest_api_event(
            "POST",
            f"{BASE_PATH}/query",
            headers={"X-Api-Key": local.api.key, "Content-Type": "application/json"},
            body=json.dumps({"messages": [{"role": "user", "content": "Hello"}]}),
        )
        path, environment = built.path("run_query", scratch), {**built.environment, **local.variables}
        with running("run_query.handler", path=path, scratch=scratch, environment=environment) as started:

            def busy() -> None:
                until_s = time.monotonic() + 1
                while time.monotonic() < until_s:
                    answer = started.invoke(event)
                    if answer["statusCode"] != 200:
                        raise RuntimeError(f"run_query answered {answer['statusCode']}: {answer['body']}")

            busy()
            yield Subject(name="function", pid=started.pid, busy=busy)


SUBJECTS: Final = {"function": function, "server": server, "streams": streams, "worker": worker}
