"""The gateway beside the floor: FastAPI with OpenAI's SDK, and a direct call. One processor for each; all else on the others."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench import processor
from bench.callers import Answers, ask
from bench.figures import percentile
from bench.published import ADDED, COST, PACED
from bench.servers import Server, Servers
from bench.table import Row, Wanted
from local_aws.processes import Processes

CALLERS: Final = 100
DELAY_MS: Final = 60
STREAMS: Final = 500
SLOW_MS: Final = 1_000
"""What a model takes to answer, about."""

# Processor's ms a query, queries and streams a second at 100 callers, ms added for one caller, as multiples of the same floor:
# LiteLLM's proxy beside it on 29 November 2026 (6.7 of 1.6 ms, 148 of 622, 39 of 177, 11.4 of 2.5 ms).
_LITELLM: Final = (6.7 / 1.6, 148 / 622, 39 / 177, 11.4 / 2.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long it is measured."""

    rounds: int = 5
    one_s: float = 2.0
    many_s: float = 4.0
    paced_s: float = 60.0
    memory_queries: int = 10_000
    memory_s: float = 100.0
    idle_s: float = 20.0


@dataclass(slots=True)
class Figures:
    """Of one server, a figure a round."""

    one_ms: list[float] = field(default_factory=list)
    whole_ms: list[float] = field(default_factory=list)
    whole_per_s: list[float] = field(default_factory=list)
    stream_ms: list[float] = field(default_factory=list)
    stream_per_s: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was measured, and what was not answered as it is to be."""

    rows: Sequence[Row]
    refused: Sequence[str]


Say = Callable[[str], None]


@contextmanager
def _servers(scratch: Path, *, others: set[int]) -> Iterator[Servers]:
    """What starts the servers. This thread, which plays the callers, is kept to the `others` among the processors."""
    with Processes(logs=scratch / "logs-floor") as processes, processor.kept_to(others):
        yield Servers(processes=processes, scratch=scratch, others=others)


def side_by_side(scratch: Path, times: Times, say: Say) -> Compared:
    """A query of one caller, and of a hundred in a closed loop, whole and streamed: the servers take turns."""
    one, others = processor.cores()
    with _servers(scratch, others=others) as start:
        direct = start.direct(delay_ms=DELAY_MS)
        floor = start.floor(direct, on=one)
        gateway, _ = start.gateway(direct, start.emulator(), on=one, processes=1)
        figures = {server.name: Figures() for server in (direct, floor, gateway)}
        for server in (floor, gateway):
            _warm_up(server)
        for number in range(times.rounds):
            for server in (direct, floor, gateway):
                _measure(server, figures[server.name], times)
            say(f"round {number + 1} of {times.rounds}")
        return Compared(rows=_rows(figures), refused=[reason for each in figures.values() for reason in each.refused])


def memory(scratch: Path, times: Times, say: Say) -> Compared:
    """What one process of the gateway holds after many queries, and by how much that grew over the second half of them."""
    one, others = processor.cores()
    with _servers(scratch, others=others) as start:
        direct = start.direct(delay_ms=DELAY_MS)
        gateway, _ = start.gateway(direct, start.emulator(), on=one, processes=1)
        held_mb, refused, queries = [], list[str](), 0
        for _ in range(2):
            half = ask(gateway.whole, callers=CALLERS, queries=times.memory_queries, seconds=times.memory_s)
            refused += half.refused
            queries += len(half.took_ms)
            held_mb.append(processor.use(gateway.pid or 0).memory_mb)
            say(f"{queries:,} queries")
    at_most = Wanted(sign="≤", bound=180, of_floor=False)
    rows = (
        Row(name=f"memory after {queries:,} queries, MB", gateway=held_mb[1], wanted=at_most, digits=0),
        Row(
            name="its growth over the second half of them, MB",
            gateway=held_mb[1] - held_mb[0],
            wanted=Wanted(sign="≤", bound=1, of_floor=False),
            digits=1,
        ),
    )
    return Compared(rows=rows, refused=refused)


def idle_streams(scratch: Path, times: Times, say: Say) -> Compared:
    """What one process of the gateway holds while it waits for the first word of many streams."""
    one, others = processor.cores()
    with _servers(scratch, others=others) as start, ThreadPoolExecutor(1) as beside:
        direct = start.direct(delay_ms=times.idle_s * 1000)
        gateway, _ = start.gateway(direct, start.emulator(), on=one, processes=1)
        begun_s = times.idle_s / 3
        asked = beside.submit(ask, gateway.stream, callers=STREAMS, queries=STREAMS, start_over_s=begun_s)
        # All have begun by then, and none has a word.
        time.sleep(2 * begun_s)
        held_mb = processor.use(gateway.pid or 0).memory_mb
        say(f"{STREAMS} streams wait")
        answers = asked.result()
    early = [f"a stream had its end after {ms:.0f} ms" for ms in answers.took_ms if ms < times.idle_s * 1000]
    row = Row(
        name=f"memory of {STREAMS} idle streams, MB",
        gateway=held_mb,
        wanted=Wanted(sign="≤", bound=300, of_floor=False),
        digits=0,
    )
    return Compared(rows=(row,), refused=[*answers.refused, *early])


def paced(scratch: Path, times: Times, say: Say) -> Compared:
    """A hundred callers whose provider takes a second, as models do: four processes, and all processors for all."""
    everywhere = set[int]().union(*processor.cores())
    with _servers(scratch, others=everywhere) as start:
        direct = start.direct(delay_ms=SLOW_MS)
        gateway, _ = start.gateway(direct, start.emulator(), on=everywhere, processes=4)
        _warm_up(gateway)
        say(f"{times.paced_s:.0f} s in a closed loop")
        alone = ask(direct.whole, callers=CALLERS, seconds=3 * SLOW_MS / 1000, start_over_s=1)
        loop = ask(gateway.whole, callers=CALLERS, seconds=times.paced_s, start_over_s=1)
        bursts = [ask(gateway.whole, callers=CALLERS, queries=CALLERS) for _ in range(times.rounds)]
    burst = [took_ms for each in bursts for took_ms in each.took_ms]
    p95 = Wanted(sign="≤", bound=100, of_floor=False)
    rows = (
        Row(name=PACED, direct=_added(alone, 95), gateway=_added(loop, 95), wanted=p95),
        Row(name="the same, median, ms", direct=_added(alone, 50), gateway=_added(loop, 50)),
        Row(name="the same, queries a second", gateway=loop.per_second, digits=0),
        Row(name="100 at one instant: added, p95, ms", gateway=percentile(sorted(burst), 95) - SLOW_MS),
    )
    return Compared(rows=rows, refused=[*loop.refused, *(reason for each in bursts for reason in each.refused)])


def _warm_up(server: Server) -> None:
    ask(server.whole, callers=20, queries=300)
    ask(server.stream, callers=20, queries=100)


def _measure(server: Server, figures: Figures, times: Times) -> None:
    # What is asked directly is there for comparison alone, and steadier.
    many_s = times.many_s if server.pid else times.many_s / 2
    one = ask(server.whole, callers=1, seconds=times.one_s)
    whole, whole_ms = _with_processor(server, lambda: ask(server.whole, callers=CALLERS, seconds=many_s))
    stream, stream_ms = _with_processor(server, lambda: ask(server.stream, callers=CALLERS, seconds=many_s))
    figures.one_ms.append(statistics.median(one.took_ms))
    figures.whole_ms.append(whole_ms)
    figures.whole_per_s.append(whole.per_second)
    figures.stream_ms.append(stream_ms)
    figures.stream_per_s.append(stream.per_second)
    figures.refused += [*one.refused, *whole.refused, *stream.refused]


def _with_processor(server: Server, asking: Callable[[], Answers]) -> tuple[Answers, float]:
    """The answers, and the ms of the processor's time that the server took for each."""
    before_s = processor.time_s(server.pid) if server.pid else 0.0
    answers = asking()
    after_s = processor.time_s(server.pid) if server.pid else 0.0
    return answers, (after_s - before_s) * 1000 / max(1, len(answers.took_ms))


