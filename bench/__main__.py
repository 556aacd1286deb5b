"""`python -m bench`: prints cold starts, warm calls, a hundred queries at once, what a key's account costs, hostile bodies,
what contexts take, and how well personal data is found; judges nothing."""

import argparse
import signal
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

from llm_gateway.endpoints import ROWS
from llm_gateway.instruments.personal_data.detector import PatternDetector

from bench import cold, concurrent, contexts, personal, recall, warm
from bench.built import BARE, Built, build
from bench.figures import HEADER, line, percentile
from bench.load import Load
from bench.told import told_by
from layers.tokenizers import build as tokenizers
from local_aws.synthesis import LOCAL_CONTEXT
from workshop.steps import Failure

_NAMES: Final = {BARE: "bare: FastAPI behind Mangum, one route"}


def main() -> int:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="cold starts of each function")
    parser.add_argument("--calls", type=int, default=200, help="warm calls of each kind")
    parser.add_argument("--cold", action="store_true", help="measure cold starts alone")
    parser.add_argument("--account", action="store_true", help="measure a key's limits and budget alone")
    parser.add_argument("--hostile", action="store_true", help="measure hostile bodies alone")
    parser.add_argument("--context", action="store_true", help="measure contexts alone: what is found, time and memory")
    parser.add_argument("--personal", action="store_true", help="measure the detector of personal data alone")
    parser.add_argument("functions", nargs="*", help="functions to start cold; all unless named")
    arguments = parser.parse_args()
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    every = [row.name for row in ROWS]
    if unknown := set(arguments.functions).difference(every):
        parser.error(f"no such function: {', '.join(sorted(unknown))} (there are {', '.join(every)})")
    if arguments.context:
        _contexts(runs=arguments.runs)
        return 0
    if arguments.personal:
        _personal()
        return 0
    names = arguments.functions or every
    with tempfile.TemporaryDirectory(prefix="llm-gateway-bench-") as folder:
        try:
            if arguments.account or arguments.hostile:
                _among_doubles(account=arguments.account, hostile=arguments.hostile)
                return 0
            built = build()
            _cold(names, built, Path(folder), runs=arguments.runs)
            if arguments.cold:
                return 0
            _warm(built, Path(folder), calls=arguments.calls)
            _concurrent(Path(folder))
            _among_doubles(account=True, hostile=True)
            _contexts(runs=arguments.runs)
            _personal()
        except Failure as failure:
            print(f"\n{failure}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


def _among_doubles(*, account: bool, hostile: bool) -> None:
    """What needs neither layers nor an emulator."""
    if account:
        _account()
    if hostile:
        _hostile()


def _account() -> None:
    print(
        f"\nProcessor time of a plain query, stores in memory, by its key, in turns\n\n{HEADER}   of the first's median"
    )
    figures_ms = {told["key"]: told["ms"] for told in told_by("tests.query_cost")}
    first = statistics.median(next(iter(figures_ms.values())))
    for name, figures in figures_ms.items():
        print(f"{line(name, figures, digits=3)}{statistics.median(figures) / first:11.2f}")


def _hostile() -> None:
    print(f"\nHostile bodies of 4 MiB, sent one after the other\n\n{HEADER}   of the processor's time")
    processor_ms = {told["kind"]: told["four_ms"] for told in told_by("tests.entrypoints.hostile")}
    (waits,) = told_by("tests.entrypoints.hostile_waits")
    for kind, figures in waits["bodies"].items():
        print(f"{line(kind, figures)}{processor_ms[kind]:12.0f}")
    print(f"\n{line('/health, idle', waits['idle'])}\n{line('/health, meanwhile', waits['meanwhile'])}")
    idle, meanwhile = (percentile(sorted(waits[when]), 95) for when in ("idle", "meanwhile"))
    print(f"the longest took {max(waits['meanwhile']):.0f} ms, the p95 is {meanwhile / idle:.1f} times the idle one")


def _cold(names: list[str], built: Built, scratch: Path, *, runs: int) -> None:
    python, architecture = LOCAL_CONTEXT["python"], LOCAL_CONTEXT["architecture"]
    print(f"Cold starts, {runs} of each: from the start of the process to its first wait for an event")
    print(
        f"awslambdaric with the built layers, Python {python} on {architecture}\n\n{HEADER}   of the bare one's median"
    )
    figures_ms = cold.measure([BARE, *names], built=built, scratch=scratch, runs=runs)
    medians = {name: statistics.median(figures) for name, figures in figures_ms.items()}
    for name, figures in figures_ms.items():
        print(f"{line(_NAMES.get(name, name), figures)}{medians[name] / medians[BARE]:11.2f}")
    print()
    modules = {name: cold.imported(name, built=built, scratch=scratch) for name in names}
    for module in cold.HEAVY:
        importing = [name for name in names if module in modules[name]]
        print(f"{module} is imported by {', '.join(importing) or 'none of them'} before it is asked anything")
    slowest = max(names, key=lambda name: medians[name])
    imports = ", ".join(f"{module} {ms:.0f}" for module, ms in cold.slowest(modules[slowest], count=10))
    print(f"{slowest}'s imports, ms when timed one by one: {imports}")


def _warm(built: Built, scratch: Path, *, calls: int) -> None:
    print(f"\nWarm calls, {calls} of each, one after the other\n\n{HEADER}")
    for name, measured in (
        (_NAMES[BARE], warm.health(BARE, built=built, scratch=scratch, calls=calls)),
        ("get_health", warm.health("get_health", built=built, scratch=scratch, calls=calls)),
        ("list_providers, with a key, on an emulator", warm.authenticated(built=built, scratch=scratch, calls=calls)),
    ):
        print(f"{line(name, measured.later_ms)}   the call before them: {measured.first_ms:.0f} ms")


def _concurrent(scratch: Path) -> None:
    print(
        "\nQueries to a provider that takes 200 ms: what each took beside it, gateway, emulator and client on this machine"
    )
    print(f"\n{HEADER}")
    with concurrent.plain_process(scratch) as api:
        for per_second in (20, 50):
            steady = concurrent.steady(api, per_second=per_second, queries=10 * per_second)
            _show(f"python -m functions, {per_second} a second", steady)
        _show("python -m functions, 100 at once", concurrent.burst(api, rounds=5))
    with concurrent.deployed_app(scratch) as api:
        # The emulator starts a process for each call at the same time, one after the other.
        _show("API Gateway and Lambdas, 100 at once", concurrent.burst(api, rounds=1))
        _show("the same, once they have started", concurrent.burst(api, rounds=1))


def _contexts(*, runs: int) -> None:
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
    print(f"\nRanked and assembled for 8,000 tokens, {runs} times, nothing in memory\n\n{HEADER}")
    for name, count, length in (
        ("1,000 items of 2 KB", 1_000, 2_000),
        ("2,000 items of 2 KB", 2_000, 2_000),
        ("4 items of 1 MB", 4, 1_000_000),
    ):
        items = contexts.made_up(count, length=length)
        figures_ms = contexts.times_ms(items, max_tokens=8_000, rank_files=rank_files, runs=runs)
        memory = contexts.memory_of_text(items, max_tokens=8_000, rank_files=rank_files)
        print(f"{line(name, figures_ms)}   {memory:.1f} times the text in memory", flush=True)


def _personal() -> None:
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


def _show(name: str, measured: Load) -> None:
    refused = f"{len(measured.refused)} errors {sorted(set(measured.refused))}" if measured.refused else "no errors"
    print(f"{line(name, measured.added_ms)}   {measured.per_second:.0f} queries a second, {refused}", flush=True)


sys.exit(main())
