"""The parts of a run, each of which prints what it measures, and gives the rows that are published."""

import statistics
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from llm_gateway.endpoints import ROWS, SCHEDULES, WORKERS
from llm_gateway.instruments.personal_data.detector import PatternDetector

from bench import cold, concurrent, contexts, floor, personal, processor, recall, warm
from bench.built import BARE, Built, build
from bench.figures import HEADER, line, percentile
from bench.floor import Compared, Times
from bench.load import Load
from bench.table import Row, Wanted, lines
from bench.told import told_by
from layers.tokenizers import build as tokenizers
from local_aws.synthesis import LOCAL_CONTEXT
from workshop.steps import Failure

_NAMES: Final = {BARE: "bare: FastAPI behind Mangum, one route"}
NOT_HTTP: Final = frozenset(row.name for row in (*WORKERS, *SCHEDULES))
"""What a queue or a clock starts, and needs no FastAPI."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """How much is measured."""

    scratch: Path
    functions: Sequence[str]
    starts: int
    calls: int
    times: Times
    is_whole: bool = False
    """Every part is measured: what takes minutes of each is left out."""

    @cached_property
    def built(self) -> Built:
        return build()


Part = Callable[[Run], Sequence[Row]]


def show_floor(run: Run) -> Sequence[Row]:
    """A query and a stream beside the floor's."""
    print(
        f"\nBeside a direct call and the floor (FastAPI with OpenAI's SDK), provider after {floor.DELAY_MS} ms, one processor for"
        f" each\nserver: medians of {run.times.rounds} rounds in turns. The key has limits and a budget, the model a price.\n"
    )
    return _compared(floor.side_by_side, run)


def show_memory(run: Run) -> Sequence[Row]:
    """What many queries leave behind."""
    print(f"\nMemory of one process, {floor.CALLERS} callers\n")
    return _compared(floor.memory, run)


def show_idle(run: Run) -> Sequence[Row]:
    """Streams that wait for their first word."""
    print(f"\nMemory of one process, {floor.STREAMS} streams of a provider that is silent\n")
    return _compared(floor.idle_streams, run)


def show_paced(run: Run) -> Sequence[Row]:
    """A provider as slow as a model."""
    print(f"\n{floor.CALLERS} callers of a provider as slow as a model, begun over a second; then all at one instant\n")
    return _compared(floor.paced, run)


def show_cold(run: Run) -> Sequence[Row]:
    """Cold starts beside the bare function's."""
    python, architecture = LOCAL_CONTEXT["python"], LOCAL_CONTEXT["architecture"]
    built = run.built
    print(f"\nCold starts, {run.starts} of each: from the start of the process to its first wait for an event")
    print(
        f"awslambdaric with the built layers, Python {python} on {architecture}\n\n{HEADER}   of the bare one's median"
    )
    figures_ms = cold.measure([BARE, *run.functions], built=built, scratch=run.scratch, runs=run.starts)
    medians = {name: statistics.median(figures) for name, figures in figures_ms.items()}
    for name, figures in figures_ms.items():
        print(f"{line(_NAMES.get(name, name), figures)}{medians[name] / medians[BARE]:11.2f}")
    print()
    _show_imports(run, medians)
    return [
        Row(
            name=f"cold start of `{name}`, ms",
            floor=medians[BARE],
            gateway=medians[name],
            wanted=_wanted_start(name),
            digits=0,
        )
        for name in run.functions
    ]


def _show_imports(run: Run, medians: Mapping[str, float]) -> None:
    modules = {name: cold.imported(name, built=run.built, scratch=run.scratch) for name in run.functions}
    for module in cold.HEAVY:
        importing = [name for name in run.functions if module in modules[name]]
        print(f"{module} is imported by {', '.join(importing) or 'none of them'} before it is asked anything")
    slowest = max(run.functions, key=lambda name: medians[name])
    imports = ", ".join(f"{module} {ms:.0f}" for module, ms in cold.slowest(modules[slowest], count=10))
    print(f"{slowest}'s imports, ms when timed one by one: {imports}")