def _added(answers: Answers, share: int) -> float:
    return percentile(sorted(answers.took_ms), share) - SLOW_MS


def _rows(figures: dict[str, Figures]) -> Sequence[Row]:
    def row(
        name: str, of: Callable[[Figures], list[float]], wanted: Wanted | None, litellm: float | None, **more: Any
    ) -> Row:
        middle = {name: statistics.median(of(each)) for name, each in figures.items()}
        return Row(name=name, wanted=wanted, litellm=litellm, **{**middle, **more})

    costs, wholes, streams, adds = _LITELLM
    alone_ms = statistics.median(figures["direct"].one_ms)
    return (
        row(COST, lambda each: each.whole_ms, Wanted(sign="≤", bound=2.6), costs, direct=None, digits=2),
        row(
            "queries a second, 100 callers",
            lambda each: each.whole_per_s,
            Wanted(sign="≥", bound=0.4),
            wholes,
            digits=0,
        ),
        row("processor's time of a stream, ms", lambda each: each.stream_ms, None, None, direct=None, digits=2),
        row(
            "streams a second, 100 callers",
            lambda each: each.stream_per_s,
            Wanted(sign="≥", bound=1.0),
            streams,
            digits=0,
        ),
        row(
            ADDED,
            lambda each: [took_ms - alone_ms for took_ms in each.one_ms],
            Wanted(sign="≤", bound=2.5),
            adds,
            direct=None,
        ),
    )