def _wanted_start(name: str) -> Wanted:
    if name in NOT_HTTP:
        return Wanted(sign="≤", bound=0.6)
    if name == "get_health":
        return Wanted(sign="≤", bound=1.05)
    method = next((row.method for row in ROWS if row.name == name and hasattr(row, "method")), "GET")
    return Wanted(sign="≤", bound=1.15 if method == "GET" else 1.1)


def show_warm(run: Run) -> Sequence[Row]:
    """Calls of a function that has started."""
    built, scratch, calls = run.built, run.scratch, run.calls
    print(f"\nWarm calls, {calls} of each, one after the other\n\n{HEADER}")
    for name, measured in (
        (_NAMES[BARE], warm.health(BARE, built=built, scratch=scratch, calls=calls)),
        ("get_health", warm.health("get_health", built=built, scratch=scratch, calls=calls)),
        ("list_providers, with a key, on an emulator", warm.authenticated(built=built, scratch=scratch, calls=calls)),
    ):
        print(f"{line(name, measured.later_ms)}   the call before them: {measured.first_ms:.0f} ms")
    return ()


def show_account(_: Run) -> Sequence[Row]:
    """What a key's limits and its budget cost."""
    print(
        f"\nProcessor time of a plain query, stores in memory, by its key, in turns\n\n{HEADER}   of the first's median"
    )
    figures_ms = {told["key"]: told["ms"] for told in told_by("tests.query_cost")}
    first = statistics.median(next(iter(figures_ms.values())))
    for name, figures in figures_ms.items():
        print(f"{line(name, figures, digits=3)}{statistics.median(figures) / first:11.2f}")
    return ()


def show_hostile(_: Run) -> Sequence[Row]:
    """What bodies take that are made to cost."""
    print(f"\nHostile bodies of 4 MiB, sent one after the other\n\n{HEADER}   of the processor's time")
    processor_ms = {told["kind"]: told["four_ms"] for told in told_by("tests.entrypoints.hostile")}
    (waits,) = told_by("tests.entrypoints.hostile_waits")
    for kind, figures in waits["bodies"].items():
        print(f"{line(kind, figures)}{processor_ms[kind]:12.0f}")
    print(f"\n{line('/health, idle', waits['idle'])}\n{line('/health, meanwhile', waits['meanwhile'])}")
    idle, meanwhile = (percentile(sorted(waits[when]), 95) for when in ("idle", "meanwhile"))
    print(f"the longest took {max(waits['meanwhile']):.0f} ms, the p95 is {meanwhile / idle:.1f} times the idle one")
    return ()


def show_concurrent(run: Run) -> Sequence[Row]:
    """Queries that arrive by the clock, and a hundred at once, in processes and in Lambdas."""
    print(
        "\nQueries to a provider that takes 200 ms: what each took beside it, gateway, emulator and client on this machine"
    )
    print(f"\n{HEADER}")
    with concurrent.plain_process(run.scratch) as api:
        for per_second in (20, 50):
            steady = concurrent.steady(api, per_second=per_second, queries=10 * per_second)
            _show(f"python -m functions, {per_second} a second", steady)
        _show("python -m functions, 100 at once", concurrent.burst(api, rounds=5))
    if run.is_whole:
        print("through API Gateway and Lambdas on the emulator, which takes minutes: --concurrent")
        return ()
    with concurrent.deployed_app(run.scratch) as api:
        # The emulator starts a process for each call at the same time, one after the other.
        _show("API Gateway and Lambdas, 100 at once", concurrent.burst(api, rounds=1))
        _show("the same, once they have started", concurrent.burst(api, rounds=1))
    return ()


def show_context(run: Run) -> Sequence[Row]:
    """What contexts find and take."""
    found = recall.retrieval_set()
    print(
        f"\nContexts: how often the passage that answers is among the first {recall.FOUND_AMONG}"
        f" ({len(found.questions)} questions, {len(found.passages)} passages)\n"
    )
    print(f"{'':<14}{'all':>8}" + "".join(f"{language:>8}" for language in recall.LANGUAGES))
    for strategy in recall.STRATEGIES:
        shares = [recall.recall(strategy, found, language=language) for language in (None, *recall.LANGUAGES)]
        print(f"{strategy:<14}" + "".join(f"{share:8.3f}" for share in shares))
    rank_files = tokenizers.build() / Path(tokenizers.MOUNTED_AT).name
    print(f"\nRanked and assembled for 8,000 tokens, {run.starts} times, nothing in memory\n\n{HEADER}")
    for name, count, length in (
        ("1,000 items of 2 KB", 1_000, 2_000),
        ("2,000 items of 2 KB", 2_000, 2_000),
        ("4 items of 1 MB", 4, 1_000_000),
    ):
        items = contexts.made_up(count, length=length)
        figures_ms = contexts.times_ms(items, max_tokens=8_000, rank_files=rank_files, runs=run.starts)
        memory = contexts.memory_of_text(items, max_tokens=8_000, rank_files=rank_files)
        print(f"{line(name, figures_ms)}   {memory:.1f} times the text in memory", flush=True)
    return ()


def show_personal(_: Run) -> Sequence[Row]:
    """What personal data is found, and how fast."""
    detector, labelled = PatternDetector(), personal.lines()
    found_of = personal.scores(detector, labelled)
    print(f"\nPersonal data: {len(labelled)} texts, {sum(not line.labels for line in labelled)} of them without any\n")
    print(f"{'':<24}{'there':>8}{'found':>8}{'wrong':>8}{'recall':>9}{'precision':>11}")
    with_checksum = [score for kind, score in found_of.items() if kind not in personal.NO_CHECKSUM]
    totals = {"all with a checksum": personal.together(with_checksum), "all": personal.together([*found_of.values()])}
    for kind, score in {**dict(sorted(found_of.items())), **totals}.items():
        counts = f"{score.right + score.missed:8}{score.right:8}{score.wrong:8}"
        print(f"{kind:<24}{counts}{score.recall:9.3f}{score.precision:11.3f}")
    print("\nTexts that are made to be slow, seconds of the processor's time, and the most memory\n")
    print(f"{'':<24}{'1 MB':>8}{'2 MB':>8}{'ratio':>8}{'memory':>9}")
    for family, piece in personal.HOSTILE.items():
        one, two = (personal.of_family(piece, size_bytes=size * 1_000_000) for size in (1, 2))
        one_s, two_s = personal.took_s(detector, one), personal.took_s(detector, two)
        memory = personal.memory_of_text(detector, one)
        print(f"{family:<24}{one_s:8.2f}{two_s:8.2f}{two_s / one_s:8.2f}{memory:7.1f} x", flush=True)
    return ()


def _show(name: str, measured: Load) -> None:
    refused = f"{len(measured.refused)} errors {sorted(set(measured.refused))}" if measured.refused else "no errors"
    print(f"{line(name, measured.added_ms)}   {measured.per_second:.0f} queries a second, {refused}", flush=True)


def _compared(measure: Callable[[Path, Times, floor.Say], Compared], run: Run) -> Sequence[Row]:
    if not processor.is_accounted():
        raise Failure("Not measured: this system does not tell what a process takes, as Linux does in /proc.")
    compared = measure(run.scratch, run.times, lambda text: print(f"  {text}", flush=True))
    print(*("", *lines(compared.rows)), sep="\n")
    if compared.refused:
        print(f"{len(compared.refused)} were not answered as they are to be: {sorted(set(compared.refused))[:5]}")
    return compared.rows


PARTS: Final[Mapping[str, Part]] = {
    "floor": show_floor,
    "memory": show_memory,
    "idle": show_idle,
    "paced": show_paced,
    "cold": show_cold,
    "warm": show_warm,
    "concurrent": show_concurrent,
    "account": show_account,
    "hostile": show_hostile,
    "context": show_context,
    "personal": show_personal,
}
"""By name, in the order of a whole run."""


def measured(run: Run, names: Sequence[str], parts: Mapping[str, Part] = PARTS) -> Iterator[tuple[str, Sequence[Row]]]:
    """The rows of each part that could be measured. What fails is shown, and the rest goes on."""
    for name in names:
        try:
            yield name, parts[name](run)
        except Failure as failure:
            print(f"\n{failure}", file=sys.stderr, flush=True)
        except Exception:
            traceback.print_exc()
